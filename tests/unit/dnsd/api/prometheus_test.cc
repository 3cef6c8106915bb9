#include "dnsd/api/prometheus.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::api;

namespace {

std::shared_ptr<model::Instance> instance(std::string id, std::string_view ipv4,
                                          std::string_view ipv6 = "", bool has_port = true) {
    auto made = std::make_shared<model::Instance>();
    made->spec.id = std::move(id);
    made->spec.ipv4 = parse_ipv4(ipv4);
    made->spec.ipv6 = parse_ipv6(ipv6);
    if (has_port) made->spec.port = 8080;
    return made;
}

std::shared_ptr<registry::Service> service(
    std::string name, std::vector<std::shared_ptr<const model::Instance>> instances = {}) {
    auto made = std::make_shared<registry::Service>();
    made->spec.namespace_name = "example.org";
    made->spec.name = std::move(name);
    made->instances = std::move(instances);
    return made;
}

std::string targets(const model::Instance& one) {
    const auto group = print_target_group(*service("web"), one);
    return group ? group->substr(0, group->find(",\"labels\"")) : "";
}

// Services web and db of example.org, db of example.net.
std::shared_ptr<const registry::State> three_services() {
    auto org = std::make_shared<registry::Namespace>(),
         net = std::make_shared<registry::Namespace>();
    org->spec.name = "example.org";
    net->spec.name = "example.net";
    org->services.set("web",
                      service("web", {instance("w-1", "192.0.2.1"), instance("w-2", "192.0.2.2")}));
    org->services.set("db", service("db", {instance("d-1", "192.0.2.3")}));
    auto other = service("db", {instance("n-1", "192.0.2.4")});
    other->spec.namespace_name = "example.net";
    net->services.set("db", other);
    auto state = std::make_shared<registry::State>();
    state->namespaces.set("example.org", std::move(org));
    state->namespaces.set("example.net", std::move(net));
    return state;
}

// What the filter leaves, as a text; `pieces` counts in how many it came.
std::string listed(std::shared_ptr<const registry::State> state, ServiceFilter filter = {},
                   int* pieces = nullptr) {
    TargetList list(ServiceWalk(std::move(state), std::move(filter)));
    std::string text;
    while (const auto piece = list.next()) {
        CHECK_FALSE(piece->empty());  // which would mean: wait
        text += *piece;
        if (pieces) ++*pieces;
    }
    return text;
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("a group is one target and what is known of it") {
    auto one = instance("i-1", "192.0.2.1");
    one->status = model::HealthStatus::Unhealthy;
    one->spec.attributes = {{"az", "a"}, {"say", "\"x\""}};
    CHECK(*print_target_group(*service("web"), *one) ==
          R"({"targets":["192.0.2.1:8080"],"labels":{"__meta_dnsd_attribute_az":"a",)"
          R"("__meta_dnsd_attribute_say":"\"x\"","__meta_dnsd_instance":"i-1",)"
          R"("__meta_dnsd_namespace":"example.org","__meta_dnsd_service":"web",)"
          R"("__meta_dnsd_status":"unhealthy"}})");
}

TEST_CASE("IPv6 stands in brackets, and IPv4 goes before it") {
    CHECK(targets(*instance("i", "", "2001:db8::1")) == R"({"targets":["[2001:db8::1]:8080"])");
    CHECK(targets(*instance("i", "192.0.2.1", "2001:db8::1")) ==
          R"({"targets":["192.0.2.1:8080"])");
}

TEST_CASE("what drains and what cannot be reached is left out") {
    CHECK(targets(*instance("i", "")).empty());
    CHECK(targets(*instance("i", "192.0.2.1", "", false)).empty());
    auto leaving = instance("i", "192.0.2.1");
    leaving->drain.emplace();
    CHECK(targets(*leaving).empty());
    auto disabled = instance("i", "192.0.2.1");
    disabled->spec.disabled = true;
    CHECK_FALSE(targets(*disabled).empty());
}

TEST_CASE("attribute names become label names, and of those that come out alike the first stays") {
    auto one = instance("i", "192.0.2.1");
    one->spec.attributes = {{"a-b", "first"}, {"a.b", "second"}, {"a_b", "third"}, {"Az/9", "x"}};
    const std::string group = *print_target_group(*service("web"), *one);
    CHECK(group.find(R"("__meta_dnsd_attribute_a_b":"first")") != group.npos);
    CHECK(group.find(R"("__meta_dnsd_attribute_Az_9":"x")") != group.npos);
    CHECK(count(group, "attribute_a_b") == 1);
}

TEST_CASE("the list is all, or what namespace and service leave of it") {
    const auto state = three_services();
    CHECK(count(listed(state), "\"targets\"") == 4);
    CHECK(count(listed(state, {"example.org", ""}), "\"targets\"") == 3);
    CHECK(count(listed(state, {"example.org", "db"}), "\"targets\"") == 1);
    CHECK(listed(state, {"example.net", "web"}) == "[]\n");
    CHECK(listed(state, {"example.com", ""}) == "[]\n");
    CHECK(listed(std::make_shared<registry::State>()) == "[]\n");
}

TEST_CASE("a large list comes in pieces, with a comma between any two groups") {
    auto state = std::make_shared<registry::State>(*three_services());
    auto within = std::make_shared<registry::Namespace>(*state->find_namespace("example.org"));
    for (int number = 0; number < 1000; ++number) {
        const std::string name = "s-" + std::to_string(number);
        // Every other service has no target, and must leave no comma behind.
        within->services.set(name, service(name, {instance("i", number % 2 ? "192.0.2.9" : "")}));
    }
    state->namespaces.set("example.org", within);
    int pieces = 0;
    const std::string text = listed(state, {}, &pieces);
    CHECK(pieces > 1);
    CHECK(count(text, "\"targets\"") == 504);
    CHECK(count(text, "}},{\"targets\"") == 503);
    CHECK(text.starts_with("[{"));
    CHECK(text.ends_with("}}]\n"));
}
