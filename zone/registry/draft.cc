#include "zone/registry/draft.h"

#include <set>

#include "base/assert.h"
#include "zone/registry/draft_words.h"
#include "zone/registry/hosted.h"
#include "zone/registry/names.h"
#include "zone/registry/requirements.h"

namespace dnsd::registry {

using model::Instance;
using model::InstanceEvent;
using model::Revision;

namespace {

std::unexpected<Refusal> no_service(const std::string& namespace_name, const std::string& name) {
    return refuse(Refusal::Kind::NotFound,
                  fmt::format("there is no service {} in {}", name, namespace_name));
}

std::unexpected<Refusal> no_instance(const std::string& service, const std::string& id) {
    return refuse(Refusal::Kind::NotFound,
                  fmt::format("there is no instance {} of service {}", id, service));
}

std::size_t live_count(const Service& service) {
    return static_cast<std::size_t>(
        std::ranges::count_if(service.instances, [](const auto& i) { return !i->drain; }));
}

}  // namespace

std::string shown_status(const Instance& instance) {
    return instance.drain ? "draining" : std::string(model::print(instance.status));
}

bool asks_the_same(model::Check a, const model::Check& b) {
    a.interval = b.interval;
    a.timeout = b.timeout;
    a.connect_timeout = b.connect_timeout;
    a.rise = b.rise;
    a.fall = b.fall;
    a.lease_ttl = b.lease_ttl;
    a.initial_status = b.initial_status;
    return a == b;
}

Draft::Draft(std::shared_ptr<const State> from, Rules rules, WallTime now)
    : state_(*from), rules_(std::move(rules)), now_(now) {}

Outcome Draft::apply(const Change& change, WallTime submitted) {
    submitted_ = submitted;
    return std::visit(
        [&](const auto& what) -> Outcome {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, Heartbeat> || std::is_same_v<What, Reconfirm> ||
                          std::is_same_v<What, Report>) {
                DNSD_ASSERT(false);  // the checker is asked, not the draft
            } else {
                return apply_to(what, change);
            }
        },
        change.what);
}

// ---- namespaces

Outcome Draft::apply_to(const PutNamespace& put, const Change& change) {
    const model::NamespaceSpec& spec = put.spec;
    const Namespace* current = state_.find_namespace(spec.name);
    if (auto refusal =
            precondition(change, current ? std::optional(current->revision) : std::nullopt))
        return std::unexpected(*refusal);
    if (current && current->spec == spec) return unchanged(current->revision);
    if (current && current->spec.dns != spec.dns)
        return refuse(Refusal::Kind::Unprocessable, "a namespace cannot gain or lose its zone",
                      {{"/dns", "stays as it was when the namespace was made"}});
    if (!current) {
        if (auto taken = taken_by_parent(state_, spec))
            return refuse(Refusal::Kind::Conflict, std::move(*taken));
    }

    if (current && spec.is_secondary() && !current->services.empty())
        return refuse(Refusal::Kind::Conflict,
                      fmt::format("namespace {} holds {} services: a secondary holds what its "
                                  "primary does",
                                  spec.name, current->services.size()),
                      {{"/primaries", "must be empty while services are inside"}});

    const bool created = current == nullptr;
    const bool ttl_moved = current && current->spec.ttl != spec.ttl;
    Namespace& within = namespace_for_write(spec.name);
    change_role(within, spec);
    within.spec = spec;
    if (ttl_moved) {  // services that have no TTL of their own take the namespace's
        std::vector<std::string> names;
        within.services.for_each(
            [&](const std::string& name, const auto&) { names.push_back(name); });
        for (std::string& name : names) service_for_write({spec.name, std::move(name)});
    }
    within.revision = happened("namespace_put", spec.name, "").revision;
    return applied(within.revision, created);
}

