// What a store's file looks like, and how an older one becomes the newest. For this room alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "zone/store/connection.h"

namespace dnsd::store {

// In the file's header, so that a file of another program is known before anything is done to it:
// the octets "dnsd".
constexpr std::uint32_t application_id = 0x646e7364;

// SQL that takes a file from one version to the next, in one transaction. Version 0 is an empty
// file; the first migration makes version 1. Rows are added at the end and never changed.
struct Migration {
    const char* sql;
};
std::span<const Migration> migrations() noexcept;

// Whether there is a file to open, after its header alone was read (SQLite's own format, offsets 60
// and 68). Refuses what is not ours or is newer, before SQLite, which may write when it recovers.
enum class Found { Nothing, Ours };
Result<Found> inspect_file(const std::string& path, std::int64_t newest_version);

// Refuses a damaged or newer file. Reads only.
Result<> inspect_contents(Connection& connection, std::int64_t newest_version);

// Marks an empty file as ours; until that is on the disk it is treated as empty.
Result<> claim(Connection& connection);

Result<> migrate(Connection& connection, std::span<const Migration> steps);

}  // namespace dnsd::store
