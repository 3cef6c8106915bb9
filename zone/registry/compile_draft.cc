#include "zone/registry/compile_draft.h"

#include <algorithm>
#include <set>

#include "base/assert.h"

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
        if (!node.is_empty()) names.push_back(node.owner().print());
    });
    return names;
}

// The own names of the instances an event is about, and where they are in the service.
std::set<std::string> own_names(const Draft::TouchedService& touched, const model::Event& event) {
    std::set<std::string> names;
    for (const model::InstanceEvent& happened : event.instances) {
        for (const Service* service :
             {touched.before.get(), static_cast<const Service*>(touched.writable.get())}) {
            const model::Instance* instance = service ? service->find(happened.id) : nullptr;
            if (instance) names.insert(instance->dns_name);
        }
    }
    return names;
}

// A batch compiles a service once, however many of its events are in it. Each event tells the names
// that all of them share and those of its own instances; what is left belongs to the last one.
void tell(std::vector<model::Event*>& events, const Draft::TouchedService& touched, Names names) {
    if (events.size() == 1) {
        events[0]->dns_names = std::move(names);
        return;
    }
    std::set<std::string> all_own;
    std::vector<std::set<std::string>> own;
    for (const model::Event* event : events) {
        own.push_back(own_names(touched, *event));
        all_own.insert(own.back().begin(), own.back().end());
    }
    const std::set<std::string> changed(names.begin(), names.end());
    Names shared;
    for (const std::string& name : names) {
        if (!all_own.contains(name)) shared.push_back(name);
    }
    const bool shared_fit_all = shared.size() <= 8;  // the service's names and the zone's own
    for (std::size_t i = 0; i < events.size(); ++i) {
        for (const std::string& name : own[i]) {
            if (changed.contains(name)) events[i]->dns_names.push_back(name);
        }
        if (shared_fit_all || i + 1 == events.size()) add(events[i]->dns_names, shared);
    }
}

class Compilation {
  public:
    Compilation(Draft& draft, const tree::ZoneSet& zones, Publication& publication,
                HandedOut& handed_out)
        : draft_(draft), zones_(zones), publication_(publication), handed_out_(handed_out) {}

    void namespaces() {
        for (const auto& [name, touched] : draft_.namespaces()) {
            const bool was_zone = touched.before && touched.before->spec.dns;
            const bool is_zone = touched.writable && touched.writable->spec.dns;
            if (was_zone && !is_zone) {
                of_namespaces_[name] = names_of(zones_, name);
                publication_.remove_namespace(name);
            } else if (is_zone && (!was_zone || touched.before->spec != touched.writable->spec)) {
                of_namespaces_[name] = publication_.put_namespace(*touched.writable);
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
            std::ranges::sort(names);
            names.erase(std::ranges::unique(names).begin(), names.end());
            of_services_[key] = std::move(names);
        }
        std::set<ServiceKey> told;
        for (const model::Event& event : draft_.events())
            told.insert({event.namespace_name, event.service});
        for (const auto& [key, names] : of_services_) {
            const bool of_namespace = ttl_moved(key.namespace_name);
            if (!names.empty() && !told.contains(key) && !of_namespace && !draft_.is_following())
                draft_.answers_moved(key);
        }
    }

    void serials() {
        std::set<std::string> changed;
        for (const auto& [key, names] : of_services_) {
            if (publication_.changes(key.namespace_name)) changed.insert(key.namespace_name);
        }
        for (const auto& [name, touched] : draft_.namespaces()) {
            const bool is_zone = touched.writable && touched.writable->spec.dns;
            if (publication_.changes(name) || (draft_.is_following() && is_zone))
                changed.insert(name);
        }
        for (const std::string& name : changed) {
            if (draft_.is_following()) {  // the serial came with it
                if (const Namespace* within = draft_.state().find_namespace(name))
                    publication_.set_serial(*within, within->serial);
                continue;
            }
            Namespace& within = draft_.namespace_for_write(name);
            const auto touched = draft_.namespaces().find(name);
            // Made anew in the batch that deleted it: who follows the zone must not see it go back.
            if (within.serial == 0 && touched->second.before)
                within.serial = touched->second.before->serial;
            ++within.serial;  // RFC 1982: 0 follows 2^32 - 1
            publication_.set_serial(within, within.serial);
        }
    }

    void events() {
        if (draft_.is_following()) return;  // they came with their names
        std::map<ServiceKey, std::vector<model::Event*>> by_service;
        for (model::Event& event : draft_.events()) {
            const Namespace* within = draft_.state().find_namespace(event.namespace_name);
            if (within && within->spec.dns) event.serial = within->serial;
            if (!event.service.empty()) {
                by_service[{event.namespace_name, event.service}].push_back(&event);
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

  private:
    bool ttl_moved(const std::string& name) const {
        const auto touched = draft_.namespaces().find(name);
        return touched != draft_.namespaces().end() && touched->second.before &&
               touched->second.writable &&
               touched->second.before->spec.ttl != touched->second.writable->spec.ttl;
    }

    Draft& draft_;
    const tree::ZoneSet& zones_;
    Publication& publication_;
    HandedOut& handed_out_;
    std::map<std::string, Names> of_namespaces_;
    std::map<ServiceKey, Names> of_services_;
};

}  // namespace

std::shared_ptr<const tree::ZoneSet> compile(Draft& draft,
                                             std::shared_ptr<const tree::ZoneSet> zones,
                                             const Infrastructure& infrastructure,
                                             HandedOut& handed_out) {
    Publication publication(zones, infrastructure);
    Compilation compilation(draft, *zones, publication, handed_out);
    compilation.namespaces();
    compilation.services();
    compilation.serials();
    compilation.events();
    return publication.finish();
}

}  // namespace dnsd::registry
