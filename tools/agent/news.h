// What /v1/watch says, read.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/agent/stale.h"

namespace dnsd::agent {

struct Change {
    std::uint64_t revision = 0;
    std::string cause, namespace_name;
    std::string service;  // empty: none
    Stale stale;
};

struct Snapshot {
    std::uint64_t revision = 0;
    std::set<std::string> namespaces;
};

Result<Change> parse_change(std::string_view json);
Result<Snapshot> parse_snapshot(std::string_view json);

}  // namespace dnsd::agent