Outcome Draft::apply_to(const DeleteNamespace& del, const Change& change) {
    const Namespace* current = state_.find_namespace(del.name);
    if (!current) return no_namespace(del.name);
    if (auto refusal = precondition(change, current->revision)) return std::unexpected(*refusal);
    if (!current->services.empty())
        return refuse(Refusal::Kind::Conflict,
                      fmt::format("namespace {} is in use: {} services are in it", del.name,
                                  current->services.size()));
    leave_namespace(del.name);
    return applied(happened("namespace_deleted", del.name, "").revision);
}

// ---- services

Outcome Draft::apply_to(const PutService& put, const Change& change) {
    const model::ServiceSpec& spec = put.spec;
    const Namespace* within = state_.find_namespace(spec.namespace_name);
    if (!within) return no_namespace(spec.namespace_name);
    const Service* current = state_.find_service(spec.namespace_name, spec.name);
    if (auto refusal =
            precondition(change, current ? std::optional(current->revision) : std::nullopt))
        return std::unexpected(*refusal);
    if (current && current->spec == spec) return unchanged(current->revision);
    if (auto refusal = judge_secondary(*within)) return std::unexpected(*refusal);
    if (within->spec.dns) {
        if (auto refusal = judge_name(*within, spec.name, "/name", spec.name, ""))
            return std::unexpected(*refusal);
        if (const auto srv = srv_name(spec)) {
            if (auto refusal = judge_name(*within, *srv, "/protocol", spec.name, ""))
                return std::unexpected(*refusal);
        }
    }
    if (current) {
        for (const auto& instance : current->instances) {
            if (instance->drain) continue;
            const auto errors = requirements(within->spec, spec, instance->spec);
            if (!errors.empty())
                return refuse(Refusal::Kind::Unprocessable,
                              fmt::format("instance {} would not fit: {} {}", instance->spec.id,
                                          errors[0].pointer, errors[0].detail),
                              {{is_of_check(errors[0]) ? "/check" : "/record_types",
                                "the instances that are there must be able to fill it"}});
        }
    }

    const bool created = current == nullptr;
    const bool other_question = current && !asks_the_same(current->spec.check, spec.check);
    const ServiceKey key{spec.namespace_name, spec.name};
    Service& service = service_for_write(key);
    service.spec = spec;
    model::Event& event = happened("service_put", spec.namespace_name, spec.name);
    service.revision = event.revision;
    if (other_question) {
        for (auto& instance : service.instances) {
            if (instance->drain) continue;
            Instance next = *instance;
            begin_belief(spec.check, next);
            if (next.status != instance->status) {
                next.health_revision = service.health_revision = event.revision;
                event.instances.push_back(
                    {next.spec.id, shown_status(next), shown_status(*instance)});
            }
            instance = std::make_shared<const Instance>(std::move(next));
        }
    }
    return applied(service.revision, created);
}

Outcome Draft::apply_to(const DeleteService& del, const Change& change) {
    if (!state_.find_namespace(del.namespace_name)) return no_namespace(del.namespace_name);
    const Service* current = state_.find_service(del.namespace_name, del.name);
    if (!current) return no_service(del.namespace_name, del.name);
    if (auto refusal = precondition(change, current->revision)) return std::unexpected(*refusal);
    if (const std::size_t live = live_count(*current))
        return refuse(Refusal::Kind::Conflict,
                      fmt::format("service {} is in use: it has {} instances", del.name, live));
    if (!current->instances.empty()) {
        // Without the service its instances' own names would go, while SRVs in caches still name
        // them.
        WallTime last{};
        for (const auto& instance : current->instances)
            last = std::max(last, instance->drain->safe_after);
        return refuse(Refusal::Kind::Conflict,
                      fmt::format("service {} is in use: its last instance drains until {}",
                                  del.name, print_time(last)));
    }
    const ServiceKey key{del.namespace_name, del.name};
    leave_service(key);
    return applied(happened("service_deleted", del.namespace_name, del.name).revision);
}

// ---- instances

