// A service as the agent knows it: whom traffic may go to.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dnsd::agent {

struct ServiceKey {
    std::string namespace_name, name;
    auto operator<=>(const ServiceKey&) const = default;

    // "demo.internal/web"
    static std::optional<ServiceKey> parse(std::string_view text);
    std::string print() const { return namespace_name + '/' + name; }
    // "/v1/namespaces/demo.internal/services/web"
    std::string path() const;
};

// An instance that has an address and a port.
struct Member {
    std::string id;
    std::string address;  // IPv4 if it has one, else IPv6
    std::uint16_t port = 0;
    std::uint32_t weight = 1;
    bool operator==(const Member&) const = default;

    std::string endpoint() const;  // "192.0.2.1:80", "[2001:db8::1]:80"
};

struct Members {
    std::vector<Member> used;        // by id
    std::set<std::string> draining;  // ids
    std::set<std::string> dead;      // ids that are unhealthy and not used
    bool operator==(const Members&) const = default;
};

// Judges what GET of a service and of its instances answered. What is used is what dnsd answers
// with, as far as these two tell: the healthy ones, of the group that is active; where none is, the
// failure policy decides, and `before` is the last known good. Members of weight 0 are left out
// unless all are.
Result<Members> judge_members(std::string_view service_json, std::string_view instances_json,
                              const Members& before);

// Weights as HAProxy takes them, 1..256: as they are where they fit, else in proportion.
std::vector<Member> with_weights_of_256(std::vector<Member> members);

}  // namespace dnsd::agent
