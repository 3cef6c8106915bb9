#include "zone/registry/reports.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::registry;
using namespace std::chrono_literals;

TEST_CASE("a failure counts for its window, and is forgotten after it") {
    ReportedFailures reported;
    SteadyTime now{1h};
    reported.add(2, now, 10s);
    reported.add(1, now + 5s, 10s);
    CHECK(reported.count(now + 9999ms, 10s) == 3);
    CHECK(reported.count(now + 10s, 10s) == 1);
    CHECK(reported.count(now + 15s, 10s) == 0);
    reported.add(1, now + 20s, 10s);
    CHECK(reported.count(now + 20s, 10s) == 1);
    reported.forget();
    CHECK(reported.count(now + 20s, 10s) == 0);
}

TEST_CASE("no number of failures is too large to count") {
    ReportedFailures reported;
    const SteadyTime now{1h};
    for (int i = 0; i < 10'000; ++i) reported.add(1000, now + i * 1ms, 10s);
    CHECK(reported.count(now + 10s - 1ms, 10s) == 1'000'000);
}

TEST_CASE("what led to a reconfirmation is spent, and the next is a second away") {
    ReportedFailures reported;
    const SteadyTime now{1h};
    reported.add(3, now, 10s);
    CHECK(reported.may_reconfirm(now));
    reported.reconfirmed(now);
    CHECK(reported.count(now, 10s) == 0);
    CHECK_FALSE(reported.may_reconfirm(now + 999ms));
    CHECK(reported.may_reconfirm(now + 1s));
}

TEST_CASE("all reports together have a budget") {
    ReconfirmationBudget budget;
    const SteadyTime now{1h};
    for (std::size_t i = 0; i < ReconfirmationBudget::per_second_max; ++i) CHECK(budget.take(now));
    CHECK_FALSE(budget.take(now + 999ms));
    CHECK(budget.take(now + 1s));
}
