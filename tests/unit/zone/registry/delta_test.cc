#include "zone/registry/delta.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/random.h"
#include "tests/support/services.h"
#include "zone/registry/draft.h"
#include "zone/tree/master_file.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::registry;
using test::noon;
using test::spec;

namespace {

const Infrastructure nothing_made_up;

// A centre, and what its changes are as deltas.
struct Centre {
    std::shared_ptr<const State> state = std::make_shared<const State>();
    Delta last;

    template <class What>
    bool step(What what) {
        Draft draft(state,
                    {.surely_safe_after = [](const ServiceKey&) { return noon; },
                     .infrastructure = nothing_made_up},
                    noon);
        const bool is_done = draft.apply(Change{std::move(what), {}, false}, noon).has_value();
        std::vector<std::shared_ptr<const model::Event>> events;
        for (const model::Event& event : draft.events())
            events.push_back(std::make_shared<const model::Event>(event));
        std::vector<ServiceKey> touched;
        for (const auto& [key, service] : draft.services()) touched.push_back(key);
        const auto next = draft.finish();
        last = difference(*state, *next, touched, {}, events, noon);
        state = next;
        return is_done;
    }
    Delta snapshot() const {
        Delta delta;
        delta.is_whole = true;
        delta.revision = state->revision;
        delta.now = noon;
        state->namespaces.for_each([&](const std::string&, const auto& within) {
            delta.namespaces.push_back(delta_of(*within));
            within->services.for_each([&](const std::string&, const auto& service) {
                delta.services.push_back(delta_of(*service));
            });
        });
        return delta;
    }
};

struct Replica {
    std::shared_ptr<const State> state = std::make_shared<const State>();

    Outcome follow(const Delta& delta) {
        Draft draft(state, {.surely_safe_after = {}, .infrastructure = nothing_made_up},
                    noon + std::chrono::hours(1));
        auto outcome = draft.apply(
            Change{Follow{std::make_shared<const Delta>(delta), "centre"}, {}, false}, noon);
        if (outcome) state = draft.finish();
        return outcome;
    }
};

// All of a state as text, so that two can be compared.
std::string shown(const State& state) {
    std::string text = std::to_string(state.revision) + '\n';
    state.namespaces.for_each([&](const std::string&, const auto& within) {
        text += print(delta_of(*within)) + '\n';
        within->services.for_each([&](const std::string&, const auto& service) {
            text += print(delta_of(*service)) + '\n';
        });
    });
    return text;
}

model::ServiceSpec web(std::string name = "web") {
    model::ServiceSpec made;
    made.namespace_name = "example.org";
    made.name = std::move(name);
    made.check.type = model::CheckType::Custom;
    made.check.initial_status = model::HealthStatus::Healthy;
    return made;
}

void begin(Centre& centre) {
    REQUIRE(centre.step(PutNamespace{
        {.name = "example.org", .dns = true, .ttl = 5, .negative_ttl = 2, .description = {}}}));
    REQUIRE(centre.step(PutService{web()}));
}

wire::RdataOctets rdata(wire::RrType type, std::string_view text) {
    return *wire::parse_rdata(type, text, *wire::Name::parse("example.org"));
}

RecordEdit random_edit(Random& dice) {
    RecordEdit edit;
    edit.kind = draw_below(dice, 3) == 0 ? RecordEdit::Kind::DeleteRRset : RecordEdit::Kind::Set;
    edit.owner = *wire::Name::parse("www-" + std::to_string(draw_below(dice, 4)) + ".example.org");
    edit.type = draw_below(dice, 2) == 0 ? wire::RrType::A : wire::RrType::TXT;
    if (edit.kind == RecordEdit::Kind::Set) {
        const std::string number = std::to_string(draw_below(dice, 200));
        edit.ttl = draw_below(dice, 100);
        edit.records = {rdata(
            edit.type, edit.type == wire::RrType::A ? "192.0.2." + number : '"' + number + '"')};
    }
    return edit;
}

// A whole zone, with a SOA of its own.
ImportZone zone_of(unsigned hosts) {
    std::string text = "@ 60 SOA ns root 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\n";
    for (unsigned i = 0; i < hosts; ++i) text += fmt::format("host-{} 60 A 192.0.2.{}\n", i, i);
    auto file = tree::parse_master_file(text, *wire::Name::parse("example.org"));
    REQUIRE(file.zone);
    return {{.name = "example.org"}, file.zone};
}

// Through JSON, as it travels.
Delta travelled(const Delta& delta) {
    auto parsed = parse_delta(print(delta));
    REQUIRE_MESSAGE(parsed, parsed.error().message);
    parsed->is_whole = delta.is_whole;
    return *parsed;
}

}  // namespace

