#include "dnsd/api/xds.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::api;
using nlohmann::json;
using test::instance;
using test::noon;

namespace {

registry::State state_of(std::vector<registry::Service> services) {
    registry::State state;
    state.revision = 1;
    for (registry::Service& service : services) {
        const std::string name = service.spec.namespace_name;
        auto within = std::make_shared<registry::Namespace>();
        if (const auto* known = state.find_namespace(name)) *within = *known;
        within->spec.name = name;
        const std::string of_service = service.spec.name;
        within->services.set(of_service,
                             std::make_shared<const registry::Service>(std::move(service)));
        state.namespaces.set(name, within);
    }
    return state;
}

registry::Service service_in(std::string namespace_name, std::string name) {
    auto made = test::service(std::move(name), {instance("i-1")});
    made.spec.namespace_name = std::move(namespace_name);
    return made;
}

json rendered(XdsType type, const registry::State& state, DiscoveryRequest request = {}) {
    request.type = type;
    return json::parse(render(request, state, noon).body).at("resources");
}

// "address:port*weight" of each endpoint of the only service.
std::vector<std::string> endpoints(const registry::Service& service) {
    std::vector<std::string> found;
    const json resources = rendered(XdsType::Endpoints, state_of({service}));
    REQUIRE(resources.size() == 1);
    for (const json& locality : resources[0].at("endpoints")) {
        CHECK_FALSE(locality.contains("priority"));
        for (const json& one : locality.at("lb_endpoints")) {
            const json& address = one.at("endpoint").at("address").at("socket_address");
            found.push_back(address.at("address").get<std::string>() + ':' +
                            address.at("port_value").dump() + '*' +
                            one.at("load_balancing_weight").dump());
        }
    }
    return found;
}

std::set<std::string> names(const json& resources) {
    std::set<std::string> found;
    for (const json& resource : resources)
        found.insert(resource.at(resource.contains("name") ? "name" : "cluster_name"));
    return found;
}

using Texts = std::vector<std::string>;

model::Instance weighing(std::string id, std::uint16_t weight, std::uint16_t priority = 0) {
    auto made = instance(std::move(id));
    made.spec.weight = weight;
    made.spec.priority = priority;
    return made;
}

}  // namespace

TEST_CASE("endpoints are those that SRV is drawn from: the dead are removed, not marked") {
    auto service =
        test::service("web", {instance("1"), instance("2", model::HealthStatus::Unhealthy)});
    CHECK(endpoints(service) == Texts{"192.0.2.49:8080*1"});
    service.spec.max_answers = 1;
    service.spec.failure_policy = model::FailurePolicy::FailOpen;
    service.instances = {
        std::make_shared<model::Instance>(instance("1", model::HealthStatus::Unhealthy)),
        std::make_shared<model::Instance>(instance("2", model::HealthStatus::Unhealthy))};
    CHECK(endpoints(service).size() == 2);
    service.spec.failure_policy = model::FailurePolicy::FailClosed;
    CHECK(endpoints(service).empty());
}

TEST_CASE("of a failover service the active group alone is there, at priority 0") {
    auto service =
        test::service("web", {weighing("1", 1, 0), weighing("2", 1, 5), weighing("3", 1, 5)});
    CHECK(endpoints(service).size() == 3);
    service.spec.routing_policy = model::RoutingPolicy::Failover;
    CHECK(endpoints(service) == Texts{"192.0.2.49:8080*1"});
    auto dead = weighing("1", 1, 0);
    dead.status = model::HealthStatus::Unhealthy;
    service.instances[0] = std::make_shared<const model::Instance>(dead);
    CHECK(endpoints(service) == Texts{"192.0.2.50:8080*1", "192.0.2.51:8080*1"});
}

TEST_CASE("weight 0 is left out, unless all are 0, and is never said") {
    CHECK(endpoints(test::service("web", {weighing("1", 0), weighing("2", 7)})) ==
          Texts{"192.0.2.50:8080*7"});
    CHECK(endpoints(test::service("web", {weighing("1", 0), weighing("2", 0)})) ==
          Texts{"192.0.2.49:8080*1", "192.0.2.50:8080*1"});
}

TEST_CASE("who has no port is left out and counted; IPv4 goes before IPv6") {
    auto portless = instance("1"), both = instance("2"), six = instance("3");
    portless.spec.port.reset();
    both.spec.ipv6 = six.spec.ipv6 = parse_ipv6("2001:db8::1");
    six.spec.ipv4.reset();
    const auto service = test::service("web", {portless, both, six});
    CHECK(endpoints(service) == Texts{"192.0.2.50:8080*1", "2001:db8::1:8080*1"});
    CHECK(render(DiscoveryRequest(), state_of({service}), noon).without_port == 1);
    // One without a port is no reason to send requests to a weight of 0.
    portless.spec.weight = 9;
    CHECK(endpoints(test::service("web", {portless, weighing("2", 0)})).size() == 1);
}

TEST_CASE("the version is that of the resources, not of the state or the request") {
    auto state = state_of({test::service("web", {instance("1")})});
    DiscoveryRequest request;
    const std::string before = render(request, state, noon).version;
    state.revision = 99;
    request.version = request.node = "x";
    CHECK(render(request, state, noon).version == before);
    CHECK(render(request, state_of({test::service("web", {instance("2")})}), noon).version !=
          before);
    CHECK(json::parse(render(request, state, noon).body).at("version_info") == before);
}

