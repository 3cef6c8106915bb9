// The ways that a request can take, a row each: what stands between the client and the instances.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

enum class Family { Dns, Push, Proxy, Polling };

struct Way {
    std::string_view name;   // as suites say it: "unbound"
    std::string_view title;  // as people read it: "unbound"
    Family family;
    std::string_view
        stub;  // the client's own resolver, unless the setting names one; empty: a proxy
    // Debian's packages (and "envoy", "dnsd-agent") without which it is skipped by name. The first
    // is the one whose version the report shows; empty: dnsd itself.
    std::vector<std::string_view> needs;
    Clocks (*clocks)(const Setting& setting);
    // Starts what stands between, dnsd being up and its instances registered and healthy; returns
    // once it serves. Null: nothing stands between.
    Result<> (*start)(Scene& scene);
    // Settings that make no sense on this way ("proxy_retries"); suites that set them are refused.
    std::vector<std::string_view> refuses = {};
    // What starts is a secondary at at::cache: dnsd notifies it and lets it transfer the zone.
    bool is_secondary = false;
};

std::span<const Way> ways();
const Way* find_way(std::string_view name) noexcept;
std::string_view stub_of(const Setting& setting) noexcept;  // its own, or the way's

// What is missing on this machine for a way, for a person to read; empty: nothing.
std::string missing_for(const Way& way, const Equipment& equipment);

}  // namespace dnsd::lab
