// How far the agent has come, kept in a file, so that after a restart only what was missed is
// emptied.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace dnsd::agent {

// A value.
struct Position {
    std::optional<std::uint64_t> revision;  // nothing: everything is to be emptied
    std::set<std::string> namespaces;       // whose names caches may hold
    bool operator==(const Position&) const = default;

    std::string print() const;
    // Anything but what print() wrote is nothing.
    static std::optional<Position> parse(std::string_view text);
};

}  // namespace dnsd::agent
