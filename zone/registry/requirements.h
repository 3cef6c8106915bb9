// What one resource asks of another (what a specification must fulfil by itself is the model's).
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zone/model/validate.h"
#include "zone/registry/registry.h"
#include "zone/registry/state.h"
#include "zone/wire/name.h"

namespace dnsd::registry {

// What an instance lacks for the records and the check of its service; empty: nothing.
std::vector<model::FieldError> requirements(const model::NamespaceSpec& within,
                                            const model::ServiceSpec& service,
                                            const model::InstanceSpec& instance);
bool is_of_check(const model::FieldError& error);

// Who of a zone above has names at or below the new zone's apex, as a sentence.
std::optional<std::string> taken_by_parent(const State& state, const model::NamespaceSpec& spec);

// A zone below `apex` that `name` belongs to.
std::optional<std::string> zone_between(const State& state, const wire::Name& name,
                                        const wire::Name& apex);

// Why an instance's status cannot be set, sign of life be taken, or probes be asked for.
std::optional<Refusal> judge_set_health(const Service& service, const model::Instance& instance);
std::optional<Refusal> judge_heartbeat(const Service& service, const model::Instance& instance);
std::optional<Refusal> judge_reconfirm(const Service& service, const model::Instance& instance);

}  // namespace dnsd::registry
