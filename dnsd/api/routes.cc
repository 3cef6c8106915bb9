#include "dnsd/api/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "dnsd/api/handlers.h"

namespace dnsd::api {

namespace {

const std::vector<Parameter> paging = {
    {"limit", "At most so many items, 1 to 10000; 1000 if it is not given"},
    {"page_token", "The last id of the page before, as next_page_token gave it"}};
const std::vector<Parameter> dry_run = {
    {"dry_run", "true: changes nothing, and answers whether it would create or change it"}};
const std::vector<Parameter> if_exists = {{"if_exists", "true: what is not there is no error"}};

const std::vector<Route>& routes() {
    using H = Handlers;
    static const std::vector<Route> table = {
        {"GET",
         "/v1/namespaces",
         Role::Read,
         &H::list_namespaces,
         "Lists namespaces",
         paging,
         "",
         "NamespaceList",
         {200, 400}},
        {"GET",
         "/v1/namespaces/{namespace}",
         Role::Read,
         &H::show_namespace,
         "Shows a namespace",
         {},
         "",
         "Namespace",
         {200, 404}},
        {"PUT",
         "/v1/namespaces/{namespace}",
         Role::Write,
         &H::put_namespace,
         "Creates or replaces a namespace",
         dry_run,
         "Namespace",
         "Namespace",
         {200, 201, 400, 409, 412, 415, 422, 503}},
        {"DELETE",
         "/v1/namespaces/{namespace}",
         Role::Write,
         &H::delete_namespace,
         "Deletes an empty namespace",
         if_exists,
         "",
         "Deleted",
         {200, 404, 409, 412, 503}},

        {"GET",
         "/v1/namespaces/{namespace}/services",
         Role::Read,
         &H::list_services,
         "Lists the services of a namespace",
         paging,
         "",
         "ServiceList",
         {200, 400, 404}},
        {"GET",
         "/v1/namespaces/{namespace}/services/{service}",
         Role::Read,
         &H::show_service,
         "Shows a service",
         {},
         "",
         "Service",
         {200, 404}},
        {"PUT",
         "/v1/namespaces/{namespace}/services/{service}",
         Role::Write,
         &H::put_service,
         "Creates or replaces a service",
         dry_run,
         "Service",
         "Service",
         {200, 201, 400, 404, 409, 412, 415, 422, 503}},
        {"DELETE",
         "/v1/namespaces/{namespace}/services/{service}",
         Role::Write,
         &H::delete_service,
         "Deletes a service without instances",
         if_exists,
         "",
         "Deleted",
         {200, 404, 409, 412, 503}},

        {"GET",
         "/v1/namespaces/{namespace}/services/{service}/instances",
         Role::Read,
         &H::list_instances,
         "Lists instances; with wait, as soon as one changes",
         {paging[0],
          paging[1],
          {"status", "Only those that are healthy, unhealthy, unknown or draining"},
          {"attributes.*", "Only those whose attribute has this value: attributes.az=a"},
          {"wait", "Seconds to wait for a change, at most 60"},
          {"after", "Waits until the index is larger; the index now, if it is not given"}},
         "",
         "InstanceList",
         {200, 400, 404}},
        {"PUT",
         "/v1/namespaces/{namespace}/services/{service}/instances",
         Role::Write,
         &H::put_instances,
         "Replaces the whole set of instances",
         {},
         "InstanceSet",
         "InstanceList",
         {200, 400, 404, 409, 412, 415, 422, 503}},
        {"GET",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
         Role::Read,
         &H::show_instance,
         "Shows an instance",
         {},
         "",
         "Instance",
         {200, 404}},
        {"PUT",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
         Role::Write,
         &H::put_instance,
         "Registers or changes an instance",
         dry_run,
         "Instance",
         "Instance",
         {200, 201, 400, 404, 409, 412, 415, 422, 503}},
        {"DELETE",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
         Role::Write,
         &H::delete_instance,
         "Deregisters an instance; it drains until safe_after",
         if_exists,
         "",
         "Deregistered",
         {200, 404, 412, 503}},
        {"PUT",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}/health",
         Role::Report,
         &H::put_health,
         "Sets the status, where the check is custom",
         {},
         "Health",
         "Instance",
         {200, 400, 404, 409, 415, 422, 503}},
        {"POST",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}/heartbeat",
         Role::Report,
         &H::heartbeat,
         "A sign of life, where the check is a lease",
         {},
         "",
         "Instance",
         {200, 404, 409, 503}},
        {"POST",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}/reconfirm",
         Role::Report,
         &H::reconfirm,
         "Has the instance probed at once",
         {{"wait", "1: answers with the verdict"}},
         "",
         "Verdict",
         {200, 202, 404, 409, 429, 503}},
        {"POST",
         "/v1/namespaces/{namespace}/services/{service}/instances/{instance}/report",
         Role::Report,
         &H::report,
         "Tells of calls to the instance; enough failures have it probed at once",
         {{"wait", "1: where it is probed, answers with the verdict"}},
         "Report",
         "Reported",
         {200, 202, 400, 404, 409, 415, 422, 503}},

