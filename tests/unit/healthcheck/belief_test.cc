#include "healthcheck/belief.h"

#include <doctest/doctest.h>

#include "healthcheck/breaker.h"

using namespace dnsd;
using namespace dnsd::health;
using namespace std::chrono_literals;

namespace {

constexpr WallTime start{Milliseconds(1'767'268'800'000)};

Probe probe(bool success, Milliseconds at) {
    return {start + at, start + at, success, success ? "connected" : "timeout"};
}

// 's' and 'f' are outcomes, one a second; the statuses after each, as 'h', 'u' and '?'.
std::string statuses(Thresholds thresholds, std::string_view outcomes,
                     Status initial = Status::Unknown) {
    Belief belief(thresholds, initial);
    std::string seen;
    Milliseconds at{0};
    for (const char outcome : outcomes) {
        belief.take(probe(outcome == 's', at += 1s));
        seen += belief.status() == Status::Healthy     ? 'h'
                : belief.status() == Status::Unhealthy ? 'u'
                                                       : '?';
    }
    return seen;
}

}  // namespace

TEST_CASE("rise and fall outcomes in a row change the belief, and nothing less does") {
    struct Row {
        std::uint32_t rise, fall;
        Status initial;
        std::string outcomes, statuses;
    };
    const std::vector<Row> rows = {
        {1, 2, Status::Unknown, "sfsffs", "hhhhuh"},
        {1, 1, Status::Unknown, "fsf", "uhu"},
        {3, 2, Status::Unknown, "ssfsssff", "?????hhu"},
        {2, 3, Status::Unknown, "ffsfff", "?????u"},
        {1, 2, Status::Healthy, "fff", "huu"},
        {2, 2, Status::Unhealthy, "sfss", "uuuh"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.outcomes);
        Thresholds thresholds;
        thresholds.rise = row.rise;
        thresholds.fall = row.fall;
        CHECK(statuses(thresholds, row.outcomes, row.initial) == row.statuses);
    }
}

TEST_CASE("the evidence is the run of equal outcomes that led there, oldest first") {
    Thresholds thresholds;
    thresholds.fall = 3;
    Belief belief(thresholds, Status::Healthy);
    for (const bool success : {false, true, false, false, false}) {
        static Milliseconds at{0};
        belief.take(probe(success, at += 1s));
    }
    const auto run = belief.run();
    REQUIRE(run.size() == 3);
    CHECK(run.front().tick == start + 3s);
    CHECK(run.back().tick == start + 5s);
}

TEST_CASE("who flips too often stays out until it has been quiet for the window") {
    Thresholds thresholds;
    thresholds.rise = thresholds.fall = 1;
    thresholds.flap_limit = 2;
    thresholds.flap_window = 5s;
    // Flips at 2, 3 and 4 s are more than two; the last, at 5 s, leaves the window at 10 s. The first
    // verdict is no flip.
    CHECK(statuses(thresholds, "sfsfsssssss") ==
          "huhuuuuuuhh");
    thresholds.flap_limit = 0;
    CHECK(statuses(thresholds, "sfsfs") == "huhuh");
}

TEST_CASE("the breaker holds verdicts back while more than its percentage turn at once") {
    const SteadyTime now{1h};
    Breaker breaker(50, 10);
    const auto turn = [&](std::uint64_t watch, SteadyTime at) {
        breaker.hold(watch);
        return breaker.release(at, 1s, 10);
    };
    for (std::uint64_t watch = 1; watch <= 5; ++watch) CHECK(turn(watch, now).size() == 1);
    CHECK(turn(6, now).empty());
    CHECK(breaker.is_open());
    CHECK(turn(7, now + 500ms).empty());

    SUBCASE("those told an interval ago do not count any more") {
        CHECK(breaker.release(now + 1s, 1s, 10).size() == 2);
        CHECK_FALSE(breaker.is_open());
    }
    SUBCASE("those that turned back are never told") {
        breaker.forget(6);
        breaker.forget(7);
        CHECK(breaker.release(now + 1s, 1s, 10).empty());
        CHECK_FALSE(breaker.is_open());
    }
    SUBCASE("switched off, it lets go of what it held") {
        breaker.set_percent(0);
        CHECK(breaker.release(now, 1s, 10).size() == 2);
    }
}

TEST_CASE("the breaker leaves few checks and few failures alone") {
    Breaker few(10, 10);
    for (std::uint64_t watch = 1; watch <= 9; ++watch) few.hold(watch);
    CHECK(few.release(SteadyTime{1h}, 1s, 9).size() == 9);
    Breaker off(0, 10);
    for (std::uint64_t watch = 1; watch <= 100; ++watch) off.hold(watch);
    CHECK(off.release(SteadyTime{1h}, 1s, 100).size() == 100);
}
