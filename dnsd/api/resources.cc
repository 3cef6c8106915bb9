// Namespaces, services, instances, and what is said of an instance's health.
#include <fmt/format.h>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/handlers.h"
#include "dnsd/api/listing.h"
#include "dnsd/api/replies.h"
#include "zone/registry/hosted.h"

namespace dnsd::api {

using registry::Applied;
using registry::Change;

namespace {

constexpr double wait_seconds_max = 60;

Problem no_namespace(const std::string& name) {
    return {404, fmt::format("there is no namespace {}", name)};
}

Problem no_service(const std::string& namespace_name, const std::string& name) {
    return {404, fmt::format("there is no service {} in {}", name, namespace_name)};
}

Problem no_instance(const std::string& service, const std::string& id) {
    return {404, fmt::format("there is no instance {} of service {}", id, service)};
}

}  // namespace

// ---- namespaces

void Handlers::list_namespaces(const Call& call) {
    const auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    const registry::State& state = state_.latest();
    Page page("namespaces", *listing);
    state.namespaces.for_each_after(listing->after, [&](const std::string& name, const auto& one) {
        return page.add(name, print(*one));
    });
    call.reply({200, page.print(fmt::format(R"("revision":{})", state.revision))});
}

void Handlers::show_namespace(const Call& call) {
    const std::string name = namespace_name(call);
    const registry::Namespace* within = state_.latest().find_namespace(name);
    if (!within) return call.refuse(no_namespace(name));
    call.reply(with_etag(print(*within), within->revision));
}

void Handlers::put_namespace(const Call& call) {
    const std::string name = namespace_name(call);
    auto spec = namespace_wanted(call, name);
    if (!spec) return call.refuse(spec.error());
    put_namespace(call, std::move(*spec));
}

Result<model::NamespaceSpec, Problem> Handlers::namespace_wanted(const Call& call,
                                                                 const std::string& name) {
    model::Defaults defaults = surroundings_.defaults;
    const registry::Namespace* there = state_.latest().find_namespace(name);
    if (there && registry::has_own_apex(*there)) defaults.negative_ttl = there->spec.negative_ttl;
    return decode_namespace(call.request().body, name, defaults);
}

void Handlers::put_namespace(const Call& call, model::NamespaceSpec spec) {
    const std::string name = spec.name;
    if (call.flag("dry_run")) {
        const registry::Namespace* there = state_.latest().find_namespace(name);
        return call.reply(would(there ? &there->spec : nullptr, spec));
    }
    warn_of_zero_ttl(spec.ttl == 0);
    submit(call, Change{.what = registry::PutNamespace{std::move(spec)}, .if_match = {}},
           [name](const Applied& applied) {
               const registry::Namespace* within = applied.state->find_namespace(name);
               if (!within) return gone_again();
               return with_etag(print(*within), applied.revision, applied.created);
           });
}

void Handlers::delete_namespace(const Call& call) {
    submit(call, Change{.what = registry::DeleteNamespace{namespace_name(call)}, .if_match = {}},
           deleted);
}

// ---- services

void Handlers::list_services(const Call& call) {
    const auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    const std::string name = namespace_name(call);
    const registry::State& state = state_.latest();
    const registry::Namespace* within = state.find_namespace(name);
    if (!within) return call.refuse(no_namespace(name));
    Page page("services", *listing);
    within->services.for_each_after(listing->after, [&](const std::string& key, const auto& one) {
        return page.add(key, print(*within, *one));
    });
    call.reply({200, page.print(fmt::format(R"("revision":{})", state.revision))});
}

void Handlers::show_service(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    const registry::State& state = state_.latest();
    const registry::Service* service = state.find_service(within, name);
    if (!service) return call.refuse(no_service(within, name));
    call.reply(with_etag(print(*state.find_namespace(within), *service), service->revision));
}

void Handlers::put_service(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    auto spec = decode_service(call.request().body, within, name, surroundings_.defaults);
    if (!spec) return call.refuse(spec.error());
    if (call.flag("dry_run")) {
        const registry::State& state = state_.latest();
        if (!state.find_namespace(within)) return call.refuse(no_namespace(within));
        const registry::Service* there = state.find_service(within, name);
        return call.reply(would(there ? &there->spec : nullptr, *spec));
    }
    warn_of_zero_ttl(spec->ttl.a == 0u || spec->ttl.aaaa == 0u || spec->ttl.srv == 0u);
    submit(call, Change{.what = registry::PutService{std::move(*spec)}, .if_match = {}},
           [within, name](const Applied& applied) {
               const registry::Service* service = applied.state->find_service(within, name);
               if (!service) return gone_again();
               return with_etag(print(*applied.state->find_namespace(within), *service),
                                applied.revision, applied.created);
           });
}

void Handlers::delete_service(const Call& call) {
    submit(call,
           Change{.what = registry::DeleteService{namespace_name(call), service_name(call)},
                  .if_match = {}},
           deleted);
}

// ---- instances

void Handlers::list_instances(const Call& call) {
    auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    registry::ServiceKey key{namespace_name(call), service_name(call)};
    const registry::State& state = state_.latest();
    const registry::Service* service = state.find_service(key.namespace_name, key.service);
    if (!service) return call.refuse(no_service(key.namespace_name, key.service));

    const auto after_text = call.query("after"), wait_text = call.query("wait");
    const auto after = after_text ? parse_unsigned(*after_text) : service->index();
    if (!after) return call.refuse({400, "after must be an index, as a reply told it"});
    double wait = 0;
    if (wait_text) {
        char* end = nullptr;
        wait = std::strtod(wait_text->c_str(), &end);
        if (wait_text->empty() || *end != '\0' || !(wait >= 0 && wait <= wait_seconds_max))
            return call.refuse({400, "wait must be a number of seconds from 0 to 60"});
    }
    const bool reset = *after > state.revision;
    if (wait > 0 && !reset && service->index() <= *after) {
        waiters_.add(call, std::move(key), std::move(*listing), *after,
                     std::chrono::round<Milliseconds>(std::chrono::duration<double>(wait)));
        return;
    }
    call.reply(with_etag(print_instances(*service, *listing, reset), service->revision));
}

void Handlers::put_instances(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    auto specs = decode_instances(call.request().body);
    if (!specs) return call.refuse(specs.error());
    submit(call,
           Change{.what = registry::PutInstances{within, name, std::move(*specs)}, .if_match = {}},
           [within, name](const Applied& applied) {
               const registry::Service* service = applied.state->find_service(within, name);
               if (!service) return gone_again();
               Listing all;
               all.limit = Listing::limit_max;
               return with_etag(print_instances(*service, all, false), applied.revision);
           });
}

void Handlers::show_instance(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    const registry::Service* service = state_.latest().find_service(within, name);
    if (!service) return call.refuse(no_service(within, name));
    const model::Instance* instance = service->find(call.names[2]);
    if (!instance) return call.refuse(no_instance(name, call.names[2]));
    call.reply(with_etag(print(*instance), instance->revision));
}

namespace {

// Shows the instance as the reply to what was done to it.
auto render_instance(std::string within, std::string service, std::string id) {
    return [within = std::move(within), service = std::move(service),
            id = std::move(id)](const Applied& applied) {
        const registry::Service* found = applied.state->find_service(within, service);
        const model::Instance* instance = found ? found->find(id) : nullptr;
        if (!instance) return gone_again();
        return with_etag(print(*instance), instance->revision, applied.created);
    };
}

}  // namespace

void Handlers::put_instance(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    auto spec = decode_instance(call.request().body, call.names[2]);
    if (!spec) return call.refuse(spec.error());
    if (call.flag("dry_run")) {
        const registry::Service* service = state_.latest().find_service(within, name);
        if (!service) return call.refuse(no_service(within, name));
        const model::Instance* there = service->find(call.names[2]);
        return call.reply(would(there && !there->drain ? &there->spec : nullptr, *spec));
    }
    submit(call,
           Change{.what = registry::PutInstance{within, name, std::move(*spec)}, .if_match = {}},
           render_instance(within, name, call.names[2]));
}

void Handlers::delete_instance(const Call& call) {
    submit(call,
           Change{.what = registry::DeleteInstance{namespace_name(call), service_name(call),
                                                   call.names[2]},
                  .if_match = {}},
           [](const Applied& applied) {
               return Reply{200, fmt::format(R"({{"revision":{},"safe_after":"{}"}})",
                                             applied.revision, print_time(*applied.safe_after))};
           });
}

void Handlers::put_health(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    const auto status = decode_health(call.request().body);
    if (!status) return call.refuse(status.error());
    submit(
        call,
        Change{.what = registry::SetHealth{within, name, call.names[2], *status}, .if_match = {}},
        render_instance(within, name, call.names[2]));
}

void Handlers::heartbeat(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    submit(call, Change{.what = registry::Heartbeat{within, name, call.names[2]}, .if_match = {}},
           render_instance(within, name, call.names[2]));
}

void Handlers::reconfirm(const Call& call) {
    const std::string within = namespace_name(call), name = service_name(call);
    const bool wait = call.flag("wait");
    submit(call,
           Change{.what = registry::Reconfirm{within, name, call.names[2], wait}, .if_match = {}},
           [](const Applied& applied) {
               if (!applied.verdict) return Reply{202, R"({"status":null})"};
               return Reply{200,
                            fmt::format(R"({{"status":"{}"}})", model::print(*applied.verdict))};
           });
}

void Handlers::report(const Call& call) {
    auto report = decode_report(call.request().body);
    if (!report) return call.refuse(report.error());
    report->namespace_name = namespace_name(call);
    report->service = service_name(call);
    report->id = call.names[2];
    report->wait = call.flag("wait");
    submit(call, Change{.what = std::move(*report), .if_match = {}}, [](const Applied& applied) {
        const registry::Reported& heard = *applied.reported;
        std::string body = fmt::format(R"({{"failures_in_window":{},"threshold":{},"reconfirm":{})",
                                       heard.failures, heard.threshold, heard.reconfirm);
        if (!applied.verdict) return Reply{202, body + '}'};
        return Reply{200, fmt::format(R"({},"status":"{}"}})", body, print(*applied.verdict))};
    });
}

}  // namespace dnsd::api
