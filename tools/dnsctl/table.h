// Columns of text for people.
#pragma once

#include <string>
#include <vector>

namespace dnsd::ctl {

// The first row is the head. Columns are as wide as their widest cell; nothing is cut.
std::string print_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace dnsd::ctl