        {"GET",
         "/v1/watch",
         Role::Read,
         &H::watch,
         "Streams changes as server-sent events",
         {{"namespace", "Only changes in it"}, {"service", "Only changes of it"}},
         "",
         "",
         {200, 400}},
        {"GET",
         "/v1/changes",
         Role::Read,
         &H::follow,
         "Streams all that decides an answer, for replicas",
         {{"heartbeat", "1: an event each second"},
          {"identity", "Of the store in which the Last-Event-ID was seen"}},
         "",
         "",
         {200, 400}},
        {"GET",
         "/v1/events",
         Role::Read,
         &H::list_events,
         "Lists what happened, newest first",
         {paging[0],
          paging[1],
          {"before", "Events before this revision"},
          {"after", "Events after this revision, oldest first"},
          {"namespace", "Only those in it"},
          {"service", "Only those of it"}},
         "",
         "EventList",
         {200, 400}},
        {"GET",
         "/v1/cache",
         Role::Read,
         &H::show_cache,
         "Shows what is kept of names outside our zones",
         {{"name", "The answers kept for this name; only totals, if it is not given"}},
         "",
         "Cache",
         {200, 400}},
        {"DELETE",
         "/v1/cache",
         Role::Write,
         &H::flush_cache,
         "Forgets a name's answers",
         {{"name", "The name; the root with subtree: everything"},
          {"type", "Only answers of this RR type"},
          {"subtree", "true: the names below it as well"}},
         "",
         "Flushed",
         {200, 400}},
        {"GET",
         "/v1/upstreams",
         Role::Read,
         &H::list_upstreams,
         "Lists the servers that names outside our zones are asked from",
         {},
         "",
         "UpstreamList",
         {200}},
        {"GET",
         "/v1/prometheus/sd",
         Role::Read,
         &H::list_targets,
         "Lists targets for the HTTP service discovery of Prometheus, whatever their health",
         {{"namespace", "Only those in it"}, {"service", "Only those of it"}},
         "",
         "TargetGroups",
         {200, 400}},
        {"POST",
         "/v3/discovery:endpoints",
         Role::Read,
         &H::discover_endpoints,
         "Tells an Envoy the endpoints of clusters, as soon as they change (EDS)",
         {},
         "DiscoveryRequest",
         "DiscoveryResponse",
         {200, 304, 400, 403, 415},
         Reach::Narrowed},
        {"POST",
         "/v3/discovery:clusters",
         Role::Read,
         &H::discover_clusters,
         "Tells an Envoy its clusters (CDS)",
         {},
         "DiscoveryRequest",
         "DiscoveryResponse",
         {200, 304, 400, 403, 415},
         Reach::Narrowed},
        {"POST",
         "/v3/discovery:routes",
         Role::Read,
         &H::discover_routes,
         "Tells an Envoy its routes (RDS)",
         {},
         "DiscoveryRequest",
         "DiscoveryResponse",
         {200, 304, 400, 403, 415},
         Reach::Narrowed},
        {"POST",
         "/v3/discovery:listeners",
         Role::Read,
         &H::discover_listeners,
         "Tells an Envoy its listeners (LDS)",
         {},
         "DiscoveryRequest",
         "DiscoveryResponse",
         {200, 304, 400, 403, 415},
         Reach::Narrowed},
        {"GET",
         "/v1/status",
         Role::Read,
         &H::show_status,
         "Shows what this server is and holds",
         {},
         "",
         "Status",
         {200}},
        {"GET",
         "/metrics",
         Role::Read,
         &H::show_metrics,
         "Metrics for Prometheus",
         {},
         "",
         "",
         {200}},
        {"GET",
         "/healthz",
         Role::None,
         &H::show_health,
         "Whether the process is alive",
         {},
         "",
         "Alive",
         {200}},
        {"GET",
         "/readyz",
         Role::None,
         &H::show_readiness,
         "Whether it answers and can be written to, and why not",
         {},
         "",
         "Readiness",
         {200, 503}},
        {"GET",
         "/openapi.json",
         Role::Read,
         &H::show_openapi,
         "This description",
         {},
         "",
         "",
         {200}},
    };
    return table;
}

