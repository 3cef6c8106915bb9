// A draft that takes over what another registry did.
#include <set>

#include "base/assert.h"
#include "zone/registry/draft_words.h"
#include "zone/registry/hosted.h"
#include "zone/registry/names.h"

namespace dnsd::registry {

using model::Instance;

namespace {

// Null: there are none. What is as it was stays the same object.
std::shared_ptr<const tree::Zone> followed_records(const NamespaceDelta& delta,
                                                   std::shared_ptr<const tree::Zone> current) {
    if (!delta.is_whole && delta.records.empty()) return current;
    if (delta.is_whole && delta.records.empty()) return nullptr;
    const auto nothing = tree::Zone::make(apex_of(delta.spec));
    tree::ZoneEdit edit(delta.is_whole || !current ? nothing : std::move(current));
    for (const RRsetDelta& rrset : delta.records) {
        std::vector<tree::Rdata> records;
        for (const auto& octets : rrset.records) records.push_back({octets});
        if (records.empty())
            edit.remove(rrset.owner, rrset.type);
        else
            edit.set(rrset.owner, std::make_shared<const tree::RRset>(rrset.type, rrset.ttl,
                                                                      std::move(records)));
    }
    auto zone = edit.finish();
    return zone->node_count() == 1 && zone->apex_node().is_empty() ? nullptr : zone;
}

}  // namespace

// Why it cannot be taken over; names that break a limit would have no place in a zone.
std::optional<std::string> Draft::judge(const Delta& delta) const {
    if (!delta.is_whole && delta.from != state_.revision)
        return fmt::format("it begins with revision {}, and this is {}", delta.from,
                           state_.revision);
    std::map<std::string, bool> has_zone;
    if (!delta.is_whole) {
        state_.namespaces.for_each([&](const std::string& name, const auto& within) {
            has_zone.emplace(name, within->spec.dns);
        });
    }
    for (const std::string& name : delta.gone_namespaces) has_zone.erase(name);
    for (const NamespaceDelta& within : delta.namespaces)
        has_zone[within.spec.name] = within.spec.dns;
    for (const ServiceDelta& service : delta.services) {
        const auto within = has_zone.find(service.spec.namespace_name);
        if (within == has_zone.end())
            return fmt::format("service {} is in namespace {}, which is not there",
                               service.spec.name, service.spec.namespace_name);
        if (!within->second) continue;
        const auto apex = wire::Name::parse(service.spec.namespace_name);
        const auto fits = [&](std::string_view relative) {
            return apex && owner_name(relative, *apex).has_value();
        };
        if (!fits(service.spec.name))
            return fmt::format("the name of service {} breaks a limit of DNS", service.spec.name);
        for (const Instance& instance : service.instances) {
            if (!fits(instance_name(service.spec.name, instance.spec.id)))
                return fmt::format("the name of instance {} breaks a limit of DNS",
                                   instance.spec.id);
        }
    }
    return std::nullopt;
}

Outcome Draft::apply_to(const Follow& followed, const Change&) {
    const Delta& delta = *followed.delta;
    if (auto reason = judge(delta)) return refuse(Refusal::Kind::Unprocessable, std::move(*reason));
    is_following_ = true;
    now_ = delta.now;
    if (delta.is_whole) {
        new_identity_ = followed.identity;
        std::set<std::string> namespaces;
        std::set<ServiceKey> services;
        for (const NamespaceDelta& within : delta.namespaces) namespaces.insert(within.spec.name);
        for (const ServiceDelta& service : delta.services)
            services.insert({service.spec.namespace_name, service.spec.name});
        std::vector<ServiceKey> gone;
        std::vector<std::string> gone_namespaces;
        state_.namespaces.for_each([&](const std::string& name, const auto& within) {
            if (!namespaces.contains(name)) gone_namespaces.push_back(name);
            within->services.for_each([&](const std::string& service, const auto&) {
                if (!services.contains({name, service})) gone.push_back({name, service});
            });
        });
        for (const ServiceKey& key : gone) leave_service(key);
        for (const std::string& name : gone_namespaces) leave_namespace(name);
    }
    for (const ServiceKey& key : delta.gone_services) {
        if (state_.find_service(key.namespace_name, key.service)) leave_service(key);
    }
    for (const std::string& name : delta.gone_namespaces) {
        if (state_.find_namespace(name)) leave_namespace(name);
    }
    for (const NamespaceDelta& within : delta.namespaces) follow(within);
    for (const ServiceDelta& service : delta.services) follow(service);
    for (const model::Event& event : delta.events) events_.push_back(event);
    state_.revision = delta.revision;
    return applied(delta.revision);
}

void Draft::follow(const NamespaceDelta& delta) {
    const Namespace* current = state_.find_namespace(delta.spec.name);
    auto records = followed_records(delta, current ? current->records : nullptr);
    if (current && current->spec == delta.spec && current->revision == delta.revision &&
        current->serial == delta.serial && current->following == delta.following &&
        current->records == records)
        return;
    const bool ttl_moved = current && current->spec.ttl != delta.spec.ttl;
    Namespace& within = namespace_for_write(delta.spec.name);
    within.spec = delta.spec;
    within.revision = delta.revision;
    within.serial = delta.serial;
    within.following = delta.following;
    within.records = std::move(records);
    if (!ttl_moved) return;
    std::vector<std::string> names;
    within.services.for_each([&](const std::string& name, const auto&) { names.push_back(name); });
    for (std::string& name : names) service_for_write({delta.spec.name, std::move(name)});
}

void Draft::follow(const ServiceDelta& delta) {
    const ServiceKey key{delta.spec.namespace_name, delta.spec.name};
    const Service* current = state_.find_service(key.namespace_name, key.service);
    const bool is_zone = state_.find_namespace(key.namespace_name)->spec.dns;
    std::vector<std::shared_ptr<const Instance>> instances;
    if (current && !delta.is_whole) instances = current->instances;
    std::erase_if(instances, [&](const auto& instance) {
        return std::ranges::find(delta.gone, instance->spec.id) != delta.gone.end();
    });
    for (const Instance& told : delta.instances) {
        Instance next = told;
        // Named here as there: by the id alone.
        next.dns_name =
            is_zone ? full_name(instance_name(key.service, told.spec.id), key.namespace_name)
                    : std::string();
        // One that is as it was stays the same object, so that it is not written again.
        const Instance* known = current ? current->find(told.spec.id) : nullptr;
        auto same =
            known && *known == next
                ? current->instances[static_cast<std::size_t>(
                      position(current->instances, told.spec.id) - current->instances.cbegin())]
                : std::make_shared<const Instance>(std::move(next));
        const auto at = position(instances, same->spec.id);
        const auto index = at - instances.cbegin();
        if (at != instances.cend() && (*at)->spec.id == same->spec.id)
            instances[static_cast<std::size_t>(index)] = std::move(same);
        else
            instances.insert(instances.begin() + index, std::move(same));
    }
    touch(key);  // compiled again in any case: time may have moved its answers there
    if (current && current->spec == delta.spec && current->revision == delta.revision &&
        current->health_revision == delta.health_revision && current->instances == instances)
        return;
    Service& service = service_for_write(key);
    service.spec = delta.spec;
    service.revision = delta.revision;
    service.health_revision = delta.health_revision;
    service.instances = std::move(instances);
}

}  // namespace dnsd::registry
