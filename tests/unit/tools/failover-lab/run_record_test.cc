#include "tools/failover-lab/model/run_record.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tools/failover-lab/model/measured.h"

using namespace dnsd::lab;
using nlohmann::json;

namespace {

RunRecord record_of_everything() {
    RunRecord record;
    record.setting.way = "unbound";
    record.setting.ttl = 5;
    record.cell = name_of(record.setting);
    record.number = 3;
    record.phase = 0.375;
    record.phase_clock = "ttl of unbound";
    record.seed = 12345678901234567890U;
    record.versions = {{"unbound", "1.17.1"}};
    record.phases = {.wall_start = 1'700'000'000.25,
                     .fault = 2,
                     .plan = {{2, 0, "refuse"}},
                     .probe = 1.5,
                     .probe_interval = 1.0002,
                     .fetches = {0.5, std::numeric_limits<double>::quiet_NaN()},
                     .victims = {0, 1},
                     .probes = {1.5, 1.25}};
    record.marks.fault = 2.001;
    record.marks.detected = 3.5;
    record.actions = {{2.001, 0, "refuse"}};
    record.end = 12;
    record.lag_p99_ms = 0.4;
    record.started = "2025-01-01T00:00:00Z";
    return record;
}

}  // namespace

TEST_CASE("a record of a run comes back from its JSON text as it was") {
    const RunRecord record = record_of_everything();
    const auto back = run_record_from_json(json::parse(to_json(record).dump()));
    REQUIRE(back);
    CHECK(to_json(*back) == to_json(record));
    CHECK(back->setting == record.setting);
    CHECK(back->seed == record.seed);
    CHECK(back->phases.probe == 1.5);
    CHECK(back->phases.fetches.at(0) == 0.5);
    CHECK(std::isnan(back->phases.fetches.at(1)));
    CHECK(back->phases.probes == std::vector{1.5, 1.25});
    CHECK(back->phases.plan.at(0).what == "refuse");
    CHECK(back->marks.detected == 3.5);
    CHECK(!back->marks.published);
}

TEST_CASE("a record that is damaged is an error that names the place") {
    const json good = to_json(record_of_everything());
    const auto error_of = [&](const char* pointer, const json& value) {
        json bad = good;
        bad[json::json_pointer(pointer)] = value;
        const auto back = run_record_from_json(bad);
        REQUIRE(!back);
        return back.error().message;
    };
    CHECK(error_of("/number", "three").starts_with("number is not as it should be"));
    CHECK(error_of("/phases/fault", "two").starts_with("phases: fault is not as it should be"));
    CHECK(error_of("/phases/plan/0/at", "now").starts_with("phases: plan is not as it should be"));
    CHECK(error_of("/marks/view", true).starts_with("marks: view is not as it should be"));
    CHECK(error_of("/setting/ttl", -1).starts_with("setting: ttl = -1"));
    CHECK(!run_record_from_json(json::array()));
    CHECK(run_record_from_json(json::object()).error().message == "setting is missing");
}

TEST_CASE("what is measured beside the runs comes back too") {
    EffectiveTtlRecord ttls;
    ttls.cache = "unbound";
    ttls.title = "unbound";
    ttls.samples = {{"unbound", 1, 0.125, 1.875}};
    const auto ttls_back = effective_ttl_from_json(json::parse(to_json(ttls).dump()));
    REQUIRE(ttls_back);
    CHECK(ttls_back->samples.at(0).cache == "unbound");
    CHECK(ttls_back->samples.at(0).age == 1.875);

    CostRecord cost;
    cost.way = "envoy-xds";
    cost.added = {100, 200, 300};
    cost.cpu_us_per_request = {{"proxy", 55}};
    const auto cost_back = cost_from_json(json::parse(to_json(cost).dump()));
    REQUIRE(cost_back);
    CHECK(to_json(*cost_back) == to_json(cost));
    CHECK(!cost_from_json(json{{"direct", 1}}));
    CHECK(!effective_ttl_from_json(json{{"samples", 1}}));
}
