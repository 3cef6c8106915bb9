#include "tools/failover-lab/scheduler.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/model/run_record.h"

using namespace dnsd;
using namespace dnsd::lab;

namespace {

namespace fs = std::filesystem;

// A folder of its own, and in place of what makes namespaces a shell script: it is given our own
// program, "inside", "--order" and the order's file.
struct Fixture {
    Fixture() {
        std::string name = "/tmp/dnsd-scheduler-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        RunRecord record;
        record.cell = "way=dns fault=kill";
        record.phases.fault = 1;
        REQUIRE(replace_file(folder + "/run.json", to_json(record).dump()));
        std::vector<Request> requests(200);
        for (std::size_t n = 0; n < requests.size(); ++n) {
            requests[n].intended_us = static_cast<std::uint32_t>(n * 10'000);
            requests[n].latency_us = 500;
            requests[n].instance = 0;
        }
        REQUIRE(replace_file(folder + "/requests.bin", encode_log(requests)));
        job.place = "raw/way=dns fault=kill/0";
        job.leaves = "run.json";
        job.title = "way=dns fault=kill 1/1";
        job.seconds = 1;
        job.order.cell = record.cell;
        job.order.equipment.self = "self";
    }
    ~Fixture() { fs::remove_all(folder); }

    ScheduleOutcome carry_out_with(const std::string& script) {
        const auto outcome =
            carry_out({.together = {job}, .alone = {}, .skipped = {}},
                      {.out = folder, .jobs = 2, .isolation = {{"sh", "-c", script}, ""}});
        if (!outcome) FAIL(outcome.error().message);
        return *outcome;
    }
    RunRecord record_at(const std::string& place) const {
        const auto text = read_file(folder + "/" + place + "/run.json");
        if (!text) FAIL(text.error().message);
        const auto record = run_record_from_json(nlohmann::json::parse(*text));
        if (!record) FAIL(record.error().message);
        return *record;
    }
    bool exists(const std::string& path) const { return fs::exists(folder + "/" + path); }

    std::string folder;
    Job job;
    const std::string good =
        R"sh(cd "$(dirname "$3")" && cp ../../run.json ../../requests.bin .)sh";
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what is whole is moved to its place, and not done again") {
    CHECK(carry_out_with(good + " && touch dnsd.db dnsd.log").done == 1);
    CHECK(exists(job.place + "/requests.bin"));
    CHECK(exists(job.place + "/dnsd.log"));
    CHECK(!exists(job.place + "/dnsd.db"));
    CHECK(!exists(job.place + ".again"));
    CHECK(!exists("work"));
    const ScheduleOutcome second = carry_out_with("exit 1");
    CHECK(second.done == 0);
    CHECK(second.kept == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "what comes to nothing is tried twice, says why, and is done anew next time") {
    CHECK(carry_out_with("echo the reason >&2; exit 3").done == 2);
    const RunRecord record = record_at(job.place);
    CHECK(record.problem == "its process ended with 3: the reason");
    CHECK(record.cell == job.order.cell);
    CHECK(record_at(job.place + ".again").problem == record.problem);
    CHECK(carry_out_with(good).done == 1);
    CHECK(record_at(job.place).problem.empty());
    CHECK(!exists(job.place + ".again"));
}

TEST_CASE_FIXTURE(Fixture, "half of a log is no run") {
    carry_out_with(good + " && truncate -s 100 requests.bin");
    CHECK(exists(job.place));
    CHECK(exists(job.place + ".again"));
}

TEST_CASE_FIXTURE(Fixture, "what an interrupted suite left half done is done again") {
    fs::create_directories(folder + "/work/0");
    REQUIRE(replace_file(folder + "/work/0/run.json", "{}"));
    fs::create_directories(folder + "/" + job.place);
    CHECK(carry_out_with(good).done == 1);
    CHECK(record_at(job.place).problem.empty());
    CHECK(!exists("work"));
}

TEST_CASE_FIXTURE(Fixture, "where nothing can be written nothing is begun") {
    const auto outcome = carry_out({.together = {job}, .alone = {}, .skipped = {}},
                                   {.out = "/proc/none", .jobs = 1, .isolation = {{"true"}, ""}});
    REQUIRE(!outcome);
    CHECK(outcome.error().message.find("/proc/none") != std::string::npos);
}
