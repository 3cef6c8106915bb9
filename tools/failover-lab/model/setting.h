// What one run of the lab is set to: the way, the fault, and every clock and policy between them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace dnsd::lab {

// A value without threads. Every field is a row of `setting_fields()`: its name in suite files, in
// the results and on the command line. Durations are seconds.
struct Setting {
    std::string way = "dns";     // a row of ways.cc
    std::string fault = "kill";  // a row of rig/faults.cc
    std::string preset;          // the row of presets.cc that it began from; empty: none

    // dnsd
    std::int64_t ttl = 1;
    std::int64_t negative_ttl = 2;
    std::string check = "http";  // http or tcp
    double interval = 1;
    double timeout = 0;  // 0: 0.9 of the interval
    std::int64_t rise = 1;
    std::int64_t fall = 2;
    double publish_delay = 0;
    std::int64_t instances = 3;

    // The client
    std::string stub;                    // cache, glibc, cares, jvm, node; empty: the way's own
    std::int64_t clients = 1;            // each with a stub, and a sidecar, of its own
    std::string connections = "new";     // new, keepalive, maxage: of the hop from the client
    std::int64_t pool = 8;               // connections of a client that keeps them
    double max_age = 5;                  // of a connection, with maxage
    std::string balance = "roundrobin";  // roundrobin, random, first: of clients, and of proxies
    std::int64_t client_retries = 0;     // on another address than the one just tried
    double try_timeout = 0;              // of each try; 0: 1 without retries, 0.3 with them
    double deadline = 0;                 // of all of it, from the intended time; 0: 1, or 1.5
    bool reconfirm = false;              // who meets a dead instance asks dnsd to probe it
    double poll = 0;  // of what polls (API pollers, STRICT_DNS, HAProxy's resolvers); 0: its own

    // Proxies
    std::string topology = "sidecar";  // sidecar: one for each client; central: one for all
    std::int64_t proxy_retries = 0;

    // The run
    double rate = 100;        // requests a second, of all clients together
    double fault_length = 5;  // of faults that end by themselves
    bool operator==(const Setting&) const = default;

    double check_timeout() const noexcept { return timeout > 0 ? timeout : 0.9 * interval; }
    bool retries() const noexcept { return client_retries > 0 || proxy_retries > 0; }
    double try_seconds() const noexcept {  // of a try at an instance, by whoever makes it
        return try_timeout > 0 ? try_timeout : retries() ? 0.3 : 1.0;
    }
    double deadline_seconds() const noexcept {  // of a request, as the client counts it
        return deadline > 0 ? deadline : retries() ? 1.5 : 1.0;
    }
};

// One row of the table of fields.
struct SettingField {
    std::string_view name;
    std::variant<std::string Setting::*, std::int64_t Setting::*, double Setting::*,
                 bool Setting::*>
        member;
    double least = 0, most = 0;             // numbers: the bounds
    std::vector<std::string_view> choices;  // words: what is allowed; empty: see ways and faults
    std::string_view help;
};
std::span<const SettingField> setting_fields();

// What differs from the defaults, and always the way and the fault.
nlohmann::json to_json(const Setting& setting);
// The errors name the field and what is allowed.
Result<> assign(Setting& setting, std::string_view field, const nlohmann::json& value);
Result<Setting> setting_from_json(const nlohmann::json& json);

// "way=unbound ttl=5 fault=kill": what differs from the defaults, in the order of the table. Equal
// settings have equal names; it is the name of the cell.
std::string name_of(const Setting& setting);

}  // namespace dnsd::lab
