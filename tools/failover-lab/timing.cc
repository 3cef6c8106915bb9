#include "tools/failover-lab/timing.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

// Measured on two cores with twelve runs at a time: until dnsd, instances and the way serve, and
// the steady second before the fault is due.
constexpr double start_seconds = 0.6, steady_seconds = 2.0;
constexpr double margin = 1.5;  // seconds after the last thing that is expected

double longest_wait(const ViewClock& view, const Setting& setting, const EffectiveTtls& ttls) {
    switch (view.kind) {
        case ViewClock::Kind::Ttl:
            return ttls.lifetime(view.cache, static_cast<double>(setting.ttl), 0.5);
        case ViewClock::Kind::Poll:
            return view.period + view.spread;
        case ViewClock::Kind::Push:
            return view.period;
    }
    return 0;
}

// Seconds until who comes, or comes back, has its share of the load.
double longest_return(const Setting& setting, const Clocks& clocks) {
    double seconds = static_cast<double>(setting.rise) * setting.interval + setting.publish_delay;
    for (const ViewClock& view : clocks.views) seconds += longest_wait(view, setting, {});
    return seconds;
}

bool brings_back(const Action& action) {
    return action.what == "well" || action.what == "register";
}

// The fault comes at a phase of the longest clock: on the average half of it goes by before.
double longest_clock(const Setting& setting, const Clocks& clocks) {
    double longest = clocks.checker == Clocks::Checker::Nobody ? 0 : setting.interval;
    for (const ViewClock& view : clocks.views) {
        longest = std::max(longest, longest_wait(view, setting, {}));
    }
    return longest;
}

// What takes time, as a budget sees it. Costs are worth as much as a cell that says nothing of its
// value; an effective TTL is dropped after the cells that are predicted with it.
struct Item {
    std::string name;
    int value = 50;
    double seconds = 0;  // of one run
    int count = 1;
    bool alone = false;  // on the machine
};
const std::string cost_prefix = "cost of ", ttl_prefix = "effective TTL of ";

std::vector<Item> items_of(const Suite& suite) {
    std::vector<Item> items;
    for (const Cell& cell : suite.cells) {
        if (!cell.measured) continue;
        items.push_back({name_of(cell.setting), cell.value, seconds_of(cell), cell.runs});
    }
    for (const std::string& cache : suite.effective_ttls) {
        items.push_back({ttl_prefix + cache, 72, seconds_of_effective_ttl(suite, cache)});
    }
    for (const std::string& way : suite.costs) {
        items.push_back({cost_prefix + way, 50, seconds_of_cost(), 1, true});
    }
    return items;
}

double seconds_of(const std::vector<Item>& items, int runs_at_once) {
    double together = 0, longest = 0, alone = 0;
    for (const Item& item : items) {
        (item.alone ? alone : together) += item.seconds * item.count;
        if (!item.alone) longest = std::max(longest, item.seconds);
    }
    return std::max(together / runs_at_once, longest) + alone;
}

}  // namespace

double watch_of(const Setting& setting) {
    const Clocks clocks = find_way(setting.way)->clocks(setting);
    const Fault& fault = *find_fault(setting.fault);
    const std::vector<Action> plan = fault.plan(setting);
    const double last = plan.empty() ? 0 : plan.back().at;
    double watch = std::max(last + margin, last + fault.watch(setting) + 1);
    if (!plan.empty() && brings_back(plan.back())) {
        watch = std::max(watch, last + longest_return(setting, clocks) + margin);
    }
    return std::max(watch, expect(setting, clocks, {}, {}, 200).window_max + margin);
}

double seconds_of(const Cell& cell) {
    const Clocks clocks = find_way(cell.setting.way)->clocks(cell.setting);
    return start_seconds + steady_seconds + longest_clock(cell.setting, clocks) / 2 +
           watch_of(cell.setting);
}

double seconds_of_effective_ttl(const Suite& suite, std::string_view cache) {
    double seconds = 5;
    for (const int ttl : suite.effective_ttl_seconds)
        seconds += std::min(2.0 * ttl, ttl + 10.0) + 4;
    // OpenJDK keeps all for 30 s; nscd looks for what has lapsed every 15 s, at names begun all
    // over that time.
    const double longest =
        suite.effective_ttl_seconds.empty() ? 0 : std::ranges::max(suite.effective_ttl_seconds);
    if (cache == "jvm") return 40;
    return cache == "nscd" ? longest + 35 : seconds;
}

// Starting, nothing for 2 s, warming up, and 5 s of requests.
double seconds_of_cost() { return 9.5; }

double seconds_of(const Suite& suite, int runs_at_once) {
    const std::vector<Item> items = items_of(suite);
    return seconds_of(items, runs_at_once);
}

std::vector<std::string> drop_for_budget(Suite& suite, double seconds, int runs_at_once) {
    std::vector<Item> items = items_of(suite);
    // The most valuable first; of equal value the shortest.
    std::ranges::stable_sort(items, {}, [](const Item& item) {
        return std::pair(-item.value, item.seconds * item.count);
    });
    std::vector<std::string> dropped;
    while (!items.empty() && seconds_of(items, runs_at_once) > seconds) {
        const std::string name = items.back().name;
        std::erase_if(suite.cells, [&](const Cell& cell) { return name_of(cell.setting) == name; });
        std::erase_if(suite.pairs, [&](const Pair& p) { return p.a == name || p.b == name; });
        std::erase_if(suite.costs, [&](const auto& way) { return name == cost_prefix + way; });
        std::erase_if(suite.effective_ttls,
                      [&](const auto& cache) { return name == ttl_prefix + cache; });
        dropped.push_back(name);
        items.pop_back();
    }
    return dropped;
}

}  // namespace dnsd::lab
