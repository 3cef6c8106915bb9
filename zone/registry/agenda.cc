#include "zone/registry/agenda.h"

#include <algorithm>

#include "zone/registry/answerable.h"

namespace dnsd::registry {

std::optional<WallTime> next_change(const Service& service, WallTime now) {
    std::optional<WallTime> next = answerable(service, now).until;
    for (const auto& instance : service.instances) {
        if (instance->drain)
            next =
                std::min(next.value_or(instance->drain->safe_after), instance->drain->safe_after);
    }
    return next;
}

void Agenda::set(const ServiceKey& key, std::optional<WallTime> when) {
    if (const auto found = when_.find(key); found != when_.end()) {
        if (when == found->second) return;
        order_.erase({found->second, key});
        when_.erase(found);
    }
    if (!when) return;
    when_.emplace(key, *when);
    order_.emplace(*when, key);
}

std::vector<ServiceKey> Agenda::due(WallTime now) const {
    std::vector<ServiceKey> keys;
    for (const auto& [when, key] : order_) {
        if (when > now) break;
        keys.push_back(key);
    }
    return keys;
}

std::optional<WallTime> Agenda::next() const {
    return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
}

}  // namespace dnsd::registry
