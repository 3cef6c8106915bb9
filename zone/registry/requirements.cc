#include "zone/registry/requirements.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/assert.h"
#include "zone/registry/names.h"

namespace dnsd::registry {

namespace {

constexpr std::string_view check_needs = "the service's check needs ";

bool ends_below(std::string_view name, std::string_view suffix) {
    return name == suffix || (name.size() > suffix.size() && name.ends_with(suffix) &&
                              name[name.size() - suffix.size() - 1] == '.');
}

std::optional<Refusal> judge_check(const Service& service, const model::Instance& instance,
                                   bool fits, std::string_view wanted) {
    if (!fits)
        return Refusal{
            Refusal::Kind::Conflict,
            fmt::format("service {} has a check of type {}; this is for {}", service.spec.name,
                        model::print(service.spec.check.type), wanted),
            {}};
    if (instance.drain)
        return Refusal{Refusal::Kind::Conflict,
                       fmt::format("instance {} is deregistered and drains", instance.spec.id),
                       {}};
    return std::nullopt;
}

}  // namespace

std::vector<model::FieldError> requirements(const model::NamespaceSpec& within,
                                            const model::ServiceSpec& service,
                                            const model::InstanceSpec& instance) {
    std::vector<model::FieldError> errors;
    const bool addressed = instance.ipv4 || instance.ipv6;
    if (within.dns) {
        for (const model::RecordType type : service.record_types) {
            if (type == model::RecordType::A && !instance.ipv4)
                errors.push_back({"/ipv4", "the service's A records need it"});
            if (type == model::RecordType::Aaaa && !instance.ipv6)
                errors.push_back({"/ipv6", "the service's AAAA records need it"});
            if (type == model::RecordType::Srv && !instance.port)
                errors.push_back({"/port", "the service's SRV records need it"});
        }
        if (!addressed && errors.empty())
            errors.push_back({"/ipv4", "a zone needs an address: ipv4, ipv6 or both"});
    }
    if (model::is_probing(service.check.type)) {
        if (!addressed && errors.empty())
            errors.push_back({"/ipv4", std::string(check_needs) + "an address"});
        if (!instance.port && !service.check.port)
            errors.push_back({"/port", std::string(check_needs) + "one, here or of its own"});
    }
    return errors;
}

bool is_of_check(const model::FieldError& error) { return error.detail.starts_with(check_needs); }

std::optional<std::string> taken_by_parent(const State& state, const model::NamespaceSpec& spec) {
    if (!spec.dns) return std::nullopt;
    const auto apex = wire::Name::parse(spec.name);
    DNSD_ASSERT(apex);  // model::validate judged it
    std::string relative;
    for (wire::Name at = *apex; !at.is_root();) {
        relative.append(relative.empty() ? "" : ".").append(at.first_label());
        at = at.parent();
        const Namespace* above = state.find_namespace(at.print());
        if (!above || !above->spec.dns) continue;
        std::optional<std::string> taken;
        if (const auto owner = find_owner(*above, relative)) taken = print(*owner);
        above->services.for_each([&](const std::string& name, const auto& service) {
            const auto srv = srv_name(service->spec);
            if (!taken && (ends_below(name, relative) || (srv && ends_below(*srv, relative))))
                taken = "service " + name;
        });
        if (taken)
            return fmt::format("namespace {} has names at or below {}: {}", above->spec.name,
                               spec.name, *taken);
    }
    return std::nullopt;
}

std::optional<std::string> zone_between(const State& state, const wire::Name& name,
                                        const wire::Name& apex) {
    if (state.namespaces.size() == 1) return std::nullopt;  // its own
    for (wire::Name at = name; at.size() > apex.size(); at = at.parent()) {
        const Namespace* found = state.find_namespace(at.print());
        if (found && found->spec.dns) return found->spec.name;
    }
    return std::nullopt;
}

std::optional<Refusal> judge_set_health(const Service& service, const model::Instance& instance) {
    return judge_check(service, instance, service.spec.check.type == model::CheckType::Custom,
                       "custom checks alone");
}

std::optional<Refusal> judge_heartbeat(const Service& service, const model::Instance& instance) {
    return judge_check(service, instance, service.spec.check.type == model::CheckType::Lease,
                       "leases alone");
}

std::optional<Refusal> judge_reconfirm(const Service& service, const model::Instance& instance) {
    return judge_check(service, instance, model::is_probing(service.spec.check.type),
                       "checks that probe");
}

}  // namespace dnsd::registry
