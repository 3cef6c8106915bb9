#include "zone/registry/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "zone/registry/hosted.h"
#include "zone/tree/difference.h"
#include "zone/wire/reader.h"

namespace dnsd::registry {

using model::Instance;

namespace {

std::optional<WallTime> unless_epoch(WallTime time) {
    return time == WallTime{} ? std::nullopt : std::optional(time);
}

// Instances are immutable: one that did not change is the same object.
Result<> save_instances(const ServiceKey& key, const Service* before, const Service& after,
                        store::Store& store) {
    static const std::vector<std::shared_ptr<const Instance>> none;
    const auto& old = before ? before->instances : none;
    auto was = old.begin();
    const auto remove = [&](const Instance& gone) {
        return store.remove_instance(key.namespace_name, key.service, gone.spec.id);
    };
    for (const auto& instance : after.instances) {
        for (; was != old.end() && (*was)->spec.id < instance->spec.id; ++was) {
            if (auto removed = remove(**was); !removed) return removed;
        }
        const bool there = was != old.end() && (*was)->spec.id == instance->spec.id;
        const bool same = there && *was == instance;
        if (there) ++was;
        if (same) continue;
        if (auto saved = store.save(store::InstanceRow{key.namespace_name, key.service, *instance});
            !saved)
            return saved;
    }
    for (; was != old.end(); ++was) {
        if (auto removed = remove(**was); !removed) return removed;
    }
    return {};
}

store::RecordsRow row_of(const std::string& name, const tree::Node& owner,
                         const tree::RRset& rrset) {
    const auto octets = owner.name_octets();
    store::RecordsRow row{name,
                          {octets.begin(), octets.end()},
                          static_cast<std::uint16_t>(rrset.type()),
                          rrset.ttl(),
                          {}};
    for (std::size_t i = 0; i < rrset.size(); ++i) {
        const auto rdata = rrset.rdata(i);
        row.rdata.push_back(static_cast<std::uint8_t>(rdata.size() >> 8));
        row.rdata.push_back(static_cast<std::uint8_t>(rdata.size()));
        row.rdata.insert(row.rdata.end(), rdata.begin(), rdata.end());
    }
    return row;
}

// Nothing: dnsd did not write it.
std::shared_ptr<const tree::RRset> rrset_of(const store::RecordsRow& row) {
    wire::Reader reader(row.rdata);
    std::vector<tree::Rdata> records;
    while (reader.ok() && reader.left() > 0) {
        const auto rdata = reader.take(reader.u16());
        records.push_back({{rdata.begin(), rdata.end()}});
    }
    if (!reader.ok() || records.empty() || records.size() > 65'535) return nullptr;
    return std::make_shared<const tree::RRset>(static_cast<wire::RrType>(row.type), row.ttl,
                                               std::move(records));
}

// What is new goes in the order of the table's key, which it then fills without searching.
Result<> save_records(const std::string& name, const Namespace* before, const Namespace& after,
                      store::Store& store) {
    const auto& was = before ? before->records : nullptr;
    if (was == after.records) return {};
    if (!after.records) return store.remove_all_records(name);
    if (!was) {
        std::vector<std::pair<const tree::Node*, const tree::RRset*>> all;
        after.records->for_each_unsorted([&](const tree::Node& node) {
            for (const auto& rrset : node.rrsets()) all.emplace_back(&node, rrset.get());
        });
        std::ranges::sort(all, [](const auto& a, const auto& b) {
            const auto x = a.first->name_octets(), y = b.first->name_octets();
            return std::ranges::lexicographical_compare(x, y);
        });
        for (const auto& [node, rrset] : all) {
            if (auto saved = store.save(row_of(name, *node, *rrset)); !saved) return saved;
        }
        return {};
    }
    Result<> outcome;
    tree::for_each_change(
        *was, *after.records,
        [&](const tree::Node& owner, wire::RrType type, const auto* old, const auto* now) {
            if (!outcome) return;
            const tree::Node* as_spelled = was->find(owner.owner());
            if (old &&
                (!now || !std::ranges::equal(as_spelled->name_octets(), owner.name_octets())))
                outcome = store.remove_records(
                    name, {as_spelled->name_octets().begin(), as_spelled->name_octets().end()},
                    static_cast<std::uint16_t>(type));
            if (outcome && now) outcome = store.save(row_of(name, owner, *now));
        });
    return outcome;
}

Result<> load_records(std::map<std::string, std::shared_ptr<Namespace>>& namespaces,
                      store::Store& store) {
    std::string damaged;
    std::optional<tree::ZoneEdit> edit;
    Namespace* within = nullptr;
    wire::Name apex;
    const auto finish = [&] {
        if (within) within->records = edit->finish();
    };
    auto loaded = store.load_records([&](store::RecordsRow row) {
        if (!within || within->spec.name != row.namespace_name) {
            finish();
            within = namespaces.at(row.namespace_name).get();  // a foreign key of the store
            apex = apex_of(within->spec);
            edit.emplace(tree::Zone::make(apex));
        }
        const auto owner = wire::Name::from_octets(row.owner);
        const auto rrset = rrset_of(row);
        if (owner && rrset && owner->is_at_or_below(apex))
            edit->set(*owner, rrset);
        else if (damaged.empty())
            damaged = row.namespace_name;
    });
    finish();
    if (loaded && !damaged.empty())
        return fail(
            fmt::format("load zone store: damaged: table records holds for {} what dnsd did "
                        "not write; put a backup in its place",
                        damaged));
    return loaded;
}

Result<> load_instances(std::map<ServiceKey, std::shared_ptr<Service>>& services,
                        store::Store& store) {
    auto service = services.end();  // of the one before
    return store.load_instances([&](store::InstanceRow row) {
        if (service == services.end() || service->first.service != row.service ||
            service->first.namespace_name != row.namespace_name)
            service = services.find({row.namespace_name, row.service});
        DNSD_ASSERT(service != services.end());  // a foreign key of the store
        service->second->instances.push_back(
            std::make_shared<const Instance>(std::move(row.instance)));
    });
}

}  // namespace

Result<std::shared_ptr<const State>> load_state(store::Contents contents, store::Store& store) {
    std::map<ServiceKey, std::shared_ptr<Service>> services;
    for (store::ServiceRow& row : contents.services) {
        auto service = std::make_shared<Service>();
        service->revision = row.revision;
        service->health_revision = row.health_revision;
        const ServiceKey key{row.spec.namespace_name, row.spec.name};
        service->spec = std::move(row.spec);
        services.emplace(key, std::move(service));
    }
    if (auto loaded = load_instances(services, store); !loaded)
        return std::unexpected(loaded.error());
    std::map<std::string, std::shared_ptr<Namespace>> namespaces;
    for (store::NamespaceRow& row : contents.namespaces) {
        auto within = std::make_shared<Namespace>();
        within->revision = row.revision;
        within->serial = row.serial;
        within->content = row.content;
        within->following = {row.refreshed, row.expired};
        within->spec = std::move(row.spec);
        const std::string name = within->spec.name;
        namespaces.emplace(name, std::move(within));
    }
    for (auto& [key, service] : services) {
        const auto within = namespaces.find(key.namespace_name);
        DNSD_ASSERT(within != namespaces.end());  // the same
        within->second->services.set(key.service, std::move(service));
    }
    if (auto loaded = load_records(namespaces, store); !loaded)
        return std::unexpected(loaded.error());
    auto state = std::make_shared<State>();
    state->revision = contents.revision;
    for (store::KeyRow& row : contents.keys) {
        const auto name = wire::Name::parse(row.name);
        const auto algorithm = wire::parse_tsig_algorithm(row.algorithm);
        if (!name || !algorithm)
            return fail(fmt::format("load zone store: key {} is damaged", row.name));
        state->keys.set(row.name, std::make_shared<const Key>(Key{
                                      {*name, *algorithm, std::move(row.secret)}, row.revision}));
    }
    for (auto& [name, within] : namespaces) state->namespaces.set(name, std::move(within));
    return std::shared_ptr<const State>(std::move(state));
}

Result<> save(const Namespace& within, store::Store& store) {
    return store.save(store::NamespaceRow{within.spec, within.revision, within.serial,
                                          within.content, within.following.refreshed,
                                          within.following.expired});
}

Result<> save(Draft& draft, const std::function<HandedOut::Lapses(const ServiceKey&)>& lapses,
              store::Store& store) {
    if (!draft.new_identity().empty()) {
        if (auto set = store.set_identity(draft.new_identity()); !set) return set;
    }
    for (const auto& [name, touched] : draft.namespaces()) {
        const auto done =
            touched.writable ? save(*touched.writable, store) : store.remove_namespace(name);
        if (!done) return done;
        if (!touched.writable) continue;
        if (auto saved = save_records(name, touched.before.get(), *touched.writable, store); !saved)
            return saved;
    }
    for (const auto& [name, key] : draft.keys()) {
        const auto done =
            key ? store.save(store::KeyRow{name, std::string(wire::print(key->tsig.algorithm)),
                                           key->tsig.secret, key->revision})
                : store.remove_key(name);
        if (!done) return done;
    }
    for (const auto& [key, touched] : draft.services()) {
        if (!touched.writable) {
            if (draft.state().find_service(key.namespace_name, key.service)) continue;  // looked at
            if (auto removed = store.remove_service(key.namespace_name, key.service); !removed)
                return removed;
            continue;
        }
        const Service& service = *touched.writable;
        const HandedOut::Lapses last = lapses(key);
        if (auto saved = store.save(
                store::ServiceRow{service.spec, service.revision, service.health_revision,
                                  unless_epoch(last.address), unless_epoch(last.srv)});
            !saved)
            return saved;
        if (auto saved = save_instances(key, touched.before.get(), service, store); !saved)
            return saved;
    }
    for (const model::Event& event : draft.events()) {
        if (auto appended = store.append(event); !appended) return appended;
    }
    return store.set_revision(draft.state().revision);
}

}  // namespace dnsd::registry
