// The suites that ship, and where a suite comes from.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

// The names of the files in suites/, sorted; none, if that folder is not found.
std::vector<std::string> suite_names();

// By the name of one that ships, or by a file. The error says which ones there are, or what is
// wrong with the file, and where.
Result<Suite> find_suite(const std::string& name_or_file);

// Leaves only what `pattern` names: a part of a name or group, or a pattern with * and ?.
void select(Suite& suite, const std::string& pattern);

}  // namespace dnsd::lab
