// Names whose records have changed, and which caches therefore must forget.
#pragma once

#include <map>
#include <set>
#include <string>

namespace dnsd::agent {

// A value; no threads.
struct Stale {
    std::map<std::string, std::set<std::string>> names;  // by zone
    std::set<std::string> zones;                         // with everything below them

    // Of a zone with more changed names, everything is forgotten: that costs less.
    static constexpr std::size_t names_max = 1000;

    bool empty() const noexcept { return names.empty() && zones.empty(); }
    void add_name(const std::string& zone, const std::string& name) {
        if (zones.contains(zone)) return;
        auto& of_zone = names[zone];
        of_zone.insert(name);
        if (of_zone.size() > names_max) add_zone(zone);
    }
    void add_zone(const std::string& zone) {
        zones.insert(zone);
        names.erase(zone);
    }
    void add(const Stale& other) {
        for (const std::string& zone : other.zones) add_zone(zone);
        for (const auto& [zone, of_zone] : other.names) {
            for (const std::string& name : of_zone) add_name(zone, name);
        }
    }
    bool operator==(const Stale&) const = default;
};

}  // namespace dnsd::agent
