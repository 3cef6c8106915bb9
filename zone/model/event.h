// What happened, when, and to whom: one Event per revision. The event table, the watch stream and
// the propagation histogram are made of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zone/model/types.h"

namespace dnsd::model {

// One attempt of a check, kept as evidence of a verdict.
struct ProbeRecord {
    WallTime tick;  // when it was due
    WallTime ended;
    bool success = false;
    std::string outcome;  // "connection refused", "status 503", "timeout", "200"
    bool operator==(const ProbeRecord&) const = default;
};

// The clocks of BEHAVIOUR §5. What a change does not have is missing: nothing is detected at a
// registration, and nothing first answered where no answer changed.
struct Times {
    std::optional<WallTime> detected;
    WallTime submitted{};
    WallTime committed{};
    std::optional<WallTime> published;
    std::optional<WallTime> first_answered;
    bool operator==(const Times&) const = default;
};

struct InstanceEvent {
    std::string id;
    std::string status;  // as the API shows it afterwards: healthy, unhealthy, unknown, draining,
                         // deregistered
    std::string was;     // before; "none" for a new one
    bool operator==(const InstanceEvent&) const = default;
};

struct Event {
    Revision revision = 0;
    std::string cause;  // namespace_put, namespace_deleted, service_put, service_deleted,
                        // registered, deregistered, health, custom_health, drain_ended, policy
                        // (time moved an answer), zone_imported, records_changed, zone_transferred,
                        // zone_expired, zone_refreshed, key_put, key_deleted
    std::string namespace_name;
    std::string service;  // empty: not a service's
    std::vector<InstanceEvent> instances;
    std::vector<std::string> dns_names;  // every owner name whose RRsets changed
    std::uint32_t serial = 0;            // of the zone, afterwards; 0 where there is no zone
    Times times;
    std::vector<ProbeRecord> probes;  // the ones that led to a verdict, oldest first
    bool operator==(const Event&) const = default;
};

}  // namespace dnsd::model
