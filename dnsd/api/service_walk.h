// The services of one state, one after the other: what is written in pieces goes on where it stood.
#pragma once

#include <memory>
#include <string>

#include "zone/registry/state.h"

namespace dnsd::api {

struct ServiceFilter {
    std::string namespace_name, service;  // as the registry spells them; empty: any
};

// Keeps its state alive. Belongs to one thread.
class ServiceWalk {
  public:
    ServiceWalk(std::shared_ptr<const registry::State> state, ServiceFilter filter)
        : state_(std::move(state)), filter_(std::move(filter)) {}

    // The next that the filter lets through, by namespace and name; null at the end.
    std::shared_ptr<const registry::Service> next();
    const registry::State& state() const noexcept { return *state_; }

  private:
    std::shared_ptr<const registry::Service> next_in(const registry::Namespace& within) const;

    std::shared_ptr<const registry::State> state_;
    ServiceFilter filter_;
    std::string last_namespace_, last_service_;
};

}  // namespace dnsd::api
