#include "tools/failover-lab/suite.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tools/failover-lab/catalogue.h"
#include "tools/failover-lab/plan.h"
#include "tools/failover-lab/run.h"
#include "tools/failover-lab/timing.h"

using namespace dnsd;
using namespace dnsd::lab;

namespace {

Suite read(std::string_view text) {
    auto suite = read_suite(text, "suites/mine.toml");
    if (!suite) FAIL(suite.error().message);
    return *std::move(suite);
}

std::string complaint(std::string_view text) {
    const auto suite = read_suite(text, "mine.toml");
    return suite ? "" : suite.error().message;
}

std::vector<std::string> names_of(const Suite& suite) {
    std::vector<std::string> names;
    for (const Cell& cell : suite.cells) names.push_back(name_of(cell.setting));
    return names;
}

}  // namespace

TEST_CASE("a list in a cell stands for a cell with each of its values") {
    const Suite suite = read(R"(
        about = "mine"
        [centre]
        ttl = 5
        runs = 3
        [[cell]]
        group = "TTL"
        ttl = [0, 1]
        [[cell]]
        way = ["unbound", "dnsmasq"]
        fault = ["kill", "stop"]
        runs = 7
        value = 9
        measured = false
    )");
    CHECK(suite.name == "mine");
    CHECK(suite.about == "mine");
    REQUIRE(suite.cells.size() == 6);
    CHECK(suite.cells[0].setting.ttl == 0);
    CHECK(suite.cells[0].runs == 3);
    CHECK(suite.cells[0].group == "TTL");
    CHECK(suite.cells[0].measured);
    CHECK(suite.cells[2].setting.way == "unbound");
    CHECK(suite.cells[2].setting.fault == "kill");
    CHECK(suite.cells[3].setting.fault == "stop");
    CHECK(suite.cells[5].setting.way == "dnsmasq");
    CHECK(suite.cells[5].setting.ttl == 5);
    CHECK(suite.cells[5].runs == 7);
    CHECK(suite.cells[5].value == 9);
    CHECK(!suite.cells[5].measured);
}

TEST_CASE("what two axes have in common is one cell, run as often as the more demanding says") {
    const Suite suite =
        read("[[cell]]\nttl = [1, 5]\n[[cell]]\nway = ['dns', 'unbound']\nruns = 6\n");
    REQUIRE(suite.cells.size() == 3);
    CHECK(suite.cells[0].runs == 6);
    CHECK(suite.cells[1].runs == 4);
}

TEST_CASE("a pair adds its cells, with equally many runs wherever they stand") {
    const Suite suite = read(R"(
        [[cell]]
        way = "replica"
        runs = 2
        [[pair]]
        title = "first"
        a = {way = "replica"}
        b = {way = ["envoy-xds", "haproxy-agent"]}
        fault = ["kill", "stop"]
        [[pair]]
        title = "second"
        a = {way = "haproxy-agent"}
        b = {way = "haproxy-checks"}
        runs = 20
        goal = "no failures"
        ratio_max = 1.5
    )");
    REQUIRE(suite.pairs.size() == 5);
    CHECK(suite.pairs[0].title == "first (Envoy by dnsd's xDS, kill)");
    CHECK(suite.pairs[0].a == "way=replica fault=kill");
    CHECK(suite.pairs[0].b == "way=envoy-xds fault=kill");
    CHECK(suite.pairs[0].goal == Pair::Goal::Ratio);
    CHECK(suite.pairs[4].title == "second");
    CHECK(suite.pairs[4].goal == Pair::Goal::NoFailures);
    CHECK(suite.pairs[4].ratio_max == 1.5);
    CHECK(suite.cells.size() == 7);
    for (const Cell& cell : suite.cells) {
        CHECK(cell.runs == (cell.setting.fault == "kill" ? 20 : 16));
    }
}

TEST_CASE("a preset is where a cell begins, in place of the centre") {
    const Suite suite =
        read("[centre]\nrate = 50\n[[cell]]\npreset = 'ecs-service-discovery'\nfall = 5\n");
    REQUIRE(suite.cells.size() == 1);
    const Setting& setting = suite.cells[0].setting;
    CHECK(setting.preset == "ecs-service-discovery");
    CHECK(setting.ttl == 60);
    CHECK(setting.fall == 5);
    CHECK(setting.rate == Setting{}.rate);
    for (const Preset& preset : presets()) CHECK(preset.setting.preset == preset.name);
}

