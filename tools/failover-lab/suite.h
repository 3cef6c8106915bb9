// A suite: which cells are run how often, which are compared, what else is measured. Read from
// TOML; those that ship are in suites/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

struct Cell {
    Setting setting;
    int runs = 4;
    int value = 50;        // what is dropped first for a budget: the least
    std::string group;     // the axis that it belongs to, for people: "TTL", "way", "fault"
    bool measured = true;  // false: its window is too long for this suite; the model fills it
};

// Two cells run by run, in the order of their numbers, which have the same phases.
struct Pair {
    enum class Goal { Ratio, NoFailures };
    std::string title;
    std::string a, b;  // names of cells; a is ours
    Goal goal = Goal::Ratio;
    double ratio_max = 1.1;  // the interval of a/b lies below it
};

struct Suite {
    std::string name, about;
    std::vector<Cell> cells;  // each name once
    std::vector<Pair> pairs;
    std::vector<std::string> effective_ttls;  // caches to measure
    std::vector<int> effective_ttl_seconds;   // with these TTLs
    std::vector<std::string> costs;           // ways to measure alone, at the end
};

// The grammar, by example; a list in a cell stands for a cell with each of its values, several
// lists for all combinations; what a cell does not say it has from [centre]:
//
//   about = "..."
//   [centre]
//   way = "dns"
//   ttl = 1
//   runs = 4
//   [[cell]]
//   group = "TTL"
//   ttl = [0, 5, 10, 30]
//   [[cell]]
//   preset = "service-connect"
//   measured = false
//   [[pair]]
//   title = "DNS with push against Envoy"
//   a = {way = "replica", ttl = 30}
//   b = {way = "envoy-xds"}
//   runs = 16
//   goal = "ratio"            # or "no failures"
//   [effective_ttl]
//   caches = ["unbound"]
//   ttls = [1, 5]
//   [cost]
//   ways = ["dns", "envoy-xds"]
//
// The error names file, line and what is allowed.
Result<Suite> read_suite(std::string_view text, std::string_view file);

// Cells that go for the suite to take so many seconds, from the least valuable up; returns their
// names. `seconds_of(cell)` is one run of it.
std::vector<std::string> drop_for_budget(Suite& suite, double seconds, int runs_at_once);

// What one run of the cell takes, in seconds, by the model: start, load before, window, load after.
double seconds_of(const Cell& cell);

// The caches whose effective TTL can be measured: those of the ways, and the stubs.
std::vector<std::string> measurable_caches();

// "60 s TTL, 30 s checks": named settings, a row each in presets.cc.
struct Preset {
    std::string_view name, about;
    Setting setting;
};
const std::vector<Preset>& presets();

}  // namespace dnsd::lab
