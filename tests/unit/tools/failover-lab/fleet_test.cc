#include "tools/failover-lab/model/fleet.h"

#include <doctest/doctest.h>

using namespace dnsd::lab;
using doctest::Approx;

namespace {

// A thousand nodes with fifty services of ten backends, and twenty requests a second to each.
constexpr Fleet fleet{1000, 50, 10, 1000};

Setting setting_of(std::int64_t ttl, double interval, std::int64_t fall) {
    Setting setting;
    setting.ttl = ttl;
    setting.interval = interval;
    setting.fall = fall;
    return setting;
}

Clocks clocks_of(ViewClock::Kind kind, const std::string& cache, double period = 0,
                 double spread = 0) {
    Clocks clocks;
    clocks.views.emplace_back();
    clocks.views.back() = {kind, cache, period, spread};
    return clocks;
}

FleetResult result_of(const Setting& setting, const Clocks& clocks, const Fleet& of = fleet) {
    return extrapolate(of, setting, clocks, {}, {.publication = 0.05}, 1);
}

}  // namespace

TEST_CASE("a fleet with DNS caches: what the formula gives, and as many queries as TTLs end") {
    struct Row {
        std::int64_t ttl;
        double interval;
        std::int64_t fall;
        double error_seconds, last_node, queries;
    };
    for (const Row& row : {Row{60, 30, 3, 10.5, 134, 833}, Row{60, 10, 3, 5.48, 85, 833},
                           Row{10, 1, 2, 0.65, 11.5, 5000}, Row{5, 1, 2, 0.40, 6.5, 10000},
                           Row{1, 1, 2, 0.20, 2.5, 47619}}) {
        const FleetResult result = result_of(setting_of(row.ttl, row.interval, row.fall),
                                             clocks_of(ViewClock::Kind::Ttl, "cache"));
        CAPTURE(row.ttl);
        CHECK(result.error_seconds == Approx(row.error_seconds).epsilon(0.03));
        CHECK(result.last_node == Approx(row.last_node).epsilon(0.03));
        CHECK(result.queries_per_second == Approx(row.queries).epsilon(0.02));
        CHECK(result.probes_per_second == Approx(500 / row.interval));
        CHECK(result.messages_per_change == 0);
    }
}

TEST_CASE("a fleet with pushes: no queries, a message to each node for a change") {
    const FleetResult result =
        result_of(setting_of(30, 1, 2), clocks_of(ViewClock::Kind::Push, "", 0.003));
    CHECK(result.error_seconds == Approx(0.155).epsilon(0.03));
    CHECK(result.last_node == Approx(1.57).epsilon(0.03));
    CHECK(result.queries_per_second == 0);
    CHECK(result.messages_per_change == 1000);
}

TEST_CASE("a fleet of sidecars with checks of their own probes everything from everywhere") {
    Clocks clocks;
    clocks.checker = Clocks::Checker::Own;
    clocks.through_proxy = true;
    const FleetResult result = result_of(setting_of(30, 1, 2), clocks);
    CHECK(result.error_seconds == Approx(0.15).epsilon(0.02));
    CHECK(result.last_node == Approx(2).epsilon(0.01));  // each has a phase of its own
    CHECK(result.probes_per_second == 500'000);
    Setting central = setting_of(30, 1, 2);
    central.topology = "central";
    CHECK(result_of(central, clocks).probes_per_second == 500);
}

TEST_CASE(
    "a fleet that detects passively waits for its own failures: long, where requests are few") {
    Clocks clocks;
    clocks.checker = Clocks::Checker::Nobody;
    clocks.ejects_after = 5;
    clocks.ejected_for = 30;
    clocks.through_proxy = true;
    const FleetResult busy = result_of(setting_of(30, 1, 2), clocks);
    CHECK(busy.error_seconds == Approx(0.25).epsilon(0.02));
    CHECK(busy.last_node == Approx(7.8).epsilon(0.1));
    const FleetResult idle = result_of(setting_of(30, 1, 2), clocks, {1000, 50, 10, 50});
    CHECK(idle.error_seconds == Approx(5).epsilon(0.02));
    CHECK(idle.last_node == Approx(155).epsilon(0.1));
}

TEST_CASE("a fleet that polls with random waits") {
    const FleetResult result =
        result_of(setting_of(30, 1, 2), clocks_of(ViewClock::Kind::Poll, "", 5, 5));
    CHECK(result.error_seconds == Approx(0.54).epsilon(0.03));
    CHECK(result.queries_per_second == Approx(6667).epsilon(0.001));
}

TEST_CASE("clients that seldom ask often hold nothing stale, and equal seeds give equal results") {
    const Clocks clocks = clocks_of(ViewClock::Kind::Ttl, "cache");
    const FleetResult often = result_of(setting_of(10, 1, 2), clocks);
    const FleetResult seldom = result_of(setting_of(10, 1, 2), clocks, {1000, 50, 10, 5});
    CHECK(seldom.error_seconds == Approx(0.1 * (1.55 + 0.5 * 5)).epsilon(0.03));
    CHECK(seldom.queries_per_second == Approx(2500).epsilon(0.01));
    CHECK(result_of(setting_of(10, 1, 2), clocks).error_seconds == often.error_seconds);
}

TEST_CASE("retries leave a fleet no errors of what refuses") {
    Setting setting = setting_of(10, 1, 2);
    setting.client_retries = 1;
    CHECK(result_of(setting, clocks_of(ViewClock::Kind::Ttl, "cache")).error_seconds == 0);
}