TEST_CASE("a mistake is named with its file and line, and with what is allowed") {
    const std::map<std::string, std::pair<std::string, std::string>> mistakes{
        {"[[cell]]\nway = 'dnsx'", {"mine.toml:2: ", "\"dns\", \"forwarder\""}},
        {"[[cell]]\nfault = ['kill',\n 'kil']", {"mine.toml:3: ", "\"kill\", \"stop\""}},
        {"[[cell]]\npreset = 'slow'", {"mine.toml:2: ", "\"service-connect\""}},
        {"[[cell]]\nttl = -1", {"mine.toml:2: ", "a whole number from 0 to 86400"}},
        {"[[cell]]\nttl = 1.5", {"mine.toml:2: ", "a whole number from 0 to 86400"}},
        {"[[cell]]\nttl = []", {"mine.toml:2: ", "empty list"}},
        {"[[cell]]\nttl = {a = 1}", {"mine.toml:2: ", "a value, or a list of values"}},
        {"[[cell]]\nreconfirm = 1", {"mine.toml:2: ", "true or false"}},
        {"[[cell]]\nttl = 1\n\ntll = 1", {"mine.toml:4: [[cell]] takes no 'tll'", "negative_ttl"}},
        {"[[cell]]\nruns = 0", {"mine.toml:2: ", "from 1 to 1000"}},
        {"[[cell]]\nmeasured = 'no'", {"mine.toml:2: ", "true or false"}},
        {"[[cell]]\nway = 'dns'\nproxy_retries = 2",
         {"mine.toml:1: ", "these have: \"envoy-xds\""}},
        {"[cell]\nttl = 1", {"mine.toml:1: ", "[[cell]]"}},
        {"[[cells]]\nttl = 1", {"mine.toml:1: a suite takes no 'cells'", "cell, pair"}},
        {"[centre]\nttl = [1, 2]\n[[cell]]", {"mine.toml:1: ", "no lists"}},
        {"about = 1\n[[cell]]", {"mine.toml:1: ", "text"}},
        {"[[pair]]\ntitle = 'x'\na = {}", {"mine.toml:1: ", "wants a b"}},
        {"[[pair]]\ntitle = 'x'\na = {ttl = 5}\nb = {ttl = 5}", {"mine.toml:1: ", "the same"}},
        {"[[pair]]\ntitle = 'x'\na = 1\nb = {}", {"mine.toml:3: ", "a table"}},
        {"[[pair]]\ntitle = 'x'\na = {}\nb = {}\ngoal = 'win'",
         {"mine.toml:5: ", "\"no failures\""}},
        {"[effective_ttl]\ncaches = ['unbound',\n'kresd']\nttls = [1]",
         {"mine.toml:3: ", "\"jvm\""}},
        {"[effective_ttl]\ncaches = ['unbound']", {"mine.toml:1: ", "ttls"}},
        {"[effective_ttl]\nttl = [1]", {"mine.toml:2: ", "caches, ttls"}},
        {"[cost]\nways = 'dns'", {"mine.toml:2: ", "a list of texts"}},
        {"about = 'x", {"mine.toml:1: ", ""}},
        {"about = 'nothing to do'", {"mine.toml: ", "nothing to run"}},
    };
    for (const auto& [text, parts] : mistakes) {
        const std::string message = complaint(text);
        CHECK_MESSAGE(message.starts_with(parts.first), text << " gave " << message);
        CHECK_MESSAGE(message.find(parts.second) != std::string::npos, text << " gave " << message);
    }
}

TEST_CASE("the suites that ship are well, and no longer than they say") {
    CHECK(suite_names() == std::vector<std::string>{"full", "smoke", "standard"});
    const auto smoke = find_suite("smoke"), standard = find_suite("standard"),
               full = find_suite("full");
    REQUIRE(smoke);
    CHECK(smoke->cells.size() == 6);
    for (const Cell& cell : smoke->cells) {
        CHECK(cell.runs == 3);
        CHECK(cell.setting.ttl <= 2);
    }
    CHECK(seconds_of(*smoke, 12) < 60);
    REQUIRE(standard);
    CHECK(seconds_of(*standard, 12) < 8 * 60);
    REQUIRE(full);
    CHECK(seconds_of(*full, 12) < 45 * 60);
    for (const Suite& suite : {*smoke, *standard, *full}) {
        const auto names = names_of(suite);
        for (const Pair& pair : suite.pairs) {
            CHECK(std::ranges::count(names, pair.a) == 1);
            CHECK(std::ranges::count(names, pair.b) == 1);
        }
    }
    CHECK(find_suite("nightly").error().message.find("full, smoke, standard") != std::string::npos);
}

