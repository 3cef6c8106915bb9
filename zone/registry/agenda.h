// When time alone will change a service: a drain ends, a verdict is overdue, the last known good
// is too old.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "zone/registry/service_key.h"
#include "zone/registry/state.h"

namespace dnsd::registry {

// When `service` wants to be looked at again; nothing: never.
std::optional<WallTime> next_change(const Service& service, WallTime now);

// Belongs to one thread.
class Agenda {
  public:
    void set(const ServiceKey& key, std::optional<WallTime> when);
    std::vector<ServiceKey> due(WallTime now) const;
    std::optional<WallTime> next() const;

  private:
    std::map<ServiceKey, WallTime> when_;
    std::set<std::pair<WallTime, ServiceKey>> order_;
};

}  // namespace dnsd::registry