TEST_CASE("a replica that takes every delta, or a snapshot, is where its centre is") {
    Centre centre;
    Replica follower;
    Random dice(7);
    const auto sync = [&] {
        const Outcome outcome = follower.follow(travelled(centre.last));
        REQUIRE_MESSAGE(outcome, outcome.error().detail);
        REQUIRE(shown(*follower.state) == shown(*centre.state));
    };
    centre.step(PutNamespace{
        {.name = "example.org", .dns = true, .ttl = 5, .negative_ttl = 2, .description = {}}});
    sync();
    for (int i = 0; i < 500; ++i) {
        const std::string service = draw_below(dice, 2) == 0 ? "web" : "api";
        const std::string id = "i-" + std::to_string(draw_below(dice, 6));
        switch (draw_below(dice, 9)) {
            case 0: {
                model::ServiceSpec changed = web(service);
                changed.ttl.a = draw_below(dice, 100);
                centre.step(PutService{changed});
                break;
            }
            case 1:
                centre.step(
                    PutInstance{"example.org", service,
                                spec(id, static_cast<std::uint8_t>(draw_below(dice, 250)))});
                break;
            case 2:
                centre.step(DeleteInstance{"example.org", service, id});
                break;
            case 3:
                centre.step(SetHealth{"example.org", service, id,
                                      draw_below(dice, 2) == 0 ? model::HealthStatus::Healthy
                                                               : model::HealthStatus::Unhealthy});
                break;
            case 4:
                centre.step(DeleteService{"example.org", service});
                break;
            case 5:
                centre.step(ChangeRecords{"example.org", {}, {random_edit(dice)}});
                break;
            case 6:
                centre.step(zone_of(draw_below(dice, 4)));
                break;
            case 7:
                centre.step(PutNamespace{{.name = "example.org",
                                          .ttl = draw_below(dice, 3),
                                          .reverse = draw_below(dice, 2) == 0,
                                          .updaters = {}}});
                break;
            default:
                centre.step(PutInstances{"example.org", service, {spec(id), spec("j-1")}});
        }
        sync();
    }
    Replica late;
    REQUIRE(late.follow(travelled(centre.snapshot())));
    CHECK(shown(*late.state) == shown(*centre.state));
    // Over another state, too: what the snapshot does not name is gone.
    Centre other;
    begin(other);
    REQUIRE(other.step(PutService{web("gone")}));
    REQUIRE(late.follow(travelled(other.snapshot())));
    CHECK(shown(*late.state) == shown(*other.state));
}

TEST_CASE("a delta that does not begin where the replica is changes nothing") {
    Centre centre;
    begin(centre);
    Replica follower;
    const Outcome refused = follower.follow(travelled(centre.last));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == "it begins with revision 1, and this is 0");
    CHECK(follower.state->revision == 0);
}

TEST_CASE("what was missed is told whole, of what events name") {
    Centre centre;
    begin(centre);
    Replica follower;
    REQUIRE(follower.follow(centre.snapshot()));
    const model::Revision seen = centre.state->revision;
    std::vector<model::Event> missed;
    REQUIRE(centre.step(PutInstance{"example.org", "web", spec("i-1")}));
    missed.push_back(centre.last.events[0]);
    REQUIRE(centre.step(PutInstance{"example.org", "web", spec("i-2")}));
    missed.push_back(centre.last.events[0]);
    REQUIRE(follower.follow(travelled(refresh(seen, *centre.state, missed, noon))));
    CHECK(shown(*follower.state) == shown(*centre.state));
}

TEST_CASE("what a stream may say wrongly is told, and harms nobody") {
    Centre centre;
    begin(centre);
    REQUIRE(centre.step(PutInstance{"example.org", "web", spec("i-1")}));
    const std::string good = print(centre.last);
    REQUIRE(parse_delta(good));
    const auto with = [&](std::string_view what, std::string_view instead) {
        std::string text = good;
        const auto at = text.find(what);
        REQUIRE(at != text.npos);
        return text.replace(at, what.size(), instead);
    };
    for (const std::string& bad :
         {std::string(), std::string("[]"), std::string("{}"), good.substr(0, good.size() / 2),
          with("\"weight\":1", "\"weight\":-1"), with("\"weight\":1", "\"weight\":70000"),
          with("192.0.2.1", "192.0.2.1000"), with("\"multivalue\"", "\"magic\""),
          with("\"id\":\"i-1\"", "\"id\":\"\""), with("\"name\":\"web\"", "\"name\":\"..\""),
          with("2026-01-01", "yesterday")}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_delta(bad));
    }
    // A service without its namespace.
    Delta delta = centre.snapshot();
    delta.namespaces.clear();
    Replica follower;
    CHECK_FALSE(follower.follow(delta));
    CHECK(follower.state->namespaces.empty());
}
