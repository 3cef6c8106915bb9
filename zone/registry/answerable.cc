#include "zone/registry/answerable.h"

#include <algorithm>

namespace dnsd::registry {

using model::Instance;

namespace {

bool is_healthy(const Service& service, const Instance& instance) {
    return service.spec.check.type == model::CheckType::None ||
           instance.status == model::HealthStatus::Healthy;
}

// min_healthy: the ones that were healthy most recently stay until there are enough.
void keep_last_healthy(const std::vector<const Instance*>& candidates, std::size_t least,
                       std::vector<const Instance*>& held) {
    if (held.size() >= least) return;
    std::vector<const Instance*> lost;
    for (const Instance* instance : candidates) {
        if (instance->status != model::HealthStatus::Healthy && instance->healthy_last)
            lost.push_back(instance);
    }
    std::ranges::stable_sort(lost, std::greater(),
                             [](const Instance* i) { return *i->healthy_last; });
    lost.resize(std::min(lost.size(), least - held.size()));
    held.insert(held.end(), lost.begin(), lost.end());
    std::ranges::sort(held, {}, [](const Instance* i) { return std::string_view(i->spec.id); });
}

Answerable known_good(const Service& service, const std::vector<const Instance*>& candidates,
                      const std::vector<const Instance*>& held, WallTime now) {
    Answerable out;
    for (const Instance* instance : candidates) {
        if (std::ranges::find(held, instance) != held.end()) {
            out.instances.push_back(instance);
        } else if (instance->healthy_last && now < *instance->healthy_last + service.spec.max_age) {
            out.instances.push_back(instance);
            const WallTime over = *instance->healthy_last + service.spec.max_age;
            if (!out.until || over < *out.until) out.until = over;
        }
    }
    return out;
}

}  // namespace

Answerable answerable(const Service& service, WallTime now) {
    std::vector<const Instance*> candidates, held;
    std::optional<WallTime> verdicts_due;
    for (const auto& instance : service.instances) {
        if (instance->drain || instance->spec.disabled) continue;
        candidates.push_back(instance.get());
        if (is_healthy(service, *instance)) {
            held.push_back(instance.get());
        } else if (const auto due = verdict_due(service.spec.check, *instance); due && now < *due) {
            verdicts_due = std::max(verdicts_due.value_or(*due), *due);
        }
    }
    keep_last_healthy(candidates, service.spec.min_healthy, held);

    const bool panics = service.spec.panic_threshold > 0 &&
                        static_cast<double>(held.size()) * 100 <=
                            service.spec.panic_threshold * static_cast<double>(candidates.size());
    if (!held.empty() && !panics) return {std::move(held), std::nullopt};
    if (verdicts_due) return {std::move(held), verdicts_due};
    switch (service.spec.failure_policy) {
        case model::FailurePolicy::FailOpen:
            return {std::move(candidates), std::nullopt};
        case model::FailurePolicy::FailClosed:
            return {};
        case model::FailurePolicy::LastKnownGood:
            return known_good(service, candidates, held, now);
    }
    return {};
}

std::vector<const Instance*> failover_group(const Service& service,
                                            std::vector<const Instance*> instances) {
    std::optional<std::uint16_t> lowest, lowest_healthy;
    for (const Instance* instance : instances) {
        const std::uint16_t priority = instance->spec.priority;
        lowest = std::min(lowest.value_or(priority), priority);
        if (is_healthy(service, *instance))
            lowest_healthy = std::min(lowest_healthy.value_or(priority), priority);
    }
    const auto chosen = lowest_healthy ? lowest_healthy : lowest;
    std::erase_if(instances, [&](const Instance* i) { return i->spec.priority != chosen; });
    return instances;
}

std::optional<WallTime> verdict_due(const model::Check& check, const Instance& instance) {
    if (!instance.awaits_verdict) return std::nullopt;
    if (check.type == model::CheckType::Lease) return instance.status_since + check.lease_ttl;
    return instance.status_since + std::max(check.rise, check.fall) * check.interval +
           check.timeout;
}

}  // namespace dnsd::registry
