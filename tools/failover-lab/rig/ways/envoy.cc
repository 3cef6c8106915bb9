#include "tools/failover-lab/rig/ways/envoy.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/ways/proxies.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::ordered_json;

constexpr double poll_default = 5, refresh_default = 1;
constexpr int outlier_failures = 5;
constexpr double outlier_ejection = 30;

std::string seconds(double value) { return fmt::format("{:.3f}s", value); }

double poll_of(const Setting& setting, double otherwise) {
    return setting.poll > 0 ? setting.poll : otherwise;
}

Json socket_address(const std::string& address, int port) {
    return {{"socket_address", {{"address", address}, {"port_value", port}}}};
}

Json endpoint(const std::string& host, int port) {
    return {{"endpoint", {{"address", socket_address(host, port)}}}};
}

Json load_assignment(const std::string& cluster, Json endpoints) {
    return {{"cluster_name", cluster},
            {"endpoints", Json::array({{{"lb_endpoints", std::move(endpoints)}}})}};
}

// None of Envoy's limits shall be met before the instances' own: the default for retries is 3 at
// once.
Json circuit_breakers() {
    return {{"thresholds", Json::array({{{"max_connections", 100000},
                                         {"max_pending_requests", 100000},
                                         {"max_requests", 100000},
                                         {"max_retries", 1000}}})}};
}