TEST_CASE("a budget drops from the least valuable up, with the pairs of what goes") {
    Suite suite = read(R"(
        [[cell]]
        ttl = [0, 1]
        value = 20
        [[cell]]
        fault = "stop"
        value = 80
        [[pair]]
        title = "x"
        a = {fault = "drop"}
        b = {ttl = 0}
        value = 10
        runs = 1
        [cost]
        ways = ["dns"]
    )");
    const double all = seconds_of(suite, 1);
    CHECK(drop_for_budget(suite, all + 0.1, 1).empty());
    CHECK(drop_for_budget(suite, all - 0.1, 1) == std::vector<std::string>{"way=dns fault=drop"});
    CHECK(suite.pairs.empty());
    const auto dropped = drop_for_budget(suite, 0.1, 1);
    REQUIRE(dropped.size() == 4);
    CHECK(dropped[2] == "cost of dns");
    CHECK(dropped[3] == "way=dns fault=stop");
    CHECK(suite.cells.empty());
    CHECK(suite.costs.empty());
}

TEST_CASE("what is selected by a part of its name, its group or a pattern") {
    const auto selected = [](const char* pattern) {
        Suite suite = read(
            "[[cell]]\ngroup = 'TTL'\nttl = [0, 5]\n[[cell]]\nway = 'unbound'\n"
            "[[pair]]\ntitle = 'x'\na = {ttl = 0}\nb = {way = 'unbound'}\n[cost]\nways = "
            "['unbound']\n");
        select(suite, pattern);
        return std::tuple(suite.cells.size(), suite.pairs.size(), suite.costs.size());
    };
    CHECK(selected("") == std::tuple(3, 1, 1));
    CHECK(selected("unbound") == std::tuple(1, 0, 1));
    CHECK(selected("TTL") == std::tuple(2, 0, 0));
    CHECK(selected("way=*ttl=5*") == std::tuple(1, 0, 0));
    CHECK(selected("nothing") == std::tuple(0, 0, 0));
}

TEST_CASE("runs of equal numbers have equal phases and seeds, and the longest come first") {
    const Suite suite = read("[[cell]]\nttl = [1, 30]\nruns = 4\n[cost]\nways = ['dns']\n");
    Equipment equipment;
    equipment.dnsd = "/usr/bin/dnsd";
    const Plan plan = plan_of(suite, equipment, 7);
    REQUIRE(plan.together.size() == 8);
    CHECK(plan.alone.size() == 1);
    CHECK(plan.skipped.empty());
    CHECK(plan.together[0].order.setting.ttl == 30);
    for (int number = 0; number < 4; ++number) {
        const Order& longer = plan.together[static_cast<std::size_t>(number)].order;
        const Order& shorter = plan.together[static_cast<std::size_t>(number) + 4].order;
        CHECK(longer.number == number);
        CHECK(shorter.number == number);
        CHECK(longer.phase == doctest::Approx((number + 0.5) / 4));
        CHECK(longer.phase == shorter.phase);
        CHECK(longer.seed == shorter.seed);
        CHECK(longer.watch > shorter.watch);
    }
    CHECK(again(plan.together[0]).place == plan.together[0].place + ".again");
}

TEST_CASE("what is missing is skipped by name") {
    const Suite suite =
        read("[[cell]]\nway = ['envoy-xds', 'envoy-dns']\n[cost]\nways = ['envoy-xds']\n");
    Equipment equipment;
    equipment.dnsd = "/usr/bin/dnsd";
    const Plan plan = plan_of(suite, equipment, 1);
    CHECK(plan.together.empty());
    CHECK(plan.alone.empty());
    REQUIRE(plan.skipped.size() == 2);
    CHECK(plan.skipped[0].starts_with("way envoy-xds: envoy"));
}

TEST_CASE("durations of the command line") {
    CHECK(parse_duration("5m") == 300);
    CHECK(parse_duration("90") == 90);
    CHECK(parse_duration("1h30m5s") == 5405);
    for (const char* bad : {"", "m", "5x", "5 m", "-5m", "1.5m", "m5"}) CHECK(!parse_duration(bad));
}
