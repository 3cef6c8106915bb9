#include "zone/registry/draft.h"

#include <doctest/doctest.h>

#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::registry;
using model::HealthStatus;
using test::noon;
using test::spec;

namespace {

const Infrastructure nothing_made_up;

// States one after the other, each the draft of the one before.
struct Roads {
    std::shared_ptr<const State> state = std::make_shared<const State>();
    std::vector<model::Event> events;  // of the last step

    Outcome step(Change change) {
        Draft draft(
            state,
            {.instances_per_service_max = 3,
             .surely_safe_after = [](const ServiceKey&) { return noon + std::chrono::seconds(6); },
             .infrastructure = nothing_made_up},
            noon);
        Outcome outcome = draft.apply(change, noon);
        events = draft.events();
        if (outcome) state = draft.finish();
        return outcome;
    }
    template <class What>
    Outcome step(What what) {
        return step(Change{.what = std::move(what), .if_match = {}});
    }
    void verdict(std::string id, HealthStatus status) {
        Draft draft(state, {.surely_safe_after = {}, .infrastructure = nothing_made_up}, noon);
        draft.apply(Verdict{{"example.org", "web"}, std::move(id), status, noon, {}}, noon);
        events = draft.events();
        state = draft.finish();
    }
    void begin(model::CheckType check = model::CheckType::None) {
        REQUIRE(step(PutNamespace{
            {.name = "example.org", .dns = true, .ttl = 5, .negative_ttl = 2, .description = {}}}));
        model::ServiceSpec web;
        web.namespace_name = "example.org";
        web.name = "web";
        web.check.type = check;
        REQUIRE(step(PutService{web}));
    }
    Outcome put(const model::InstanceSpec& instance) {
        return step(PutInstance{"example.org", "web", instance});
    }
    const Service& web() const { return *state->find_service("example.org", "web"); }
};

Refusal::Kind kind(const Outcome& outcome) {
    REQUIRE_FALSE(outcome);
    return outcome.error().kind;
}

}  // namespace

TEST_CASE("registering is an upsert: what changes nothing moves no revision") {
    Roads roads;
    roads.begin();
    const auto first = roads.put(spec("i-1"));
    REQUIRE(first);
    CHECK(first->created);
    const auto again = roads.put(spec("i-1"));
    REQUIRE(again);
    CHECK_FALSE(again->created);
    CHECK_FALSE(again->changed);
    CHECK(again->revision == first->revision);
    CHECK(roads.events.empty());
    const auto moved = roads.put(spec("i-1", 2));
    REQUIRE(moved);
    CHECK(moved->changed);
    CHECK(moved->revision > first->revision);
}

TEST_CASE(
    "health survives a registration unless address, port or check changed; then it is unknown") {
    Roads roads;
    roads.begin(model::CheckType::Tcp);
    REQUIRE(roads.put(spec("i-1")));
    CHECK(roads.web().find("i-1")->status == HealthStatus::Unknown);
    roads.verdict("i-1", HealthStatus::Healthy);
    CHECK(roads.web().find("i-1")->status == HealthStatus::Healthy);
    CHECK(roads.web().health_revision > roads.web().revision);
    model::InstanceSpec heavier = spec("i-1");
    heavier.weight = 5;
    REQUIRE(roads.put(heavier));
    CHECK(roads.web().find("i-1")->status == HealthStatus::Healthy);
    REQUIRE(roads.put(spec("i-1", 9)));
    CHECK(roads.web().find("i-1")->status == HealthStatus::Unknown);
}

TEST_CASE("a deregistered instance drains, again gives the same, and a registration revives it") {
    Roads roads;
    roads.begin();
    REQUIRE(roads.put(spec("i-1")));
    const auto gone = roads.step(DeleteInstance{"example.org", "web", "i-1"});
    REQUIRE(gone);
    REQUIRE(roads.web().find("i-1")->drain);
    const auto again = roads.step(DeleteInstance{"example.org", "web", "i-1"});
    REQUIRE(again);
    CHECK(again->revision == gone->revision);
    CHECK(roads.web().find("i-1")->drain->safe_after == noon + std::chrono::seconds(6));
    REQUIRE(roads.put(spec("i-1")));
    CHECK_FALSE(roads.web().find("i-1")->drain);
    CHECK(kind(roads.step(DeleteInstance{"example.org", "web", "i-2"})) == Refusal::Kind::NotFound);
}

TEST_CASE("the whole set is replaced in one revision, and one bad element refuses all") {
    Roads roads;
    roads.begin();
    REQUIRE(roads.put(spec("i-1")));
    const auto replaced =
        roads.step(PutInstances{"example.org", "web", {spec("i-2", 2), spec("i-3", 3)}});
    REQUIRE(replaced);
    CHECK(roads.events.size() == 1);
    CHECK(roads.web().find("i-1")->drain);
    CHECK(roads.web().find("i-2")->revision == replaced->revision);
    const auto before = roads.state;
    const auto refused = roads.step(
        PutInstances{"example.org", "web", {spec("a"), spec("b"), spec("c"), spec("d")}});
    CHECK_FALSE(refused);
    CHECK(roads.state == before);
}

TEST_CASE("a name has one owner: the second is refused, naming the first") {
    Roads roads;
    roads.begin();
    REQUIRE(roads.put(spec("i-1")));
    model::ServiceSpec clash;
    clash.namespace_name = "example.org";
    clash.name = "i-1.web";
    const auto refused = roads.step(PutService{clash});
    CHECK(kind(refused) == Refusal::Kind::Conflict);
    CHECK(refused.error().detail.find("instance i-1 of service web") != std::string::npos);
}

TEST_CASE("what is in use is not deleted, what is not there is not found, preconditions hold") {
    Roads roads;
    CHECK(kind(roads.put(spec("i-1"))) == Refusal::Kind::NotFound);
    roads.begin();
    REQUIRE(roads.put(spec("i-1")));
    CHECK(kind(roads.step(DeleteNamespace{"example.org"})) == Refusal::Kind::Conflict);
    CHECK(kind(roads.step(DeleteService{"example.org", "web"})) == Refusal::Kind::Conflict);
    CHECK(kind(roads.step(Change{.what = PutInstance{"example.org", "web", spec("i-1", 7)},
                                 .if_match = 999})) == Refusal::Kind::PreconditionFailed);
    CHECK(kind(roads.step(SetHealth{"example.org", "web", "i-1", HealthStatus::Unhealthy})) ==
          Refusal::Kind::Conflict);
}

TEST_CASE(
    "a service that answers SRV wants a port of its instances, and one that answers A an address") {
    Roads roads;
    roads.begin();
    model::ServiceSpec srv;
    srv.namespace_name = "example.org";
    srv.name = "srv";
    srv.record_types = {model::RecordType::Srv};
    REQUIRE(roads.step(PutService{srv}));
    model::InstanceSpec no_port = spec("i-1");
    no_port.port.reset();
    CHECK(kind(roads.step(PutInstance{"example.org", "srv", no_port})) ==
          Refusal::Kind::Unprocessable);
}