// What Envoy's connections to a cluster are like.
Json http_options(Json common, const Json& filters = Json::array()) {
    Json options = {
        {"@type", "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
        {"common_http_protocol_options", std::move(common)},
        {"explicit_http_config", {{"http_protocol_options", Json::object()}}}};
    if (!filters.empty()) options["http_filters"] = filters;
    return {{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions", std::move(options)}};
}

Json pool_options(const Setting& setting) {
    Json common = Json::object();
    if (!keeps_connections(setting)) common["max_requests_per_connection"] = 1;
    if (setting.connections == "maxage") {
        common["max_connection_duration"] = seconds(setting.max_age);
    }
    return http_options(std::move(common));
}

// What every way has; the caller says where its endpoints come from.
Json cluster(const Setting& setting, const std::string& name) {
    return {{"name", name},
            {"connect_timeout", seconds(times_of_proxy(setting).per_try)},
            {"lb_policy", setting.balance == "random" ? "RANDOM" : "ROUND_ROBIN"},
            {"circuit_breakers", circuit_breakers()},
            // No update waits for others; and where most instances are marked, the others are not
            // all used again.
            {"common_lb_config",
             {{"update_merge_window", "0s"}, {"healthy_panic_threshold", {{"value", 0}}}}},
            {"typed_extension_protocol_options", pool_options(setting)}};
}

Json virtual_host(const Setting& setting, const std::string& name) {
    const ProxyTimes times = times_of_proxy(setting);
    Json route = {{"cluster", name}, {"timeout", seconds(times.total)}};
    if (setting.proxy_retries > 0) {
        constexpr std::string_view predicate = "envoy.retry_host_predicates.previous_hosts";
        route["retry_policy"] = {
            {"retry_on", "connect-failure,refused-stream,reset,5xx"},
            {"num_retries", setting.proxy_retries},
            {"per_try_timeout", seconds(times.per_try)},
            // It draws so often for a host that was not tried yet.
            {"host_selection_retry_max_attempts", 10},
            {"retry_host_predicate",
             Json::array({{{"name", predicate},
                           {"typed_config",
                            {{"@type",
                              "type.googleapis.com/envoy.extensions.retry.host.previous_hosts."
                              "v3.PreviousHostsPredicate"}}}}})}};
    }
    return {{"name", name},
            {"domains", Json::array({"*"})},
            {"routes", Json::array({{{"match", {{"prefix", "/"}}}, {"route", route}}})}};
}

Json listener(const Setting& setting, int proxy) {
    const Json hosts = Json::array({virtual_host(setting, asked_name(setting))});
    const Json router = {
        {"name", "envoy.filters.http.router"},
        {"typed_config",
         {{"@type", "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}};
    const Json manager = {
        {"@type",
         "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
         "HttpConnectionManager"},
        {"stat_prefix", "lab"},
        {"route_config", {{"name", "lab"}, {"virtual_hosts", hosts}}},
        {"http_filters", Json::array({router})}};
    const Json filter = {{"name", "envoy.filters.network.http_connection_manager"},
                         {"typed_config", manager}};
    return {{"name", "lab"},
            {"address", socket_address(at::proxy(proxy), at::proxy_port)},
            {"filter_chains", Json::array({{{"filters", Json::array({filter})}}})}};
}

// How an Envoy comes to know the instances.
struct Discovery {
    Json (*cluster)(const Setting& setting, const std::string& name);
    Json api_filters = Json::array();  // of its requests to dnsd
};

Json api_cluster(const Json& filters) {
    const std::string_view api = at::api;
    const auto colon = api.rfind(':');
    const auto port = parse_unsigned(api.substr(colon + 1)).value_or(0);
    const Json server = endpoint(std::string(api.substr(0, colon)), static_cast<int>(port));
    return {{"name", "dnsd"},
            {"type", "STATIC"},
            {"connect_timeout", "1s"},
            {"circuit_breakers", circuit_breakers()},
            {"typed_extension_protocol_options", http_options(Json::object(), filters)},
            {"load_assignment", load_assignment("dnsd", Json::array({server}))}};
}

Json bootstrap(const Setting& setting, int proxy, const Discovery& discovery) {
    const Json clusters = Json::array(
        {api_cluster(discovery.api_filters), discovery.cluster(setting, asked_name(setting))});
    return {{"node", {{"id", fmt::format("proxy-{}", proxy)}, {"cluster", "lab"}}},
            {"admin", {{"address", socket_address(at::proxy(proxy), 9901)}}},
            {"static_resources",
             {{"listeners", Json::array({listener(setting, proxy)})}, {"clusters", clusters}}}};
}

Result<> start(Scene& scene, const Discovery& discovery) {
    const std::string& envoy = scene.equipment().envoy;
    const auto version = scene.run({envoy, "--version"});
    if (!version) return in_context("Envoy", version.error());
    // ".../envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
    const auto words = split(*version, '/');
    const auto number = std::ranges::find_if(words, [](std::string_view word) {
        return !word.empty() && word.find_first_not_of("0123456789.") == std::string_view::npos;
    });
    if (number != words.end()) scene.versions["Envoy"] = *number;

    return start_proxies(scene, [&](int proxy) -> Result<> {
        const std::string file = fmt::format("/run/envoy-{}.json", proxy);
        const Json config = bootstrap(scene.setting(), proxy, discovery);
        if (auto written = scene.write(file, config.dump(1)); !written) return written;
        auto child = scene.spawn(fmt::format("envoy-{}", proxy), "proxy",
                                 {envoy, "-c", file, "--concurrency", "1", "--disable-hot-restart",
                                  "--use-dynamic-base-id", "--log-level", "warning"});
        if (!child) return std::unexpected(child.error());
        return {};
    });
}

constexpr double held_refresh_delay = 0.2;

// `refresh_delay`: from an answer to the next request, once to twice that.
Json eds_cluster(const Setting& setting, const std::string& name, double refresh_delay) {
    Json made = cluster(setting, name);
    made["type"] = "EDS";
    made["ignore_health_on_host_removal"] = true;
    made["eds_cluster_config"] = {
        {"service_name", name},
        {"eds_config",
         {{"resource_api_version", "V3"},
          {"initial_fetch_timeout", "2s"},
          {"api_config_source",
           {{"api_type", "REST"},
            {"transport_api_version", "V3"},
            {"cluster_names", Json::array({"dnsd"})},
            {"refresh_delay", seconds(refresh_delay)},
            // dnsd holds a request for at most 20 s, and held it must not count as failed.
            {"request_timeout", "30s"}}}}}};
    return made;
}

Json held_cluster(const Setting& setting, const std::string& name) {
    return eds_cluster(setting, name, held_refresh_delay);
}

Json polled_cluster(const Setting& setting, const std::string& name) {
    return eds_cluster(setting, name, poll_of(setting, poll_default));
}

// dnsd holds the requests of those who say which version they have. Without it, it answers at once,
// as other management servers do; a request that ended early, by a timeout of Envoy's, would not
// do: it counts as an update that failed, and dnsd learns late that nobody waits any more.
Json forget_version() {
    constexpr std::string_view script = R"(
function envoy_on_request(request)
    local body = request:body()
    local text = body:getBytes(0, body:length()):gsub('"version_info":"[^"]*",?', '', 1)
    request:headers():replace("content-length", body:setBytes(text))
end
)";
    const Json lua = {{"name", "envoy.filters.http.lua"},
                      {"typed_config",
                       {{"@type", "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"},
                        {"default_source_code", {{"inline_string", script}}}}}};
    const Json codec = {
        {"name", "envoy.filters.http.upstream_codec"},
        {"typed_config",
         {{"@type",
           "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"}}}};
    return Json::array({lua, codec});
}

Json dns_cluster(const Setting& setting, const std::string& name) {
    Json made = cluster(setting, name);
    made["type"] = "STRICT_DNS";
    made["dns_refresh_rate"] = seconds(poll_of(setting, refresh_default));
    made["dns_lookup_family"] = "V4_ONLY";
    made["typed_dns_resolver_config"] = {
        {"name", "envoy.network.dns_resolver.cares"},
        {"typed_config",
         {{"@type",
           "type.googleapis.com/"
           "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"},
          {"resolvers", Json::array({socket_address(std::string(at::dnsd), 53)})},
          {"dns_resolver_options", {{"no_default_search_domain", true}}}}}};
    made["load_assignment"] =
        load_assignment(name, Json::array({endpoint(name, at::instance_port)}));
    return made;
}

Json health_check(const Setting& setting) {
    Json check = {{"timeout", seconds(setting.check_timeout())},
                  {"interval", seconds(setting.interval)},
                  // The default, 60 s, rules the first minute of a cluster without traffic.
                  {"no_traffic_interval", seconds(setting.interval)},
                  {"unhealthy_threshold", setting.fall},
                  {"healthy_threshold", setting.rise},
                  // As dnsd does, it meets the instance anew each time.
                  {"reuse_connection", false}};
    if (setting.check == "tcp") {
        check["tcp_health_check"] = Json::object();
    } else {
        // Without the statuses that count towards the threshold one bad answer is enough for Envoy.
        check["http_health_check"] = {
            {"path", proxy_health_path},
            {"retriable_statuses", Json::array({{{"start", 201}, {"end", 600}}})}};
    }
    return check;
}

Json static_cluster(const Setting& setting, const std::string& name) {
    Json made = cluster(setting, name);
    Json endpoints = Json::array();
    for (int n = 0; n < setting.instances; ++n) {
        endpoints.push_back(endpoint(at::instance(n), at::instance_port));
    }
    made["type"] = "STATIC";
    made["health_checks"] = Json::array({health_check(setting)});
    made["load_assignment"] = load_assignment(name, std::move(endpoints));
    return made;
}

Json outlier_cluster(const Setting& setting, const std::string& name) {
    Json made = held_cluster(setting, name);
    made["outlier_detection"] = {
        {"consecutive_5xx", outlier_failures},
        {"consecutive_gateway_failure", outlier_failures},
        {"enforcing_consecutive_gateway_failure", 100},
        {"enforcing_success_rate", 0},
        {"interval", "10s"},  // of looking who may return
        {"base_ejection_time", seconds(outlier_ejection)},
        // By default no more than a tenth are ever put aside: of three instances none.
        {"max_ejection_percent", 100}};
    return made;
}

constexpr ViewClock push{.kind = ViewClock::Kind::Push, .cache = {}, .period = 0.003};

// Envoy pauses after an answer, for refresh_delay to twice that: a service that is born changes
// several times within it.
ViewClock push_of(const Setting& setting) {
    ViewClock clock = push;
    if (setting.fault == "born") clock.period = 0.3;
    return clock;
}

}  // namespace

Result<> start_envoy_xds(Scene& scene) { return start(scene, {held_cluster}); }

Clocks clocks_of_envoy_xds(const Setting& setting) {
    return clocks_through_proxy(Clocks::Checker::Dnsd, {push_of(setting)});
}

Result<> start_envoy_xds_polled(Scene& scene) {
    // Whoever asks for the same sooner is taken for one that refuses it, and has to wait.
    if (poll_of(scene.setting(), poll_default) < 1) {
        return fail("Envoy asks dnsd's xDS no more than once a second: poll takes 1 or more");
    }
    return start(scene, {polled_cluster, forget_version()});
}

Clocks clocks_of_envoy_xds_polled(const Setting& setting) {
    const double delay = poll_of(setting, poll_default);
    return clocks_through_proxy(
        Clocks::Checker::Dnsd,
        {{.kind = ViewClock::Kind::Poll, .cache = {}, .period = delay, .spread = delay}});
}

Result<> start_envoy_dns(Scene& scene) { return start(scene, {dns_cluster}); }

Clocks clocks_of_envoy_dns(const Setting& setting) {
    return clocks_through_proxy(Clocks::Checker::Dnsd,
                                {{.kind = ViewClock::Kind::Poll,
                                  .cache = {},
                                  .period = poll_of(setting, refresh_default)}});
}

Result<> start_envoy_checks(Scene& scene) { return start(scene, {static_cluster}); }

Clocks clocks_of_envoy_checks(const Setting&) {
    return clocks_through_proxy(Clocks::Checker::Own, {});
}

Result<> start_envoy_outlier(Scene& scene) { return start(scene, {outlier_cluster}); }

Clocks clocks_of_envoy_outlier(const Setting& setting) {
    Clocks clocks = clocks_through_proxy(Clocks::Checker::Dnsd, {push_of(setting)});
    clocks.ejects_after = outlier_failures;
    clocks.ejected_for = outlier_ejection;
    return clocks;
}

}  // namespace dnsd::lab