Outcome Draft::apply_to(const PutInstance& put_one, const Change& change) {
    const Namespace* within = state_.find_namespace(put_one.namespace_name);
    if (!within) return no_namespace(put_one.namespace_name);
    const Service* current = state_.find_service(put_one.namespace_name, put_one.service);
    if (!current) return no_service(put_one.namespace_name, put_one.service);
    const Instance* there = current->find(put_one.spec.id);
    if (auto refusal = precondition(change, there ? std::optional(there->revision) : std::nullopt))
        return std::unexpected(*refusal);
    if (there && !there->drain && there->spec == put_one.spec) return unchanged(there->revision);
    if (auto refusal = judge(*within, *current, put_one.spec)) return std::unexpected(*refusal);
    if (!there || there->drain) {
        if (live_count(*current) >= rules_.instances_per_service_max)
            return refuse(Refusal::Kind::Unprocessable,
                          fmt::format("a service has at most {} instances",
                                      rules_.instances_per_service_max));
    }

    const bool created = there == nullptr;
    Service& service = service_for_write({put_one.namespace_name, put_one.service});
    model::Event& event = happened("registered", put_one.namespace_name, put_one.service);
    service.revision = event.revision;
    event.instances.push_back(
        put(service, *state_.find_namespace(put_one.namespace_name), put_one.spec, event.revision));
    return applied(event.revision, created);
}

Outcome Draft::apply_to(const PutInstances& all, const Change& change) {
    const Namespace* within = state_.find_namespace(all.namespace_name);
    if (!within) return no_namespace(all.namespace_name);
    const Service* current = state_.find_service(all.namespace_name, all.service);
    if (!current) return no_service(all.namespace_name, all.service);
    if (auto refusal = precondition(change, current->revision)) return std::unexpected(*refusal);
    if (all.specs.size() > rules_.instances_per_service_max)
        return refuse(
            Refusal::Kind::Unprocessable,
            fmt::format("a service has at most {} instances", rules_.instances_per_service_max),
            {{"/instances", "too many"}});

    std::set<std::string_view> ids;
    for (std::size_t i = 0; i < all.specs.size(); ++i) {
        const std::string at = fmt::format("/instances/{}", i);
        if (!ids.insert(all.specs[i].id).second)
            return refuse(Refusal::Kind::Unprocessable, "an id stands for one instance",
                          {{at + "/id", "the same as that of another element"}});
        if (auto refusal = judge(*within, *current, all.specs[i])) {
            for (model::FieldError& error : refusal->errors) error.pointer.insert(0, at);
            return std::unexpected(*refusal);
        }
    }
    if (within->spec.dns) {  // two new ids may claim one name
        std::map<std::string, std::size_t> labels;
        for (std::size_t i = 0; i < all.specs.size(); ++i) {
            const auto [first, fresh] = labels.emplace(model::instance_label(all.specs[i].id), i);
            if (!fresh)
                return refuse(Refusal::Kind::Conflict,
                              fmt::format("instances {} and {} have the same name",
                                          all.specs[first->second].id, all.specs[i].id),
                              {{fmt::format("/instances/{}/id", i), "its name is taken"}});
        }
    }
    std::vector<const model::InstanceSpec*> puts;
    for (const model::InstanceSpec& spec : all.specs) {
        const Instance* there = current->find(spec.id);
        if (!there || there->drain || there->spec != spec) puts.push_back(&spec);
    }
    std::vector<std::string> missing;
    for (const auto& instance : current->instances) {
        if (!instance->drain && !ids.contains(instance->spec.id))
            missing.push_back(instance->spec.id);
    }
    if (puts.empty() && missing.empty()) return unchanged(current->revision);

    const ServiceKey key{all.namespace_name, all.service};
    Service& service = service_for_write(key);
    model::Event& event =
        happened(puts.empty() ? "deregistered" : "registered", all.namespace_name, all.service);
    service.revision = event.revision;
    for (const std::string& id : missing) {
        const auto at = position(service.instances, id) - service.instances.cbegin();
        event.instances.push_back(
            drain(key, service, static_cast<std::size_t>(at), event.revision));
    }
    for (const model::InstanceSpec* spec : puts)
        event.instances.push_back(
            put(service, *state_.find_namespace(all.namespace_name), *spec, event.revision));
    return applied(event.revision);
}

