#include "zone/registry/publication.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include "base/assert.h"
#include "zone/registry/names.h"

namespace dnsd::registry {

using wire::RrType;

namespace {

wire::Name apex_of(const model::NamespaceSpec& within) {
    const auto apex = wire::Name::parse(within.name);
    DNSD_ASSERT(apex.has_value());  // it was judged when the namespace was put
    return *apex;
}

wire::Name owner(std::string_view relative, const wire::Name& apex) {
    const auto name = owner_name(relative, apex);
    DNSD_ASSERT(name.has_value());  // the same
    return *name;
}

bool has_srv_name(const model::ServiceSpec& service) {
    return service.record_types.empty() ||
           std::ranges::count(service.record_types, model::RecordType::Srv) > 0;
}

// The names that exist as long as the service does, with or without instances.
std::set<std::string> held_names(const Service* service) {
    if (service == nullptr) return {};
    std::set<std::string> names = {service->spec.name};
    if (const auto srv = srv_name(service->spec); srv && has_srv_name(service->spec))
        names.insert(*srv);
    return names;
}

}  // namespace

Publication::Publication(std::shared_ptr<const tree::ZoneSet> from,
                         const Infrastructure& infrastructure)
    : from_(std::move(from)), infrastructure_(infrastructure) {}

Publication::ZoneChange& Publication::zone_of(const model::NamespaceSpec& within) {
    const auto found = zones_.find(within.name);
    if (found != zones_.end()) return found->second;
    const wire::Name apex = apex_of(within);
    auto zone = from_->find_apex(apex);
    const bool is_new = zone == nullptr || std::ranges::count(removed_, apex) > 0;
    if (is_new) zone = tree::Zone::make(apex);
    return zones_.emplace(within.name, ZoneChange{apex, tree::ZoneEdit(std::move(zone)), is_new})
        .first->second;
}

void Publication::apply(ZoneChange& zone, const wire::Name& owner, RrType type, RRsetPointer wanted,
                        Names& names) {
    const tree::RRset* held = zone.edit.find(owner, type);
    if (wanted == nullptr ? held == nullptr : held != nullptr && *held == *wanted) return;
    zone.changed = true;
    if (const std::string name = owner.print(); std::ranges::count(names, name) == 0)
        names.push_back(name);
    if (wanted == nullptr) {
        zone.edit.remove(owner, type);
    } else {
        zone.edit.set(owner, std::move(wanted));
    }
}

wire::Name Publication::primary_of(const wire::Name& apex) const {
    const auto named = wire::Name::parse(infrastructure_.name_server);
    if (!infrastructure_.name_server.empty() && named) return *named;
    return owner_name("ns.dns", apex).value_or(apex);
}

void Publication::put_infrastructure(ZoneChange& zone, const Namespace& within,
                                     Names& names) const {
    const auto put = [&](std::string_view relative, const std::vector<IpAddress>& addresses) {
        const auto name = owner_name(relative, zone.apex);
        if (!name || find_owner(within, relative)) return;
        const InstanceRecords records =
            compile_addresses(within.spec, addresses, infrastructure_.ttl_max);
        apply(zone, *name, RrType::A, records.a, names);
        apply(zone, *name, RrType::AAAA, records.aaaa, names);
    };
    if (infrastructure_.name_server.empty()) put("ns.dns", infrastructure_.dns_addresses);
    put("api", infrastructure_.api_addresses);
    put("data-api", infrastructure_.api_addresses);
}

Publication::Names Publication::put_namespace(const Namespace& now_is) {
    Names names;
    if (!now_is.spec.dns) return names;
    ZoneChange& zone = zone_of(now_is.spec);
    const wire::Name primary = primary_of(zone.apex);
    apply(zone, zone.apex, RrType::NS, compile_ns(now_is.spec, primary, infrastructure_.ttl_max),
          names);
    apply(zone, zone.apex, RrType::SOA,
          compile_soa(now_is.spec, zone.apex, primary, now_is.serial, infrastructure_.ttl_max),
          names);
    put_infrastructure(zone, now_is, names);
    return names;
}

void Publication::remove_namespace(const std::string& name) {
    zones_.erase(name);
    const auto apex = wire::Name::parse(name);
    if (apex) removed_.push_back(*apex);
}

Publication::Names Publication::put_service(const Namespace& within, const Service* before,
                                            const Service* after, WallTime now,
                                            const Marks& marks) {
    Names names;
    if (!within.spec.dns) return names;
    ZoneChange& zone = zone_of(within.spec);

    // The service's own names.
    const ServiceRecords records =
        after != nullptr
            ? compile_service(within.spec, *after, zone.apex, now, marks, infrastructure_.ttl_max)
            : ServiceRecords{};
    const std::set<std::string> held = held_names(before), holds = held_names(after);
    for (const std::string& relative : holds) zone.edit.hold(owner(relative, zone.apex));
    std::set<std::string> all_names = held;
    all_names.insert(holds.begin(), holds.end());
    for (const std::string& relative : all_names) {
        const wire::Name name = owner(relative, zone.apex);
        const bool is_held = holds.contains(relative);
        const bool is_service = after != nullptr && relative == after->spec.name;
        apply(zone, name, RrType::A, is_service ? records.a : nullptr, names);
        apply(zone, name, RrType::AAAA, is_service ? records.aaaa : nullptr, names);
        apply(zone, name, RrType::SRV, is_held ? records.srv : nullptr, names);
        if (!is_held) zone.edit.release(name);
    }

    // The instances' own names: of those that changed, unless all did.
    const bool all = before == after || before == nullptr || after == nullptr ||
                     before->spec.ttl != after->spec.ttl;
    std::map<std::string_view, const model::Instance*> was;
    if (before != nullptr) {
        for (const auto& one : before->instances) was[one->spec.id] = one.get();
    }
    const std::string& service = (after != nullptr ? after : before)->spec.name;
    const auto put = [&](const model::Instance& one, const InstanceRecords& own) {
        const wire::Name name = owner(instance_name(service, one.spec.id), zone.apex);
        apply(zone, name, RrType::A, own.a, names);
        apply(zone, name, RrType::AAAA, own.aaaa, names);
    };
    if (after != nullptr) {
        for (const auto& one : after->instances) {
            const auto old = was.extract(one->spec.id);
            if (all || old.empty() || old.mapped() != one.get()) {
                put(*one, compile_instance(within.spec, after->spec, *one, marks.own,
                                           infrastructure_.ttl_max));
            }
        }
    }
    for (const model::Instance* gone : std::views::values(was)) put(*gone, {});

    put_infrastructure(zone, within, names);
    return names;
}

bool Publication::changes(const std::string& namespace_name) const {
    const auto found = zones_.find(namespace_name);
    return found != zones_.end() && found->second.changed;
}

void Publication::set_serial(const Namespace& within, std::uint32_t serial) {
    ZoneChange& zone = zone_of(within.spec);
    zone.edit.set(zone.apex, compile_soa(within.spec, zone.apex, primary_of(zone.apex), serial,
                                         infrastructure_.ttl_max));
}

std::shared_ptr<const tree::ZoneSet> Publication::finish() const {
    std::shared_ptr<const tree::ZoneSet> next = from_;
    for (const wire::Name& apex : removed_) next = next->without(apex);
    for (const auto& [name, zone] : zones_) next = next->with(zone.edit.finish());
    return next;
}

}  // namespace dnsd::registry
