#include "zone/registry/publication.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/assert.h"
#include "zone/registry/names.h"
#include "zone/tree/difference.h"

namespace dnsd::registry {

using wire::RrType;

namespace {

wire::Name owner(std::string_view relative, const wire::Name& apex) {
    const auto name = owner_name(relative, apex);
    DNSD_ASSERT(name.has_value());  // the same
    return *name;
}

bool has_srv_name(const model::ServiceSpec& service) {
    return service.record_types.empty() ||
           std::ranges::count(service.record_types, model::RecordType::Srv) > 0;
}

// With a TTL that is not longer.
RRsetPointer capped(RRsetPointer rrset, std::uint32_t ttl_max) {
    if (!rrset || rrset->ttl() <= ttl_max) return rrset;
    std::vector<tree::Rdata> records;
    for (std::size_t i = 0; i < rrset->size(); ++i)
        records.push_back({{rrset->rdata(i).begin(), rrset->rdata(i).end()}});
    return std::make_shared<const tree::RRset>(rrset->type(), ttl_max, std::move(records));
}

std::shared_ptr<const tree::Zone> capped(std::shared_ptr<const tree::Zone> zone,
                                         std::uint32_t ttl_max) {
    if (ttl_max == UINT32_MAX) return zone;
    tree::ZoneEdit edit(zone);
    zone->for_each_unsorted([&](const tree::Node& node) {
        for (const auto& rrset : node.rrsets()) edit.set(node.owner(), capped(rrset, ttl_max));
    });
    return edit.finish();
}

// Whether the service, or one of its instances, may have a name that is made up elsewhere.
bool is_near_made_up(std::string_view service) {
    return std::ranges::any_of(made_up_names, [&](std::string_view name) {
        return !name.empty() && (name == service || name.ends_with("." + std::string(service)));
    });
}

bool has_same_addresses(const model::Instance& a, const model::Instance& b) {
    return &a == &b || (a.spec.ipv4 == b.spec.ipv4 && a.spec.ipv6 == b.spec.ipv6);
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
    if (std::ranges::count(removed_, apex) > 0) zone = nullptr;
    auto start = zone ? zone : tree::Zone::make(apex);
    return zones_
        .emplace(within.name, ZoneChange{std::move(zone), tree::ZoneEdit(std::move(start))})
        .first->second;
}

// The zone anew, from what shares its structure with `zone`.
Publication::ZoneChange& Publication::begin_with(const Namespace& within,
                                                 std::shared_ptr<const tree::Zone> zone) {
    auto before = zone_of(within.spec).before;
    zones_.erase(within.spec.name);
    return zones_
        .emplace(within.spec.name, ZoneChange{std::move(before), tree::ZoneEdit(std::move(zone))})
        .first->second;
}

void Publication::apply(ZoneChange& zone, const wire::Name& owner, RrType type, RRsetPointer wanted,
                        Names& names) {
    const tree::RRset* held = zone.edit.find(owner, type);
    if (wanted == nullptr ? held == nullptr : held != nullptr && *held == *wanted) return;
    if (names.size() < names_max) names.push_back(owner.print());
    if (wanted == nullptr) {
        zone.edit.remove(owner, type);
    } else {
        zone.edit.set(owner, std::move(wanted));
    }
}

// What yields: to services by name, to records of a user's own likewise.
void Publication::put_made_up(ZoneChange& zone, const Namespace& within, Names& names) const {
    const wire::Name apex = apex_of(within.spec);
    const auto made_up = has_own_apex(within) ? nullptr : made_up_zone(within, infrastructure_);
    for (const std::string_view relative : made_up_names) {
        const auto name = owner_name(relative, apex);
        if (!name || find_owner(within, relative)) continue;
        const tree::Node* own = within.records ? within.records->find(*name) : nullptr;
        const tree::Node* ours = made_up ? made_up->find(*name) : nullptr;
        if (!relative.empty() && own && !own->is_empty()) ours = nullptr;
        for (const RrType type : {RrType::SOA, RrType::NS, RrType::A, RrType::AAAA}) {
            RRsetPointer wanted = own ? own->share(type) : nullptr;
            if (!wanted && ours) wanted = ours->share(type);
            if (type == RrType::SOA && wanted && relative.empty()) {
                wire::SoaRdata soa = soa_of(*wanted);
                soa.serial = within.serial;
                wanted = soa_rrset(soa, wanted->ttl());
            }
            apply(zone, *name, type, capped(std::move(wanted), infrastructure_.ttl_max), names);
        }
    }
}

Publication::Names Publication::put_namespace(const Namespace* before, const Namespace& now) {
    Names names;
    if (!now.spec.dns) return names;
    const wire::Name apex = apex_of(now.spec);
    const auto nothing = tree::Zone::make(apex);
    const auto records = now.records ? now.records : nothing;
    if (now.spec.is_secondary()) {
        ZoneChange& zone = begin_with(
            now, now.following.expired ? nothing : capped(records, infrastructure_.ttl_max));
        if (zone.before)
            tree::for_each_change(*zone.before, *zone.edit.finish(),
                                  [&](const tree::Node& owner, const auto&...) {
                                      if (names.size() < names_max)
                                          names.push_back(owner.owner().print());
                                  });
        return names;
    }
    if (!before || before->spec.is_secondary()) {
        ZoneChange& zone = begin_with(now, capped(records, infrastructure_.ttl_max));
        put_made_up(zone, now, names);
        return names;
    }
    ZoneChange& zone = zone_of(now.spec);
    if (before->records != now.records) {
        tree::for_each_change(
            before->records ? *before->records : *nothing, *records,
            [&](const tree::Node& node, RrType type, const auto*, const auto*) {
                const wire::Name owner = node.owner();
                const tree::Node* is = records->find(owner);
                apply(zone, owner, type,
                      capped(is ? is->share(type) : nullptr, infrastructure_.ttl_max), names);
            });
    }
    put_made_up(zone, now, names);
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
    const wire::Name apex = apex_of(within.spec);

    // The service's own names.
    const ServiceRecords records =
        after != nullptr
            ? compile_service(within.spec, *after, apex, now, marks, infrastructure_.ttl_max)
            : ServiceRecords{};
    const std::set<std::string> held = held_names(before), holds = held_names(after);
    for (const std::string& relative : holds) zone.edit.hold(owner(relative, apex));
    std::set<std::string> all_names = held;
    all_names.insert(holds.begin(), holds.end());
    for (const std::string& relative : all_names) {
        const wire::Name name = owner(relative, apex);
        const bool is_held = holds.contains(relative);
        const bool is_service = after != nullptr && relative == after->spec.name;
        apply(zone, name, RrType::A, is_service ? records.a : nullptr, names);
        apply(zone, name, RrType::AAAA, is_service ? records.aaaa : nullptr, names);
        apply(zone, name, RrType::SRV, is_held ? records.srv : nullptr, names);
        if (!is_held) zone.edit.release(name);
    }

    // The instances' own names: of those whose addresses changed, unless all did.
    const bool all = before == after || before == nullptr || after == nullptr ||
                     before->spec.ttl != after->spec.ttl;
    const std::string& service = (after != nullptr ? after : before)->spec.name;
    const auto put = [&](const model::Instance& one, const InstanceRecords& own) {
        const wire::Name name = owner(instance_name(service, one.spec.id), apex);
        apply(zone, name, RrType::A, own.a, names);
        apply(zone, name, RrType::AAAA, own.aaaa, names);
    };
    if (after != nullptr) {
        for (std::size_t i = 0; i < after->instances.size(); ++i) {
            const auto& one = after->instances[i];
            const model::Instance* old = before ? before->find(one->spec.id, i) : nullptr;
            if (all || old == nullptr || !has_same_addresses(*old, *one)) {
                put(*one, compile_instance(within.spec, after->spec, *one, marks.own,
                                           infrastructure_.ttl_max));
            }
        }
    }
    if (before != nullptr) {
        for (std::size_t i = 0; i < before->instances.size(); ++i) {
            const auto& one = before->instances[i];
            if (after == nullptr || after->find(one->spec.id, i) == nullptr) put(*one, {});
        }
    }

    if (is_near_made_up(service)) put_made_up(zone, within, names);
    return names;
}

Publication::Names Publication::put_pointers(const Namespace& within, const wire::Name& owner,
                                             const std::vector<std::string>& targets) {
    Names names;
    const tree::Node* own = within.records ? within.records->find(owner) : nullptr;
    if (own && own->find(RrType::PTR)) return names;
    std::vector<tree::Rdata> records;
    for (const std::string& target : targets) {
        const auto name = wire::Name::parse(target);
        DNSD_ASSERT(name);  // an instance's own name, judged when it was registered
        records.push_back({{name->octets().begin(), name->octets().end()}});
    }
    RRsetPointer wanted;
    if (!records.empty())
        wanted = std::make_shared<const tree::RRset>(
            RrType::PTR, std::min(within.spec.ttl, infrastructure_.ttl_max), std::move(records));
    apply(zone_of(within.spec), owner, RrType::PTR, std::move(wanted), names);
    return names;
}

std::map<std::string, Publication::Zones> Publication::touched() const {
    std::map<std::string, Zones> zones;
    for (const auto& [name, zone] : zones_) {
        const bool answered = zone.before && zone.before->soa();
        zones[name] = {answered ? zone.before : nullptr, zone.edit.finish()};
    }
    return zones;
}

void Publication::set_serial(const Namespace& within) {
    ZoneChange& zone = zone_of(within.spec);
    const wire::Name apex = apex_of(within.spec);
    const tree::RRset* held = zone.edit.find(apex, RrType::SOA);
    DNSD_ASSERT(held);
    wire::SoaRdata soa = soa_of(*held);
    soa.serial = within.serial;
    zone.edit.set(apex, soa_rrset(soa, held->ttl()));
}

std::shared_ptr<const tree::ZoneSet> Publication::finish() const {
    std::shared_ptr<const tree::ZoneSet> next = from_;
    for (const wire::Name& apex : removed_) next = next->without(apex);
    for (const auto& [name, zone] : zones_) next = next->with(zone.edit.finish());
    return next;
}

}  // namespace dnsd::registry
