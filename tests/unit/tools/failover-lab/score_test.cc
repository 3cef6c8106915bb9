#include <doctest/doctest.h>

#include "tools/failover-lab/report/cells.h"
#include "tools/failover-lab/report/results.h"

using namespace dnsd::lab;

namespace {

// Ten requests a second to three instances in turn, fault at 2, end at 10.
struct Log {
    RunRecord record;
    std::vector<Request> requests;

    Log() {
        record.setting.rate = 10;
        record.phases.fault = 2;
        record.phases.victims = {0};
        record.marks.fault = 2;
        record.end = 10;
        for (std::uint32_t n = 0; n < 100; ++n) {
            requests.push_back(
                {n * 100'000, 1'000, 0, Outcome::Ok, static_cast<std::uint8_t>(n % 3)});
        }
    }
    Request& at(double seconds) { return requests[static_cast<std::size_t>(seconds * 10 + 0.5)]; }
    Score score() const { return dnsd::lab::score(record, requests); }
};

RunResult run_of(const Log& log) {
    RunResult run;
    run.record = log.record;
    run.score = log.score();
    run.invalid = why_invalid(run);
    decompose(run);
    return run;
}

}  // namespace

TEST_CASE("a run without trouble has a window of nothing") {
    const Score score = Log().score();
    CHECK(score.requests == 80);
    CHECK(score.failed == 0);
    CHECK(score.window == 0);
    CHECK(!score.last_failed);
    CHECK(score.p50_ms == doctest::Approx(1));
}

TEST_CASE("slow requests are bad, failed ones are both") {
    Log log;
    log.at(2.1).outcome = Outcome::Refused;
    log.at(3.5).latency_us = 250'001;
    log.at(3.6).latency_us = 250'000;
    const Score score = log.score();
    CHECK(score.failed == 1);
    CHECK(score.bad == 2);
    CHECK(score.error_seconds == doctest::Approx(0.1));
    CHECK(score.bad_seconds == doctest::Approx(0.2));
    CHECK(score.window == doctest::Approx(1.5));
    CHECK(*score.last_failed == doctest::Approx(2.1));
}

TEST_CASE("what was under way at the fault belongs to it, what failed earlier does not") {
    Log log;
    log.at(1.5).outcome = Outcome::Timeout;
    CHECK(log.score().failed_before == 1);
    CHECK(run_of(log).invalid == "1 requests failed before the fault");

    log.at(1.5).outcome = Outcome::Ok;
    log.record.marks.fault = 2.01;
    log.at(2).outcome = Outcome::Reset;
    CHECK(log.score().failed_before == 0);
    CHECK(log.score().failed == 1);
    CHECK(log.score().window == 0);
    CHECK(run_of(log).invalid.empty());
}

TEST_CASE("a share is restored where a second has half of it, after the return") {
    Log log;
    CHECK(!log.score().share_restored);  // nothing returned

    log.record.actions = {{2, 0, "refuse"}, {4, 0, "well"}};
    for (auto& request : log.requests) {
        const bool away = request.intended() >= 2 && request.intended() < 6;
        if (request.instance == 0 && away) request.instance = 1;
    }
    // One lone answer is less than the two that half of 10/3 rounds up to.
    log.at(4.5).instance = 0;
    CHECK(*log.score().share_restored == doctest::Approx(6));
    CHECK(*run_of(log).share_after == doctest::Approx(2));

    for (auto& request : log.requests) {
        if (request.instance == 0 && request.intended() >= 2) request.instance = 2;
    }
    CHECK(!log.score().share_restored);
}

TEST_CASE("a generator that lagged, and a run that did not come about, do not count") {
    Log log;
    log.record.lag_p99_ms = 20;
    CHECK(run_of(log).invalid.empty());
    log.record.lag_p99_ms = 21;
    CHECK(run_of(log).invalid == "the generator lagged by 21 ms (p99)");
    log.record.problem = "unbound did not start";
    CHECK(run_of(log).invalid == "unbound did not start");
}

TEST_CASE("the parts add up to the window, whatever the marks say") {
    Log log;
    log.at(4.9).outcome = Outcome::Refused;
    RunResult run = run_of(log);
    CHECK(run.detection == doctest::Approx(2.9));  // no mark: somebody else decided

    log.record.marks.detected = 3.5;
    log.record.marks.published = 3.6;
    log.record.marks.view = 4.6;
    run = run_of(log);
    CHECK(run.detection == doctest::Approx(1.5));
    CHECK(run.publication == doctest::Approx(0.1));
    CHECK(run.cache_residual == doctest::Approx(1.0));
    CHECK(run.connection_residual == doctest::Approx(0.3));

    log.record.marks.view = std::nullopt;  // then the last bad request tells
    CHECK(run_of(log).cache_residual == doctest::Approx(1.3));

    log.record.marks.detected = 7;  // after all was over
    run = run_of(log);
    CHECK(run.detection == doctest::Approx(2.9));
    CHECK(run.publication + run.cache_residual + run.connection_residual == doctest::Approx(0));
}
