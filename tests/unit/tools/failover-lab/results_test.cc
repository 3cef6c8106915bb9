#include "tools/failover-lab/report/results.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/report/page.h"
#include "tools/failover-lab/report/suite_json.h"

using namespace dnsd::lab;
namespace fs = std::filesystem;

namespace {

struct Folder {
    std::string path = "/tmp/failover-lab-results-XXXXXX";
    Folder() { REQUIRE(mkdtemp(path.data())); }
    ~Folder() { fs::remove_all(path); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories(fs::path(path + "/" + name).parent_path());
        REQUIRE(replace_file(path + "/" + name, text));
    }
    void suite(const Suite& suite) const {
        SuiteRecord record;
        record.suite = suite;
        record.machine = "a machine";
        write("suite.json", to_json(record).dump());
    }
    // A run whose instance 0 fails from the fault at 2 for so many seconds, 30 requests a second.
    void run(const Setting& setting, const std::string& number, double window,
             double lag_p99_ms = 1) const {
        RunRecord record;
        record.cell = name_of(setting);
        record.setting = setting;
        record.setting.rate = 30;
        record.phases.fault = 2;
        record.phases.victims = {0};
        record.phases.plan = {{2, 0, "refuse"}};
        record.phases.fetches = {1.5};
        record.phases.probe = 1.5;
        record.marks.fault = 2;
        record.actions = record.phases.plan;
        record.end = 12;
        record.lag_p99_ms = lag_p99_ms;
        std::vector<Request> requests;
        for (std::uint32_t n = 0; n < 360; ++n) {
            Request request{n * 33'333, 800, 0, Outcome::Ok, static_cast<std::uint8_t>(n % 3)};
            const double since = request.intended() - 2;
            if (request.instance == 0 && since >= 0 && since < window) {
                request.outcome = Outcome::Refused;
            }
            requests.push_back(request);
        }
        const std::string folder = "raw/" + record.cell + "/" + number;
        write(folder + "/run.json", to_json(record).dump());
        write(folder + "/requests.bin", encode_log(requests));
    }
};

Setting setting_of(const std::string& way) {
    Setting setting;
    setting.way = way;
    return setting;
}

Suite suite_of(const std::vector<Setting>& settings, int runs) {
    Suite suite;
    suite.name = "test";
    for (const Setting& setting : settings) {
        Cell cell;
        cell.setting = setting;
        cell.runs = runs;
        suite.cells.push_back(cell);
    }
    return suite;
}

}  // namespace

TEST_CASE("a suite comes back from its JSON as it was") {
    Suite suite = suite_of({setting_of("dns"), setting_of("replica")}, 16);
    suite.cells[1].measured = false;
    suite.pairs = {{"no failure", "a", "b", Pair::Goal::NoFailures, 1.2}};
    suite.effective_ttls = {"unbound"};
    suite.effective_ttl_seconds = {1, 5};
    suite.costs = {"dns"};
    const auto json = to_json(suite);
    const auto again = suite_from_json(json);
    REQUIRE(again);
    CHECK(to_json(*again) == json);
    CHECK(!suite_from_json(nlohmann::json::parse(R"({"name": "x", "cells": 3})")));
}

TEST_CASE("without suite.json there are no results, and the error says so") {
    const Folder folder;
    const auto results = load_results(folder.path);
    REQUIRE(!results);
    CHECK(results.error().message.starts_with("no results here: "));
    folder.write("suite.json", "{");
    CHECK(load_results(folder.path).error().message.ends_with("that is not JSON"));
}

TEST_CASE("a run that does not count is repeated once: the second stands for it") {
    const Folder folder;
    const Setting setting = setting_of("dns");
    folder.suite(suite_of({setting}, 3));
    folder.run(setting, "0", 2);
    folder.run(setting, "1", 9, 50);
    folder.run(setting, "1.again", 3);
    folder.run(setting, "2", 9, 50);
    folder.run(setting, "2.again", 9, 50);
    const auto results = load_results(folder.path);
    REQUIRE(results);
    const CellResult& cell = results->cells.at(0);
    CHECK(cell.runs.size() == 5);
    CHECK(cell.valid == 2);
    CHECK(cell.invalid == 1);
    CHECK(cell.invalid_marked);
    CHECK(cell.window == doctest::Approx(2.5).epsilon(0.05));
    CHECK(cell.bad_seconds == doctest::Approx(2.5 / 3).epsilon(0.05));
    CHECK(results->runs[static_cast<std::size_t>(cell.representative)].record.number == 0);
}

TEST_CASE("files that cannot be read are notes") {
    const Folder folder;
    const Setting setting = setting_of("dns");
    folder.suite(suite_of({setting}, 4));
    folder.run(setting, "0", 2);
    folder.run(setting, "1", 2);
    const std::string cell = "raw/" + name_of(setting) + "/";
    folder.write(cell + "1/requests.bin", "dnsdlab1 cut short");
    folder.write(cell + "2/run.json", "{\"cell\":");
    folder.write(cell + "notes/run.json", "no number: not looked at");
    folder.write("raw/effective_ttl/unbound/effective_ttl.json", "[]");
    folder.write("raw/cost/dns/cost.json", "");
    const auto results = load_results(folder.path);
    REQUIRE(results);
    CHECK(results->cells.at(0).valid == 1);
    CHECK(results->cells.at(0).invalid == 1);  // its log is cut short
    CHECK(results->notes.size() == 5);  // run 2, run 1's log, a cache, a cost; and a run is missing
}

TEST_CASE("pairs are compared number by number, and only where both count") {
    const Folder folder;
    const Setting ours = setting_of("replica"), theirs = setting_of("envoy-xds");
    Suite suite = suite_of({ours, theirs}, 4);
    suite.pairs = {{"ratio", name_of(ours), name_of(theirs), Pair::Goal::Ratio, 1.1},
                   {"failures", name_of(ours), name_of(theirs), Pair::Goal::NoFailures, 1.1},
                   {"absent", name_of(ours), "way=nobody", Pair::Goal::Ratio, 1.1}};
    folder.suite(suite);
    for (const char* number : {"0", "1", "2", "3"}) {
        folder.run(ours, number, 2);
        folder.run(theirs, number, 2, *number == '3' ? 99 : 1);
    }
    const auto results = load_results(folder.path);
    REQUIRE(results);
    CHECK(results->pairs.at(0).pairs == 3);
    CHECK(results->pairs.at(0).met);
    CHECK(results->pairs.at(0).words == "1.00 (1.00 to 1.00)");
    CHECK(!results->pairs.at(1).met);
    CHECK(results->pairs.at(1).words == "not shown: 60 against 60 failed requests");
    CHECK(results->pairs.at(2).words == "not shown: one of its cells was not run");
}

TEST_CASE("what a suite leaves to the model is filled by it, and marked") {
    const Folder folder;
    Suite suite = suite_of({setting_of("dns")}, 4);
    suite.cells[0].measured = false;
    folder.suite(suite);
    const auto results = load_results(folder.path);
    REQUIRE(results);
    const CellResult& cell = results->cells.at(0);
    CHECK(cell.modelled);
    CHECK(cell.bad_seconds > 0);
    CHECK(cell.bad_seconds == cell.expected.bad_seconds_mean);
    CHECK(results->notes.empty());
}

TEST_CASE("outputs are written whole, and the page holds its data") {
    const Folder folder;
    const Setting setting = setting_of("dns");
    Suite suite = suite_of({setting}, 2);
    suite.about = "an </script> in a text";
    folder.suite(suite);
    folder.run(setting, "0", 2);
    folder.run(setting, "1", 2);
    const auto results = load_results(folder.path);
    REQUIRE(results);
    CHECK(verdict(*results).size() >= 3);
    const auto written = write_outputs(*results, folder.path);
    for (const char* name :
         {"runs.jsonl", "cells.csv", "effective_ttl.csv", "cost.csv", "summary.json"}) {
        CHECK(fs::exists(folder.path + "/" + name));
    }
    const auto lines = read_file(folder.path + "/cells.csv");
    CHECK(std::ranges::count(*lines, '\n') == 2);
    // d3 is a package that a machine may lack; that is said.
    if (!written) {
        CHECK(written.error().message.find("node-d3") != std::string::npos);
        return;
    }
    const auto html = read_file(folder.path + "/report.html");
    CHECK(html->find("an \\u003c/script> in a text") != std::string::npos);
    CHECK(html->find("@data@") == std::string::npos);
}
