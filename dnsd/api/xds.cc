#include "dnsd/api/xds.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "dnsd/api/codec.h"
#include "zone/registry/answerable.h"
#include "zone/registry/names.h"

namespace dnsd::api {

namespace {

using model::Instance;
using registry::Service;
using registry::State;

constexpr std::string_view http_listener = "outbound_http";

// Where Envoy asks for what a resource refers to: the static cluster `dnsd` of its bootstrap. It
// asks again between refresh_delay and twice that after each answer, and after a failure; the
// request timeout leaves room above the longest hold.
constexpr std::string_view config_source =
    R"({"resource_api_version":"V3","initial_fetch_timeout":"2s","api_config_source":)"
    R"({"api_type":"REST","transport_api_version":"V3","cluster_names":["dnsd"],)"
    R"("refresh_delay":"0.2s","request_timeout":"30s"}})";

// Members are removed when dnsd's verdict falls, so panic must not bring them back. Until then
// Envoy's own eyes help: five requests in a row that did not reach the member, or were answered
// by a gateway that did not, put it aside for seconds, not for the half a minute that is the
// default and outlives a restart. What the application answers itself does not count. Hosts that
// go and come are taken at once, not merged in a window of a second.
constexpr std::string_view cluster_settings =
    R"("connect_timeout":"1s","lb_policy":"ROUND_ROBIN",)"
    R"("common_lb_config":{"update_merge_window":"0s"},)"
    R"("circuit_breakers":{"thresholds":[{"retry_budget":{"budget_percent":{"value":25},)"
    R"("min_retry_concurrency":100}}]},)"
    R"("outlier_detection":{"consecutive_5xx":5,"enforcing_consecutive_5xx":0,)"
    R"("consecutive_gateway_failure":5,"enforcing_consecutive_gateway_failure":100,)"
    R"("enforcing_success_rate":0,"interval":"1s","base_ejection_time":"3s",)"
    R"("max_ejection_time":"10s","max_ejection_percent":50})";

// A request is tried elsewhere if no member can have seen it, and one that changes nothing also
// where a member began to answer and died (RFC 9110 §9.2.1). A cluster that is not there (yet, or
// any more) is answered as a name that nobody knows.
std::string route(std::string_view match, std::string_view retry_on, std::string_view cluster) {
    return fmt::format(
        R"({{"match":{{"prefix":"/"{}}},"route":{{"cluster":{},"timeout":"15s",)"
        R"("cluster_not_found_response_code":"NOT_FOUND","retry_policy":{{"retry_on":"{}",)"
        R"("num_retries":2,"host_selection_retry_max_attempts":3,"retry_host_predicate":[)"
        R"({{"name":"envoy.retry_host_predicates.previous_hosts","typed_config":{{"@type":)"
        R"("type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")"
        R"(}}}}]}}}}}})",
        match, quoted_json(cluster), retry_on);
}

constexpr std::string_view safe_methods =
    R"(,"headers":[{"name":":method","string_match":{"safe_regex":{"regex":"GET|HEAD|OPTIONS"}}}])";

// Instances whose weight is 0 are for when nothing else is left; Envoy knows no weight 0, and
// refuses the whole update for one.
std::vector<const Instance*> weighed(std::vector<const Instance*> instances) {
    const auto has_weight = [](const Instance* i) { return i->spec.weight > 0; };
    if (std::ranges::any_of(instances, has_weight))
        std::erase_if(instances, std::not_fn(has_weight));
    return instances;
}

std::string endpoint(const Instance& instance) {
    const std::string address =
        instance.spec.ipv4 ? print(*instance.spec.ipv4) : print(*instance.spec.ipv6);
    return fmt::format(
        R"({{"endpoint":{{"address":{{"socket_address":{{"address":"{}","port_value":{}}}}}}},)"
        R"("load_balancing_weight":{}}})",
        address, *instance.spec.port, std::max<unsigned>(instance.spec.weight, 1));
}

class Resources {
  public:
    explicit Resources(XdsType type) : type_(type) {}

    // `fields`: of the resource, behind its type.
    void add(std::string_view fields) {
        text_ += fmt::format(R"({}{{"@type":"{}",{}}})", text_.empty() ? "" : ",",
                             type_url_of(type_), fields);
    }
    XdsAnswer answer(std::size_t without_port = 0) const {
        const std::string version = fmt::format("{:016x}", XXH3_64bits(text_.data(), text_.size()));
        return {version,
                fmt::format(R"({{"version_info":"{}","type_url":"{}","resources":[{}]}})", version,
                            type_url_of(type_), text_),
                without_port};
    }

