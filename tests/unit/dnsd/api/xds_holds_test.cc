#include "dnsd/api/xds_holds.h"

#include <doctest/doctest.h>

#include "tests/support/manual_clock.h"
#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::api;
using test::instance;

namespace {

class FakeExchange final : public Exchange {
  public:
    void reply(Reply reply) override {
        CHECK_FALSE(replied);
        replied = std::move(reply);
    }
    void stream(std::string, std::shared_ptr<Source>) override { FAIL("no stream is wanted"); }
    void wake() override {}

    std::optional<Reply> replied;
};

// A registry with one namespace, example.org, and what asks it.
struct World {
    World() : snapshot(std::make_shared<const registry::State>()), holds(loop, snapshot, clock) {}

    void put(registry::Service service, std::string cause = "registered") {
        auto state = std::make_shared<registry::State>(*snapshot.load());
        auto within = std::make_shared<registry::Namespace>();
        if (const auto* known = state->find_namespace("example.org")) *within = *known;
        within->spec.name = "example.org";
        const std::string name = service.spec.name;
        within->services.set(name, std::make_shared<const registry::Service>(std::move(service)));
        state->namespaces.set("example.org", within);
        ++state->revision;
        snapshot.publish(state);
        auto event = std::make_shared<model::Event>();
        event->cause = std::move(cause);
        event->namespace_name = "example.org";
        event->service = name;
        holds.news({state, {event}, {}, {}});
    }

    std::shared_ptr<FakeExchange> ask(XdsType type, std::string version = "",
                                      std::vector<std::string> names = {}) {
        auto exchange = std::make_shared<FakeExchange>();
        DiscoveryRequest request;
        request.type = type;
        request.version = std::move(version);
        request.names = std::move(names);
        holds.add(Call{exchange, {}, {}}, std::move(request));
        return exchange;
    }
    // Asks until it has what there is, and then waits.
    std::shared_ptr<FakeExchange> wait(XdsType type, const std::vector<std::string>& names = {}) {
        DiscoveryRequest request;
        request.type = type;
        request.names = names;
        return ask(type, render(request, *snapshot.load(), clock.wall()).version, names);
    }
    double metric(std::string_view name) const {
        for (const Metric& one : holds.metrics()) {
            if (one.name == name) return one.samples[0].value;
        }
        return -1;
    }

    io::Loop loop;
    test::ManualClock clock;
    Snapshot<registry::State> snapshot;
    XdsHolds holds;
};

}  // namespace

TEST_CASE(
    "who has another version is answered at once, who has ours waits for a change of its own") {
    World world;
    world.put(test::service("web", {instance("1")}), "service_put");
    world.put(test::service("api", {instance("1")}), "service_put");
    CHECK(world.ask(XdsType::Endpoints, "", {"web.example.org"})->replied->status == 200);
    const auto web = world.wait(XdsType::Endpoints, {"web.example.org"});
    const auto api = world.wait(XdsType::Endpoints, {"api.example.org"});
    const auto all = world.wait(XdsType::Endpoints);
    const auto clusters = world.wait(XdsType::Clusters);
    const auto routes = world.wait(XdsType::Routes);
    CHECK(world.metric("dnsd_xds_held") == 5);
    world.put(test::service("web", {instance("1"), instance("2")}));
    REQUIRE(web->replied);
    CHECK(web->replied->body.find("192.0.2.50") != std::string::npos);
    CHECK(all->replied);
    CHECK_FALSE(api->replied);
    CHECK_FALSE(clusters->replied);
    CHECK_FALSE(routes->replied);
    CHECK(world.metric("dnsd_xds_held") == 3);
}

TEST_CASE("lists move with services, clusters also with a first verdict") {
    World world;
    world.put(test::service("web", {instance("1")}), "service_put");
    const auto routes = world.wait(XdsType::Routes);
    const auto clusters = world.wait(XdsType::Clusters);
    auto waiting = instance("1", model::HealthStatus::Unknown);
    waiting.awaits_verdict = true;
    waiting.status_since = world.clock.wall();
    world.put(test::service("late", {waiting}), "service_put");
    CHECK(routes->replied);
    CHECK_FALSE(clusters->replied);
    world.put(test::service("late", {instance("1")}), "health");
    CHECK(clusters->replied->body.find("late.example.org") != std::string::npos);
}

TEST_CASE("a store into which nobody has written takes nothing from a node") {
    World world;
    const auto clusters = world.ask(XdsType::Clusters, "of another store");
    const auto routes = world.ask(XdsType::Routes, "of another store");
    CHECK(world.ask(XdsType::Clusters)->replied->status == 200);  // one that has nothing may start
    CHECK_FALSE(clusters->replied);
    world.put(test::service("web", {instance("1")}), "service_put");
    CHECK(clusters->replied->status == 200);
    CHECK(routes->replied->status == 200);
}

TEST_CASE("an answer that comes back refused is not repeated at once, but another is") {
    World world;
    world.put(test::service("web", {instance("1")}), "service_put");
    CHECK(world.ask(XdsType::Clusters, "older")->replied->status == 200);
    const auto again = world.ask(XdsType::Clusters, "older");
    CHECK_FALSE(again->replied);
    CHECK(world.metric("dnsd_xds_refused_total") == 1);
    world.put(test::service("api", {instance("1")}), "service_put");
    CHECK(again->replied->status == 200);
}

TEST_CASE("there and back again is no refusal") {
    World world;
    const std::vector<std::string> web = {"web.example.org"};
    world.put(test::service("web", {instance("1")}), "service_put");
    auto waiting = world.wait(XdsType::Endpoints, web);
    for (const char* id : {"2", "1", "2", "1"}) {
        world.put(test::service("web", {instance(id)}));
        CHECK(waiting->replied);
        waiting = world.wait(XdsType::Endpoints, web);
        CHECK_FALSE(waiting->replied);
    }
    CHECK(world.metric("dnsd_xds_refused_total") == 0);
}

TEST_CASE("who leaves is forgotten, who is let go asks again, and after the end nobody waits") {
    World world;
    world.put(test::service("web", {instance("1")}), "service_put");
    const auto gone = world.wait(XdsType::Clusters);
    gone->on_gone();
    CHECK(world.metric("dnsd_xds_held") == 0);
    const auto released = world.wait(XdsType::Clusters);
    world.holds.release_all();
    CHECK(released->replied->status == 304);
    CHECK_FALSE(world.wait(XdsType::Clusters)->replied);
    world.holds.close();
    CHECK(world.wait(XdsType::Clusters)->replied->status == 304);
}