TEST_CASE("a cluster is named as DNS names the service, by the deepest namespace") {
    CHECK(cluster_name("example.org", "web") == "web.example.org");
    CHECK(cluster_name(".", "web") == "web");
    CHECK(cluster_name("example.org", ".") == "example.org");
    const auto state = state_of({service_in("example.org", "web"), service_in("example.org", "a.b"),
                                 service_in("b.example.org", "a"), service_in(".", "top"),
                                 service_in("example.org", "c.b")});
    CHECK(find_cluster(state, "web.example.org")->spec.name == "web");
    CHECK(find_cluster(state, "a.b.example.org")->spec.namespace_name == "b.example.org");
    CHECK(find_cluster(state, "c.b.example.org") == nullptr);  // b.example.org does not know it
    CHECK(find_cluster(state, "top")->spec.namespace_name == ".");
    CHECK(find_cluster(state, "") == nullptr);
    CHECK(names(rendered(XdsType::Clusters, state)) ==
          std::set<std::string>{"web.example.org", "a.b.example.org", "top"});
}

TEST_CASE("HTTP namespaces have no names in DNS, and are not shown") {
    auto state = state_of({service_in("example.org", "web")});
    auto within = std::make_shared<registry::Namespace>(*state.find_namespace("example.org"));
    within->spec.dns = false;
    state.namespaces.set("example.org", within);
    CHECK(rendered(XdsType::Clusters, state).empty());
    CHECK(find_cluster(state, "web.example.org") == nullptr);
}

TEST_CASE("a cluster is offered as soon as an instance has had its verdict") {
    auto waiting = instance("1", model::HealthStatus::Unknown);
    waiting.awaits_verdict = true;
    CHECK_FALSE(is_offered(test::service("web"), noon));
    CHECK_FALSE(is_offered(test::service("web", {waiting}), noon));
    CHECK(is_offered(test::service("web", {waiting, instance("2", model::HealthStatus::Unhealthy)}),
                     noon));
    CHECK(is_offered(test::service("web", {waiting}), noon + std::chrono::hours(1)));  // fail_open
    const auto state = state_of({test::service("web", {waiting})});
    CHECK(rendered(XdsType::Clusters, state).empty());
    CHECK(rendered(XdsType::Endpoints, state)[0].at("endpoints").empty());
}

TEST_CASE("every service that is not udp has a virtual host, which needs no cluster to be there") {
    auto udp = test::service("ntp", {instance("1")});
    udp.spec.protocol = model::Protocol::Udp;
    const auto state = state_of({udp, test::service("web")});
    const json routes = rendered(XdsType::Routes, state);
    REQUIRE(routes.size() == 1);
    CHECK(routes[0].at("name") == "outbound_http");
    const json& hosts = routes[0].at("virtual_hosts");
    REQUIRE(hosts.size() == 1);
    CHECK(hosts[0].at("domains") == json{"web.example.org", "web.example.org:*"});
    for (const json& route : hosts[0].at("routes")) {
        CHECK(route.at("route").at("cluster") == "web.example.org");
        CHECK(route.at("route").at("cluster_not_found_response_code") == "NOT_FOUND");
    }
    DiscoveryRequest other;
    other.names = {"inbound"};
    CHECK(rendered(XdsType::Routes, state, other).empty());
}

TEST_CASE("a name that Envoy would take for a pattern has a cluster and no route") {
    const auto state = state_of({service_in("*.org", "web")});
    CHECK(rendered(XdsType::Clusters, state).size() == 1);
    CHECK(rendered(XdsType::Routes, state)[0].at("virtual_hosts").empty());
}

TEST_CASE("listeners are what the node asks for, whatever there is") {
    DiscoveryRequest request;
    request.tcp = {{5432, "db.example.org"}};
    const json listeners = rendered(XdsType::Listeners, registry::State(), request);
    CHECK(names(listeners) == std::set<std::string>{"outbound_http", "outbound_tcp_5432"});
    CHECK(listeners[0].at("address").at("socket_address").at("port_value") == 15001);
    CHECK(listeners[1].dump().find("\"cluster\":\"db.example.org\"") != std::string::npos);
}

TEST_CASE("scope and token narrow clusters, routes and endpoints alike") {
    const auto state = state_of({service_in("example.org", "web"), service_in("example.org", "api"),
                                 service_in("example.net", "web")});
    DiscoveryRequest request;
    const auto shown = [&] {
        const auto clusters = names(rendered(XdsType::Clusters, state, request));
        CHECK(clusters == names(rendered(XdsType::Endpoints, state, request)));
        CHECK(clusters == names(rendered(XdsType::Routes, state, request)[0].at("virtual_hosts")));
        return clusters;
    };
    CHECK(shown().size() == 3);
    request.scope.services = {"web"};
    CHECK(shown() == std::set<std::string>{"web.example.org", "web.example.net"});
    request.scope.readable = {"example.org"};
    CHECK(shown() == std::set<std::string>{"web.example.org"});
    request.scope.services = {"api.example.org"};
    CHECK(shown() == std::set<std::string>{"api.example.org"});
    request.scope.namespaces = {"example.net"};
    CHECK(shown().empty());
    request.names = {"api.example.org", "web.example.net", "nobody"};
    CHECK(rendered(XdsType::Endpoints, state, request).empty());
}

TEST_CASE("requests share a rendering if nothing that is rendered differs") {
    DiscoveryRequest one, other;
    other.node = other.version = "x";
    CHECK(rendering_key(one) == rendering_key(other));
    one.names = {"ab", "c"};
    other.names = {"a", "bc"};
    CHECK(rendering_key(one) != rendering_key(other));
    one.names = other.names = {};
    one.scope.services = std::set<std::string>();
    CHECK(rendering_key(one) != rendering_key(other));
    one.scope.services.reset();
    one.tcp = {{1, "a"}};
    CHECK(rendering_key(one) == rendering_key(other));  // they are no endpoints' business
    one.type = other.type = XdsType::Listeners;
    CHECK(rendering_key(one) != rendering_key(other));
}