  private:
    XdsType type_;
    std::string text_;
};

// The endpoints that SRV is drawn from, all of them; of a failover service the active group alone,
// as in A. Their priorities are not Envoy's, which would send none to the second before the first
// has lost its health, and health is what we do not leave to it.
std::string load_assignment(const Service& service, const std::string& cluster, WallTime now,
                            std::size_t& without_port) {
    auto instances = registry::answerable(service, now).instances;
    if (service.spec.routing_policy == model::RoutingPolicy::Failover)
        instances = registry::failover_group(service, std::move(instances));
    without_port += std::erase_if(instances, [](const Instance* i) { return !i->spec.port; });
    std::erase_if(instances, [](const Instance* i) { return !i->spec.ipv4 && !i->spec.ipv6; });
    std::string endpoints;
    for (const Instance* instance : weighed(std::move(instances)))
        endpoints += (endpoints.empty() ? "" : ",") + endpoint(*instance);
    return fmt::format(R"("cluster_name":{},"endpoints":[{}])", quoted_json(cluster),
                       endpoints.empty() ? "" : R"({"lb_endpoints":[)" + endpoints + "]}");
}

// Visits what the node is shown, by namespace and name: visit(cluster's name, service).
template <class Visit>
void for_each_cluster(const XdsScope& scope, const State& state, Visit visit) {
    state.namespaces.for_each([&](const std::string& name, const auto& within) {
        if (!within->spec.dns || !scope.shows_namespace(name)) return;
        within->services.for_each([&](const std::string& of_service, const auto& service) {
            const std::string cluster = cluster_name(name, of_service);
            if (scope.shows_service(of_service, cluster) &&
                find_cluster(state, cluster) == service.get())
                visit(cluster, *service);
        });
    });
}

const Service* find_shown(const XdsScope& scope, const State& state, std::string_view cluster) {
    const Service* service = find_cluster(state, cluster);
    const bool is_shown = service && scope.shows_namespace(service->spec.namespace_name) &&
                          scope.shows_service(service->spec.name, std::string(cluster));
    return is_shown ? service : nullptr;
}

XdsAnswer render_endpoints(const DiscoveryRequest& request, const State& state, WallTime now) {
    Resources resources(request.type);
    std::size_t without_port = 0;
    const auto add = [&](const std::string& cluster, const Service& service) {
        resources.add(load_assignment(service, cluster, now, without_port));
    };
    if (request.names.empty()) for_each_cluster(request.scope, state, add);
    for (const std::string& name : request.names) {
        if (const Service* service = find_shown(request.scope, state, name)) add(name, *service);
    }
    return resources.answer(without_port);
}

XdsAnswer render_clusters(const DiscoveryRequest& request, const State& state, WallTime now) {
    Resources resources(request.type);
    for_each_cluster(request.scope, state, [&](const std::string& cluster, const Service& service) {
        if (is_offered(service, now))
            resources.add(
                fmt::format(R"("name":{},"type":"EDS","eds_cluster_config":{{"eds_config":{}}},{})",
                            quoted_json(cluster), config_source, cluster_settings));
    });
    return resources.answer();
}

// What Envoy would take for a pattern is no name of a host.
bool is_host(std::string_view name) {
    return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == name.npos;
}

XdsAnswer render_routes(const DiscoveryRequest& request, const State& state) {
    Resources resources(request.type);
    if (!request.names.empty() &&
        std::ranges::find(request.names, http_listener) == request.names.end())
        return resources.answer();
    std::string hosts;
    for_each_cluster(request.scope, state, [&](const std::string& cluster, const Service& service) {
        if (service.spec.protocol == model::Protocol::Udp || !is_host(cluster)) return;
        hosts += fmt::format(
            R"({0}{{"name":"{1}","domains":["{1}","{1}:*"],"routes":[{2},{3}]}})",
            hosts.empty() ? "" : ",", cluster,
            route(safe_methods, "connect-failure,refused-stream,reset,gateway-error", cluster),
            route("", "connect-failure,refused-stream,reset-before-request", cluster));
    });
    resources.add(fmt::format(R"("name":"{}","virtual_hosts":[{}])", http_listener, hosts));
    return resources.answer();
}

std::string listener(std::string_view name, const SocketAddress& address, std::string_view filter) {
    return fmt::format(
        R"("name":"{}","traffic_direction":"OUTBOUND","address":{{"socket_address":)"
        R"({{"address":"{}","port_value":{}}}}},"filter_chains":[{{"filters":[{}]}}])",
        name, print(address.ip), address.port, filter);
}

std::string http_filter() {
    return fmt::format(
        R"({{"name":"envoy.filters.network.http_connection_manager","typed_config":{{"@type":)"
        R"("type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",)"
        R"("stat_prefix":"{0}","rds":{{"route_config_name":"{0}","config_source":{1}}},)"
        R"("http_filters":[{{"name":"envoy.filters.http.router","typed_config":{{"@type":)"
        R"("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}]}}}})",
        http_listener, config_source);
}

