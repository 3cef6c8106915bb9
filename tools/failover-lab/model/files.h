// Files of results, read and written whole.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace dnsd::lab {

Result<std::string> read_file(const std::string& path);
// Writes beside it and renames: who reads sees the old text or the new one.
Result<> replace_file(const std::string& path, std::string_view text);

}  // namespace dnsd::lab
