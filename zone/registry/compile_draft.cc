#include "zone/registry/compile_draft.h"

#include <algorithm>
#include <chrono>
#include <ratio>
#include <set>

#include "base/assert.h"
#include "zone/registry/hosted.h"
#include "zone/tree/difference.h"

namespace dnsd::registry {

namespace {

using Names = Publication::Names;

void add(Names& names, Names more) {
    names.insert(names.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
}

// What stops to be answered when the whole zone goes.
Names names_of(const tree::ZoneSet& zones, const std::string& namespace_name) {
    Names names;
    const auto apex = wire::Name::parse(namespace_name);
    const auto zone = apex ? zones.find_apex(*apex) : nullptr;
    if (!zone) return names;
    zone->for_each([&](const tree::Node& node) {
        if (!node.is_empty() && names.size() < Publication::names_max)
            names.push_back(node.owner().print());
    });
    return names;
}

// A batch compiles a service once, however many of its events are in it. Each event tells the names
// that all of them share and those of its own instances; what is left belongs to the last one.
void tell(std::vector<model::Event*>& events, const Draft::TouchedService& touched, Names names) {
    if (events.size() == 1) {
        events[0]->dns_names = std::move(names);
        return;
    }
    std::vector<std::string_view> changed(names.begin(), names.end());
    std::ranges::sort(changed);
    // Instances, where they are in the service, and which of the names are their own.
    std::set<std::pair<std::string_view, std::string_view>> own;
    std::set<std::string_view> all_own;
    for (const Service* service :
         {touched.before.get(), static_cast<const Service*>(touched.writable.get())}) {
        if (!service) continue;
        for (const auto& instance : service->instances) {
            if (!std::ranges::binary_search(changed, instance->dns_name)) continue;
            own.emplace(instance->spec.id, instance->dns_name);
            all_own.insert(instance->dns_name);
        }
    }
    Names shared;
    for (const std::string& name : names) {
        if (!all_own.contains(name)) shared.push_back(name);
    }
    const bool shared_fit_all = shared.size() <= 8;  // the service's names and the zone's own
    for (std::size_t i = 0; i < events.size(); ++i) {
        std::set<std::string_view> told;
        for (const model::InstanceEvent& happened : events[i]->instances) {
            for (auto its = own.lower_bound({happened.id, {}});
                 its != own.end() && its->first == happened.id; ++its)
                told.insert(its->second);
        }
        events[i]->dns_names.assign(told.begin(), told.end());
        if (shared_fit_all || i + 1 == events.size()) add(events[i]->dns_names, shared);
    }
}

class Compilation {
  public:
    Compilation(Draft& draft, const tree::ZoneSet& zones, Pointers pointers,
                Publication& publication, HandedOut& handed_out)
        : draft_(draft), zones_(zones), publication_(publication), handed_out_(handed_out) {
        out_.pointers = std::move(pointers);
    }

    void namespaces() {
        for (const auto& [name, touched] : draft_.namespaces()) {
            const bool was_zone = touched.before && touched.before->spec.dns;
            const bool is_zone = touched.writable && touched.writable->spec.dns;
            if (was_zone && !is_zone) {
                of_namespaces_[name] = names_of(zones_, name);
                publication_.remove_namespace(name);
                out_.moved.push_back(name);
            } else if (is_zone &&
                       (!was_zone || draft_.is_following() ||
                        touched.before->spec != touched.writable->spec ||
                        touched.before->records != touched.writable->records ||
                        touched.before->following.expired != touched.writable->following.expired)) {
                of_namespaces_[name] =
                    unique(publication_.put_namespace(touched.before.get(), *touched.writable));
            }
        }
    }

    void services() {
        for (const auto& [key, touched] : draft_.services()) {
            const Namespace* within = draft_.state().find_namespace(key.namespace_name);
            if (!within) continue;  // its names went with the zone
            const Service* before = touched.before.get();
            const Service* after = draft_.state().find_service(key.namespace_name, key.service);
            if (!before && !after) continue;  // it came and went in this batch
            static const Marks none;
            const Marks& marks = after ? handed_out_.marks_of(key) : none;
            Names names = publication_.put_service(*within, before, after, draft_.now(), marks);
            if (after && before != after && ttl_moved(key.namespace_name))
                add(names, publication_.put_service(*within, after, after, draft_.now(), marks));
            of_services_.emplace_hint(of_services_.end(), key, unique(std::move(names)));
        }
        std::set<ServiceKey> told;
        for (const model::Event* before = nullptr; const model::Event& event : draft_.events()) {
            if (!is_of_same(before, event)) told.insert({event.namespace_name, event.service});
            before = &event;
        }
        for (const auto& [key, names] : of_services_) {
            const bool of_namespace = ttl_moved(key.namespace_name);
            if (!names.empty() && !told.contains(key) && !of_namespace && !draft_.is_following())
                draft_.answers_moved(key);
        }
    }

    // Instances come and go, namespaces begin and cease to ask, and a reverse zone may be new or no
    // longer hold what a user had put there.
    void pointers() {
        std::map<std::string, std::optional<ServiceKey>> owners;  // and whose change it was
        const auto change = [&](const Service* before, const Service* after,
                                std::optional<ServiceKey> key) {
            Pointers::Owners changed;
            out_.pointers.change(before, after, changed);
            for (const std::string& owner : changed) owners.try_emplace(owner, key);
        };
        for (const auto& [key, touched] : draft_.services()) {
            const Service* after = draft_.state().find_service(key.namespace_name, key.service);
            const bool asked = asks(before_of(key.namespace_name));
            const bool ask = asks(draft_.state().find_namespace(key.namespace_name));
            change(asked ? touched.before.get() : nullptr, ask ? after : nullptr, key);
        }
        for (const auto& [name, touched] : draft_.namespaces()) {
            const Namespace* now = draft_.state().find_namespace(name);
            if (asks(touched.before.get()) != asks(now) && now) {
                now->services.for_each([&](const std::string& service, const auto& one) {
                    if (draft_.services().contains({name, service})) return;
                    change(asks(now) ? nullptr : one.get(), asks(now) ? one.get() : nullptr, {});
                });
            }
            const auto changed = of_namespaces_.find(name);
            if (!is_reverse(name) || changed == of_namespaces_.end()) continue;
            const bool is_all = !touched.before || changed->second.size() >= Publication::names_max;
            for (const std::string& owner :
                 is_all ? out_.pointers.below(name)
                        : Pointers::Owners(changed->second.begin(), changed->second.end()))
                owners.try_emplace(owner, std::nullopt);
        }
        for (const auto& [owner, key] : owners) {
            const auto parsed = wire::Name::parse(owner);
            const Namespace* within = parsed ? zone_of(draft_.state(), *parsed) : nullptr;
            if (!within || !is_reverse(within->spec.name)) continue;
            Names names = publication_.put_pointers(*within, *parsed, out_.pointers.targets(owner));
            if (key) add(of_services_[*key], std::move(names));
        }
    }

    void serials() {
        for (const auto& [name, zones] : publication_.touched()) {
            if (!zones.after->soa()) {  // a secondary that has nothing to say
                if (zones.before) end_history(name);
                continue;
            }
            if (draft_.is_following() || draft_.state().find_namespace(name)->spec.is_secondary()) {
                take_serial(name, zones);
            } else {
                move_serial(name, zones);
            }
        }
    }

    void events() {
        if (draft_.is_following()) return;  // they came with their names
        std::map<ServiceKey, std::vector<model::Event*>> by_service;
        std::vector<model::Event*>* of_last = nullptr;
        const model::Event* last = nullptr;
        for (model::Event& event : draft_.events()) {
            const Namespace* within = draft_.state().find_namespace(event.namespace_name);
            if (within && within->spec.dns) event.serial = within->serial;
            if (!event.service.empty()) {
                if (!is_of_same(last, event))
                    of_last = &by_service[{event.namespace_name, event.service}];
                of_last->push_back(&event);
                last = &event;
            } else if (const auto names = of_namespaces_.find(event.namespace_name);
                       names != of_namespaces_.end()) {
                event.dns_names = names->second;
            }
        }
        for (auto& [key, events] : by_service) {
            if (const auto names = of_services_.find(key); names != of_services_.end())
                tell(events, draft_.services().at(key), std::move(names->second));
        }
        // A new TTL of the namespace is one event, whatever it touched.
        for (model::Event& event : draft_.events()) {
            if (event.cause != "namespace_put") continue;
            for (auto& [key, names] : of_services_) {
                if (key.namespace_name == event.namespace_name && !by_service.contains(key))
                    add(event.dns_names, names);
            }
        }
    }

    Compiled finish() {
        out_.zones = publication_.finish();
        return std::move(out_);
    }

  private:
    // Events of one service mostly follow one another.
    static bool is_of_same(const model::Event* before, const model::Event& event) {
        return before && before->service == event.service &&
               before->namespace_name == event.namespace_name;
    }
    static Names unique(Names names) {
        std::ranges::sort(names);
        names.erase(std::ranges::unique(names).begin(), names.end());
        return names;
    }
    static bool asks(const Namespace* within) {
        return within && within->spec.dns && within->spec.reverse;
    }
    static bool is_reverse(const std::string& name) {
        return name.ends_with("in-addr.arpa") || name.ends_with("ip6.arpa") || name == "arpa" ||
               name == ".";
    }

    const Namespace* before_of(const std::string& name) const {
        const auto touched = draft_.namespaces().find(name);
        return touched != draft_.namespaces().end() ? touched->second.before.get()
                                                    : draft_.state().find_namespace(name);
    }

    bool ttl_moved(const std::string& name) const {
        const auto touched = draft_.namespaces().find(name);
        return touched != draft_.namespaces().end() && touched->second.before &&
               touched->second.writable &&
               touched->second.before->spec.ttl != touched->second.writable->spec.ttl;
    }

    // The serial came with what was followed: the difference alone is ours.
    void take_serial(const std::string& name, const Publication::Zones& zones) {
        const Namespace& now = *draft_.state().find_namespace(name);
        if (!now.spec.is_secondary()) publication_.set_serial(now);
        const bool moved = !zones.before || soa_of(*zones.before->soa()).serial != now.serial;
        if (!moved) return;
        out_.moved.push_back(name);
        note_difference(name, zones, now.serial);
    }

    void move_serial(const std::string& name, const Publication::Zones& zones) {
        const auto wanted = draft_.wanted_serial(name);
        const bool is_new = !zones.before;
        const Namespace* there = draft_.state().find_namespace(name);
        const bool jumps = wanted && (is_new || wire::is_newer_serial(*wanted, there->serial));
        if (!is_new && !jumps && !is_other_transfer(*zones.before, *zones.after)) {
            if (there->serial != soa_of(*zones.after->soa()).serial)
                publication_.set_serial(*there);
            return;
        }
        Namespace& within = draft_.namespace_for_write(name);
        const auto& touched = draft_.namespaces().at(name);
        // Made anew in the batch that deleted it: who follows the zone must not see it go back.
        if (within.serial == 0 && touched.before) within.serial = touched.before->serial;
        if (jumps)
            within.serial = *wanted;
        else if (is_new && within.serial == 0)
            within.serial = first_serial(draft_.now());
        else
            ++within.serial;  // RFC 1982: 0 follows 2^32 - 1
        publication_.set_serial(within);
        out_.moved.push_back(name);
        note_difference(name, zones, within.serial);
    }

    // Secondaries may still hold a zone of this name that was deleted, or lost with its database. A
    // serial that passes theirs step by step would have them put our differences on top of that
    // zone; the clock is ahead of it, but for one that changed more often than the clock ticks.
    static std::uint32_t first_serial(WallTime now) {
        using Sixteenths = std::chrono::duration<std::int64_t, std::ratio<1, 16>>;
        const auto ticks = std::chrono::floor<Sixteenths>(now.time_since_epoch()).count();
        return std::max(static_cast<std::uint32_t>(ticks), 1U);  // 0 is a namespace that has none
    }

    static bool is_other_transfer(const tree::Zone& before, const tree::Zone& after) {
        return tree::transfer_difference(before, after).has_value();
    }

    // What a secondary needs to come from the one to the other, unless all of the zone is less.
    void note_difference(const std::string& name, const Publication::Zones& zones,
                         std::uint32_t serial) {
        Namespace& within = draft_.namespace_for_write(name);
        std::size_t rrsets = 0;
        if (zones.before)
            tree::for_each_change(*zones.before, *zones.after, [&](const auto&...) { ++rrsets; });
        const std::size_t most = std::max<std::size_t>(100, zones.after->node_count());
        auto difference = zones.before && rrsets <= std::min(most, difference_rrsets_max)
                              ? tree::transfer_difference(*zones.before, *zones.after)
                              : std::nullopt;
        if (!difference && zones.before && rrsets <= most) difference = soa_alone(zones);
        if (!difference) {
            end_history(name);
            within.content = tree::content_sum(*zones.after);
            return;
        }
        within.content = tree::content_sum(within.content, *difference);
        auto& soa = difference->added.front();
        difference->to = serial;
        wire::SoaRdata now = soa_of(*zones.after->soa());
        now.serial = serial;
        const auto rrset = soa_rrset(now, soa.ttl);
        soa.rdata.assign(rrset->rdata(0).begin(), rrset->rdata(0).end());
        out_.differences.push_back({name, difference->from, difference->to, draft_.now(),
                                    tree::encode_records(difference->removed),
                                    tree::encode_records(difference->added)});
    }

    // A serial that moved by itself.
    static std::optional<tree::Difference> soa_alone(const Publication::Zones& zones) {
        const auto record = [](const tree::Zone& zone) {
            const auto rdata = zone.soa()->rdata(0);
            return tree::ZoneRecord{
                zone.apex(), wire::RrType::SOA, zone.soa()->ttl(), {rdata.begin(), rdata.end()}};
        };
        return tree::Difference{soa_of(*zones.before->soa()).serial,
                                0,
                                {record(*zones.before)},
                                {record(*zones.after)}};
    }

    void end_history(const std::string& name) { out_.histories_ended.push_back(name); }

    // More than these are sent whole, and are not held in memory twice.
    static constexpr std::size_t difference_rrsets_max = 100'000;

    Draft& draft_;
    const tree::ZoneSet& zones_;
    Publication& publication_;
    HandedOut& handed_out_;
    std::map<std::string, Names> of_namespaces_;
    std::map<ServiceKey, Names> of_services_;
    Compiled out_;
};

}  // namespace

Compiled compile(Draft& draft, std::shared_ptr<const tree::ZoneSet> zones, Pointers pointers,
                 const Infrastructure& infrastructure, HandedOut& handed_out) {
    Publication publication(zones, infrastructure);
    Compilation compilation(draft, *zones, std::move(pointers), publication, handed_out);
    compilation.namespaces();
    compilation.services();
    compilation.pointers();
    compilation.serials();
    compilation.events();
    return compilation.finish();
}

Pointers compile_pointers(const State& state, Publication& publication) {
    Pointers pointers;
    Pointers::Owners owners;
    state.namespaces.for_each([&](const std::string&, const auto& within) {
        if (!within->spec.dns || !within->spec.reverse) return;
        within->services.for_each([&](const std::string&, const auto& service) {
            pointers.change(nullptr, service.get(), owners);
        });
    });
    for (const std::string& owner : owners) {
        const auto parsed = wire::Name::parse(owner);
        const Namespace* within = parsed ? zone_of(state, *parsed) : nullptr;
        if (within) publication.put_pointers(*within, *parsed, pointers.targets(owner));
    }
    return pointers;
}

const Namespace* zone_of(const State& state, const wire::Name& owner) {
    for (wire::Name at = owner;; at = at.parent()) {
        const Namespace* within = state.find_namespace(at.lower_cased().print());
        if (within && within->spec.dns) return within->spec.is_secondary() ? nullptr : within;
        if (at.is_root()) return nullptr;
    }
}

}  // namespace dnsd::registry
