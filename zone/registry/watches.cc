#include "zone/registry/watches.h"

#include "base/assert.h"

namespace dnsd::registry {

using model::CheckType;
using model::Instance;

namespace {

std::optional<health::Target::Kind> kind_of(CheckType type) {
    switch (type) {
        case CheckType::Tcp:
            return health::Target::Kind::Tcp;
        case CheckType::Http:
            return health::Target::Kind::Http;
        case CheckType::Https:
            return health::Target::Kind::Https;
        case CheckType::Grpc:
            return health::Target::Kind::Grpc;
        case CheckType::Lease:
            return health::Target::Kind::Lease;
        case CheckType::None:
        case CheckType::Custom:
            return std::nullopt;
    }
    return std::nullopt;
}

// The registry forgot what was believed of the instance; so must the checker.
bool began_anew(const Instance& before, const Instance& after) {
    return after.awaits_verdict &&
           (!before.awaits_verdict || before.status_since != after.status_since);
}

}  // namespace

std::optional<health::Target> target_of(const Service& service, const Instance& instance) {
    const model::Check& check = service.spec.check;
    const auto kind = kind_of(check.type);
    if (!kind || instance.drain) return std::nullopt;
    health::Target target;
    target.kind = *kind;
    if (*kind == health::Target::Kind::Lease) return target;
    const auto port = check.port ? check.port : instance.spec.port;
    // Whoever registered it was told that the check needs both.
    DNSD_ASSERT(port && (instance.spec.ipv4 || instance.spec.ipv6));
    target.address.ip =
        instance.spec.ipv4 ? IpAddress(*instance.spec.ipv4) : IpAddress(*instance.spec.ipv6);
    target.address.port = *port;
    target.interval = check.interval;
    target.timeout = check.timeout;
    target.connect_timeout = check.connect_timeout;
    if (*kind == health::Target::Kind::Tcp) return target;
    target.host = check.host.value_or("");
    if (*kind == health::Target::Kind::Grpc) {
        target.grpc_service = check.grpc_service;
        return target;
    }
    target.path = check.path;
    target.expected_status_least = check.expected_status_least;
    target.expected_status_most = check.expected_status_most;
    target.body_substring = check.body_substring.value_or("");
    target.verify_tls = check.verify_tls;
    return target;
}

health::Thresholds thresholds_of(const model::ServiceSpec& service) {
    health::Thresholds thresholds;
    thresholds.rise = service.check.rise;
    thresholds.fall = service.check.fall;
    thresholds.flap_limit = service.flap_limit;
    thresholds.flap_window = service.flap_window;
    thresholds.lease_ttl = service.check.lease_ttl;
    if (service.check.type == CheckType::Lease) thresholds.rise = thresholds.fall = 1;
    return thresholds;
}

health::Status status_of(model::HealthStatus status) noexcept {
    switch (status) {
        case model::HealthStatus::Healthy:
            return health::Status::Healthy;
        case model::HealthStatus::Unhealthy:
            return health::Status::Unhealthy;
        case model::HealthStatus::Unknown:
            break;
    }
    return health::Status::Unknown;
}

model::HealthStatus status_of(health::Status status) noexcept {
    switch (status) {
        case health::Status::Healthy:
            return model::HealthStatus::Healthy;
        case health::Status::Unhealthy:
            return model::HealthStatus::Unhealthy;
        case health::Status::Unknown:
            break;
    }
    return model::HealthStatus::Unknown;
}

void Watches::follow(const ServiceKey& key, const Service* before, const Service* after,
                     health::Checker& checker) {
    const bool other_rules = before && after &&
                             (before->spec.check != after->spec.check ||
                              thresholds_of(before->spec) != thresholds_of(after->spec));
    if (before) {
        for (std::size_t i = 0; i < before->instances.size(); ++i) {
            const std::string& id = before->instances[i]->spec.id;
            if (!after || !after->find(id, i)) end(key, id, checker);
        }
    }
    if (!after) {
        numbers_.erase(key);
        return;
    }
    const health::Thresholds thresholds = thresholds_of(after->spec);
    for (std::size_t i = 0; i < after->instances.size(); ++i) {
        const auto& instance = after->instances[i];
        const Instance* was = before ? before->find(instance->spec.id, i) : nullptr;
        if (was == instance.get() && !other_rules) continue;
        auto target = target_of(*after, *instance);
        if (!target) {
            end(key, instance->spec.id, checker);
            continue;
        }
        const auto number = number_of(key, instance->spec.id);
        if (!number || watched_.at(*number).target != *target ||
            (was && began_anew(*was, *instance))) {
            end(key, instance->spec.id, checker);
            begin(key, *instance, std::move(*target), thresholds, checker);
        } else if (Watched& watched = watched_.at(*number); watched.thresholds != thresholds) {
            watched.thresholds = thresholds;
            checker.watch(*number, std::move(*target), thresholds, status_of(instance->status),
                          false);
        }
    }
}

void Watches::begin(const ServiceKey& key, const Instance& instance, health::Target target,
                    const health::Thresholds& thresholds, health::Checker& checker) {
    const std::uint64_t number = ++last_number_;
    numbers_[key][instance.spec.id] = number;
    watched_.emplace(number, Watched{key, instance.spec.id, target, thresholds});
    checker.watch(number, std::move(target), thresholds, status_of(instance.status), true);
}

void Watches::end(const ServiceKey& key, const std::string& id, health::Checker& checker) {
    const auto service = numbers_.find(key);
    if (service == numbers_.end()) return;
    const auto found = service->second.find(id);
    if (found == service->second.end()) return;
    checker.unwatch(found->second);
    watched_.erase(found->second);
    service->second.erase(found);
}

const Watches::Watched* Watches::find(std::uint64_t watch) const {
    const auto found = watched_.find(watch);
    return found == watched_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> Watches::number_of(const ServiceKey& key,
                                                const std::string& id) const {
    const auto service = numbers_.find(key);
    if (service == numbers_.end()) return std::nullopt;
    const auto found = service->second.find(id);
    return found == service->second.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace dnsd::registry