Outcome Draft::apply_to(const DeleteInstance& del, const Change& change) {
    if (!state_.find_namespace(del.namespace_name)) return no_namespace(del.namespace_name);
    const Service* current = state_.find_service(del.namespace_name, del.service);
    if (!current) return no_service(del.namespace_name, del.service);
    const Instance* there = current->find(del.id);
    if (!there) return no_instance(del.service, del.id);
    if (auto refusal = precondition(change, there->revision)) return std::unexpected(*refusal);
    if (there->drain) return unchanged(there->drain->revision);

    const ServiceKey key{del.namespace_name, del.service};
    Service& service = service_for_write(key);
    model::Event& event = happened("deregistered", del.namespace_name, del.service);
    service.revision = event.revision;
    const auto at = position(service.instances, del.id) - service.instances.cbegin();
    event.instances.push_back(drain(key, service, static_cast<std::size_t>(at), event.revision));
    return applied(event.revision);
}

Outcome Draft::apply_to(const SetHealth& set, const Change& change) {
    if (!state_.find_namespace(set.namespace_name)) return no_namespace(set.namespace_name);
    const Service* current = state_.find_service(set.namespace_name, set.service);
    if (!current) return no_service(set.namespace_name, set.service);
    const Instance* there = current->find(set.id);
    if (!there) return no_instance(set.service, set.id);
    if (auto refusal = precondition(change, there->revision)) return std::unexpected(*refusal);
    if (auto refusal = judge_set_health(*current, *there)) return std::unexpected(*refusal);
    if (there->status == set.status) return unchanged(there->index());

    Service& service = service_for_write({set.namespace_name, set.service});
    model::Event& event = happened("custom_health", set.namespace_name, set.service);
    event.times.detected = submitted_;
    auto& at = service.instances[static_cast<std::size_t>(position(service.instances, set.id) -
                                                          service.instances.cbegin())];
    Instance next = *at;
    change_belief(next, set.status, now_);
    next.health_revision = service.health_revision = event.revision;
    event.instances.push_back({set.id, shown_status(next), shown_status(*at)});
    at = std::make_shared<const Instance>(std::move(next));
    return applied(event.revision);
}

void Draft::apply(const Verdict& verdict, WallTime submitted) {
    submitted_ = submitted;
    // Verdicts come by thousands, those of one service together: what was touched is at hand.
    const auto touched = services_.find(verdict.key);
    const Service* current =
        touched != services_.end() && touched->second.writable
            ? touched->second.writable.get()
            : state_.find_service(verdict.key.namespace_name, verdict.key.service);
    const Instance* there = current ? current->find(verdict.id) : nullptr;
    if (!there || there->drain) return;
    if (there->status == verdict.status && !there->awaits_verdict) return;

    Service& service = service_for_write(verdict.key);
    auto& at = service.instances[static_cast<std::size_t>(position(service.instances, verdict.id) -
                                                          service.instances.cbegin())];
    Instance next = *at;
    if (next.status == verdict.status) {  // it began with the right belief
        next.awaits_verdict = false;
    } else {
        model::Event& event = happened("health", verdict.key.namespace_name, verdict.key.service);
        event.times.detected = verdict.detected;
        event.probes = verdict.probes;
        change_belief(next, verdict.status, verdict.detected);
        next.health_revision = service.health_revision = event.revision;
        event.instances.push_back({verdict.id, shown_status(next), shown_status(*at)});
    }
    at = std::make_shared<const Instance>(std::move(next));
}