std::string tcp_filter(const std::string& cluster) {
    return fmt::format(
        R"({{"name":"envoy.filters.network.tcp_proxy","typed_config":{{"@type":)"
        R"("type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",)"
        R"("stat_prefix":"outbound_tcp","cluster":{},"max_connect_attempts":3}}}})",
        quoted_json(cluster));
}

// The state has no part in them: a service that comes later finds its listener there.
XdsAnswer render_listeners(const DiscoveryRequest& request) {
    Resources resources(request.type);
    resources.add(listener(http_listener, request.listener, http_filter()));
    for (const auto& [port, cluster] : request.tcp)
        resources.add(listener(fmt::format("outbound_tcp_{}", port), {Ipv4{{127, 0, 0, 1}}, port},
                               tcp_filter(cluster)));
    return resources.answer();
}

}  // namespace

XdsAnswer render(const DiscoveryRequest& request, const State& state, WallTime now) {
    switch (request.type) {
        case XdsType::Endpoints:
            return render_endpoints(request, state, now);
        case XdsType::Clusters:
            return render_clusters(request, state, now);
        case XdsType::Routes:
            return render_routes(request, state);
        case XdsType::Listeners:
            return render_listeners(request);
    }
    return {};
}

std::string rendering_key(const DiscoveryRequest& request) {
    // Lengths before the texts, since names come from outside and may hold any separator.
    std::string key = fmt::format("{};", static_cast<int>(request.type));
    const auto add = [&](const auto& texts) {
        key += fmt::format("{};", texts.size());
        for (const std::string& text : texts) key += fmt::format("{}:{}", text.size(), text);
    };
    const auto add_optional = [&](const std::optional<std::set<std::string>>& texts) {
        key += texts ? 'y' : 'n';
        if (texts) add(*texts);
    };
    add(request.names);
    add_optional(request.scope.namespaces);
    add_optional(request.scope.services);
    add(request.scope.readable);
    if (request.type != XdsType::Listeners) return key;
    key += request.listener.print();
    for (const auto& [port, cluster] : request.tcp)
        key += fmt::format(";{}={}:{}", port, cluster.size(), cluster);
    return key;
}

std::string cluster_name(std::string_view namespace_name, std::string_view service) {
    if (service == ".") return std::string(namespace_name);
    return registry::full_name(service, namespace_name);
}

const Service* find_cluster(const State& state, std::string_view cluster) {
    // The namespaces that the name could be in, from the deepest to the root.
    for (std::size_t at = 0; at != cluster.npos;) {
        const std::string_view suffix = cluster.substr(at);
        const registry::Namespace* within = state.find_namespace(suffix);
        if (within && within->spec.dns)
            return state.find_service(suffix, at == 0 ? "." : cluster.substr(0, at - 1));
        const std::size_t dot = suffix.find('.');
        at = dot == suffix.npos ? cluster.npos : at + dot + 1;
    }
    const registry::Namespace* root = state.find_namespace(".");
    return root && root->spec.dns ? state.find_service(".", cluster) : nullptr;
}

bool is_offered(const Service& service, WallTime now) {
    const bool has_begun = std::ranges::any_of(
        service.instances, [](const auto& instance) { return !instance->awaits_verdict; });
    return has_begun || !registry::answerable(service, now).instances.empty();
}

}  // namespace dnsd::api
