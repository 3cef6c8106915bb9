// Who is answered: status, failure policy, panic threshold and min_healthy (BEHAVIOUR §2).
// Pure functions of a service and the time; any thread.
#pragma once

#include <optional>
#include <vector>

#include "zone/registry/state.h"

namespace dnsd::registry {

struct Answerable {
    std::vector<const model::Instance*> instances;  // by id; they live as long as the service
    std::optional<WallTime> until;                  // when time alone may change it; nothing: never
};

Answerable answerable(const Service& service, WallTime now);

// Those of the lowest priority group that has a healthy member; where none is healthy, the lowest
// group of all (the failure policy chose them).
std::vector<const model::Instance*> failover_group(const Service& service,
                                                   std::vector<const model::Instance*> instances);

// When the first verdict on an instance must have come: the slower of rise and fall, one probe each
// tick, the last one at its timeout, and a tick to spare. Nothing if it awaits none.
std::optional<WallTime> verdict_due(const model::Check& check, const model::Instance& instance);

}  // namespace dnsd::registry