void Draft::time_passed(const ServiceKey& key) {
    submitted_ = now_;
    const Service* current = state_.find_service(key.namespace_name, key.service);
    if (!current) return;
    touch(key);
    const auto is_over = [&](const auto& i) { return i->drain && i->drain->safe_after <= now_; };
    if (std::ranges::none_of(current->instances, is_over)) return;

    Service& service = service_for_write(key);
    model::Event& event = happened("drain_ended", key.namespace_name, key.service);
    service.health_revision = event.revision;
    for (const auto& instance : service.instances) {
        if (is_over(instance))
            event.instances.push_back({instance->spec.id, "deregistered", "draining"});
    }
    std::erase_if(service.instances, is_over);
}

void Draft::answers_moved(const ServiceKey& key) {
    submitted_ = now_;
    happened("policy", key.namespace_name, key.service);
}

// ---- what they share

void Draft::leave_namespace(const std::string& name) {
    namespace_for_write(name);
    namespaces_[name].writable = nullptr;
    state_.namespaces.erase(name);
}

void Draft::leave_service(const ServiceKey& key) {
    touch(key).writable = nullptr;
    namespace_for_write(key.namespace_name).services.erase(key.service);
}

// Whether `relative` may be the name of `service` (of its `instance`, if that is not empty).
std::optional<Refusal> Draft::judge_name(const Namespace& within, std::string_view relative,
                                         std::string_view pointer, std::string_view service,
                                         std::string_view instance) const {
    const auto apex = wire::Name::parse(within.spec.name);
    DNSD_ASSERT(apex);  // judged when the namespace was made
    const auto name = owner_name(relative, *apex);
    if (!name) {
        // A service may go without its _service._proto name, not without its own.
        if (pointer == "/protocol") return std::nullopt;
        return Refusal{Refusal::Kind::Unprocessable,
                       "its name in the zone breaks a limit of DNS",
                       {{std::string(pointer), "label of 63 octets or name of 255 exceeded"}}};
    }
    if (const auto owner = find_owner(within, relative);
        owner && *owner != Owner{std::string(service), std::string(instance)} &&
        !(instance.empty() && owner->service == service && owner->instance.empty()))
        return Refusal{Refusal::Kind::Conflict,
                       fmt::format("{} is the name of {}", full_name(relative, within.spec.name),
                                   print(*owner)),
                       {{std::string(pointer), "the name is taken"}}};
    if (const auto taken = taken_by_records(within, *name))
        return Refusal{
            Refusal::Kind::Conflict, *taken, {{std::string(pointer), "the name is taken"}}};
    if (const auto zone = zone_between(state_, *name, *apex))
        return Refusal{
            Refusal::Kind::Conflict,
            fmt::format("{} is in namespace {}", full_name(relative, within.spec.name), *zone),
            {{std::string(pointer), "the name is taken"}}};
    return std::nullopt;
}

std::optional<Refusal> Draft::judge(const Namespace& within, const Service& service,
                                    const model::InstanceSpec& spec) const {
    if (auto errors = requirements(within.spec, service.spec, spec); !errors.empty())
        return Refusal{
            Refusal::Kind::Unprocessable,
            fmt::format("the records or the check of service {} need more", service.spec.name),
            std::move(errors)};
    const Instance* there = service.find(spec.id);
    if (!within.spec.dns || there) return std::nullopt;  // its name was judged when it came
    return judge_name(within, instance_name(service.spec.name, spec.id), "/id", service.spec.name,
                      spec.id);
}

// Registers, changes or revives. Health survives unless another endpoint stands behind the id.
InstanceEvent Draft::put(Service& service, const Namespace& within, const model::InstanceSpec& spec,
                         Revision revision) {
    const auto at = position(service.instances, spec.id);
    const auto index = static_cast<std::size_t>(at - service.instances.cbegin());
    const bool there = at != service.instances.cend() && (*at)->spec.id == spec.id;
    Instance next;
    std::string was = "none";
    bool begins = true;
    if (there) {
        next = **at;
        was = shown_status(next);
        begins = next.spec.ipv4 != spec.ipv4 || next.spec.ipv6 != spec.ipv6 ||
                 next.spec.port != spec.port;
    } else {
        next.registered = now_;
        if (within.spec.dns)
            next.dns_name = full_name(instance_name(service.spec.name, spec.id), within.spec.name);
    }
    next.spec = spec;
    next.revision = revision;
    next.drain.reset();
    if (begins) begin_belief(service.spec.check, next);
    InstanceEvent event{spec.id, shown_status(next), was};
    if (there && event.status != was) next.health_revision = service.health_revision = revision;
    auto made = std::make_shared<const Instance>(std::move(next));
    if (there) {
        service.instances[index] = std::move(made);
    } else {
        service.instances.insert(service.instances.begin() + static_cast<std::ptrdiff_t>(index),
                                 std::move(made));
    }
    return event;
}