// Nothing: the pattern is for other paths.
std::optional<std::vector<std::string>> match(std::string_view pattern,
                                              const std::vector<std::string_view>& path) {
    const auto segments = split(pattern, '/');
    if (segments.size() != path.size()) return std::nullopt;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (!segments[i].starts_with('{')) {
            if (segments[i] != path[i]) return std::nullopt;
            continue;
        }
        auto name = percent_decoded(path[i]);
        if (!name || name->empty()) return std::nullopt;
        names.push_back(std::move(*name));
    }
    return names;
}

}  // namespace

std::span<const Route> route_table() noexcept { return routes(); }

Result<Found, NotFound> find_route(const Request& request) {
    const auto path = split(request.path, '/');
    const std::string_view method =
        request.method == "HEAD" ? "GET" : std::string_view(request.method);
    std::string allow;
    for (const Route& route : routes()) {
        auto names = match(route.path, path);
        if (!names) continue;
        if (route.method == method) return Found{&route, std::move(*names)};
        if (!allow.empty()) allow += ", ";
        allow += route.method;
        if (route.method == "GET") allow += ", HEAD";
    }
    if (allow.empty())
        return std::unexpected(NotFound{
            {404,
             fmt::format("there is nothing at {}; /openapi.json says what there is", request.path)},
            ""});
    return std::unexpected(
        NotFound{{405, fmt::format("{} is not for this; {} is", request.method, allow)}, allow});
}

std::optional<Problem> judge_query(const Route& route, const Request& request) {
    std::set<std::string_view> seen;
    for (const auto& [name, value] : request.query) {
        const bool known = std::ranges::any_of(route.parameters, [&](const Parameter& parameter) {
            if (parameter.name == name) return true;
            return parameter.name.ends_with('*') &&
                   name.starts_with(parameter.name.substr(0, parameter.name.size() - 1));
        });
        if (!known) return Problem{400, fmt::format("there is no query parameter '{}' here", name)};
        if (!seen.insert(name).second)
            return Problem{400, fmt::format("the query parameter '{}' is there twice", name)};
    }
    return std::nullopt;
}

std::optional<std::string> Call::query(std::string_view name) const {
    for (const auto& [known, value] : request().query) {
        if (known == name) return value;
    }
    return std::nullopt;
}

bool Call::flag(std::string_view name) const {
    const auto value = query(name);
    return value && (value->empty() || *value == "true" || *value == "1");
}

}  // namespace dnsd::api
