// Small files, whole or not at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dnsd::agent {

std::optional<std::string> read_whole(const std::string& path);

// Writes beside it and renames: who reads sees the old text or the new one. Keeps the mode of a
// file that is there; a new one is readable by all, as configuration is.
Result<> replace_file(const std::string& path, std::string_view text);

}  // namespace dnsd::agent