InstanceEvent Draft::drain(const ServiceKey& key, Service& service, std::size_t at,
                           Revision revision) {
    Instance next = *service.instances[at];
    InstanceEvent event{next.spec.id, "draining", shown_status(next)};
    next.revision = revision;
    next.drain = model::Drain{now_, rules_.surely_safe_after(key), revision};
    service.instances[at] = std::make_shared<const Instance>(std::move(next));
    return event;
}

void Draft::begin_belief(const model::Check& check, Instance& instance) const {
    instance.status =
        check.type == model::CheckType::None ? model::HealthStatus::Unknown : check.initial_status;
    instance.awaits_verdict =
        model::is_probing(check.type) || check.type == model::CheckType::Lease;
    instance.status_since = now_;
    instance.healthy_last.reset();
}

void Draft::change_belief(Instance& instance, model::HealthStatus status, WallTime since) {
    if (instance.status == model::HealthStatus::Healthy) instance.healthy_last = since;
    instance.status = status;
    instance.awaits_verdict = false;
    instance.status_since = since;
}

void Draft::settle(const ServiceKey& key, const std::string& id, WallTime safe_after) {
    Service& service = service_for_write(key);
    auto& at = service.instances[static_cast<std::size_t>(position(service.instances, id) -
                                                          service.instances.cbegin())];
    Instance next = *at;
    DNSD_ASSERT(next.drain);
    next.drain->safe_after = safe_after;
    at = std::make_shared<const Instance>(std::move(next));
}

Namespace& Draft::namespace_for_write(const std::string& name) {
    const auto* current = state_.namespaces.find(name);
    auto at = namespaces_.find(name);
    if (at == namespaces_.end())
        at = namespaces_.emplace(name, TouchedNamespace{current ? *current : nullptr, nullptr})
                 .first;
    TouchedNamespace& touched = at->second;
    if (!touched.writable) {
        touched.writable =
            current ? std::make_shared<Namespace>(**current) : std::make_shared<Namespace>();
        state_.namespaces.set(name, touched.writable);
    }
    return *touched.writable;
}

Service& Draft::service_for_write(const ServiceKey& key) {
    TouchedService& touched = touch(key);
    if (!touched.writable) {
        const Service* current = state_.find_service(key.namespace_name, key.service);
        touched.writable =
            current ? std::make_shared<Service>(*current) : std::make_shared<Service>();
        namespace_for_write(key.namespace_name).services.set(key.service, touched.writable);
    }
    return *touched.writable;
}

Draft::TouchedService& Draft::touch(const ServiceKey& key) {
    const auto at = services_.lower_bound(key);
    if (at != services_.end() && at->first == key) return at->second;
    const Namespace* within = state_.find_namespace(key.namespace_name);
    const auto* current = within ? within->services.find(key.service) : nullptr;
    return services_.emplace_hint(at, key, TouchedService{current ? *current : nullptr, nullptr})
        ->second;
}

model::Event& Draft::happened(std::string cause, std::string namespace_name, std::string service) {
    model::Event& event = events_.emplace_back();
    event.revision = ++state_.revision;
    event.cause = std::move(cause);
    event.namespace_name = std::move(namespace_name);
    event.service = std::move(service);
    event.times.submitted = submitted_;
    return event;
}

}  // namespace dnsd::registry
