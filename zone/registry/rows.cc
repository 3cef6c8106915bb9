#include "zone/registry/rows.h"

#include <algorithm>
#include <map>

#include "base/assert.h"

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

}  // namespace

std::shared_ptr<const State> state_of(store::Contents contents) {
    std::map<ServiceKey, std::shared_ptr<Service>> services;
    for (store::ServiceRow& row : contents.services) {
        auto service = std::make_shared<Service>();
        service->revision = row.revision;
        service->health_revision = row.health_revision;
        const ServiceKey key{row.spec.namespace_name, row.spec.name};
        service->spec = std::move(row.spec);
        services.emplace(key, std::move(service));
    }
    for (store::InstanceRow& row : contents.instances) {
        const auto service = services.find({row.namespace_name, row.service});
        DNSD_ASSERT(service != services.end());  // a foreign key of the store
        service->second->instances.push_back(
            std::make_shared<const Instance>(std::move(row.instance)));
    }
    std::map<std::string, std::shared_ptr<Namespace>> namespaces;
    for (store::NamespaceRow& row : contents.namespaces) {
        auto within = std::make_shared<Namespace>();
        within->revision = row.revision;
        within->serial = row.serial;
        within->spec = std::move(row.spec);
        const std::string name = within->spec.name;
        namespaces.emplace(name, std::move(within));
    }
    for (auto& [key, service] : services) {
        std::ranges::sort(service->instances, {},
                          [](const auto& i) -> std::string_view { return i->spec.id; });
        const auto within = namespaces.find(key.namespace_name);
        DNSD_ASSERT(within != namespaces.end());  // the same
        within->second->services.set(key.service, std::move(service));
    }
    auto state = std::make_shared<State>();
    state->revision = contents.revision;
    for (auto& [name, within] : namespaces) state->namespaces.set(name, std::move(within));
    return state;
}

Result<> save(Draft& draft, const std::function<HandedOut::Lapses(const ServiceKey&)>& lapses,
              store::Store& store) {
    if (!draft.new_identity().empty()) {
        if (auto set = store.set_identity(draft.new_identity()); !set) return set;
    }
    for (const auto& [name, touched] : draft.namespaces()) {
        const auto done =
            touched.writable
                ? store.save(store::NamespaceRow{touched.writable->spec, touched.writable->revision,
                                                 touched.writable->serial})
                : store.remove_namespace(name);
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
