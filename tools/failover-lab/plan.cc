#include "tools/failover-lab/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "tools/failover-lab/equipment.h"
#include "tools/failover-lab/rig/ways.h"
#include "tools/failover-lab/timing.h"

namespace dnsd::lab {
namespace {

class Planner {
  public:
    Planner(const Suite& suite, const Equipment& equipment, std::uint64_t seed)
        : suite_(suite), equipment_(equipment), seed_(seed) {}

    Plan plan() {
        for (const std::string& cache : suite_.effective_ttls) add_effective_ttl(cache);
        for (const Cell& cell : suite_.cells) {
            if (cell.measured) add_cell(cell);
        }
        for (const std::string& way : suite_.costs) add_cost(way);
        // The longest first, or the last would be waited for alone. Numbers before cells: what is
        // compared then runs beside each other.
        std::ranges::stable_sort(plan_.together, {}, [](const Job& job) {
            return std::tuple(-std::ceil(job.seconds), job.order.number);
        });
        return std::move(plan_);
    }

  private:
    void add_cell(const Cell& cell);
    void add_effective_ttl(const std::string& cache);
    void add_cost(const std::string& way);

    // Whether nothing is missing for it; says so once if something is.
    bool can(std::string_view what, std::string_view name, const std::string& missing);
    bool can_take(const Setting& setting);
    Order order(Order::Kind kind) const {
        Order order;
        order.kind = kind;
        order.equipment = equipment_;
        order.seed = seed_;
        return order;
    }

    const Suite& suite_;
    const Equipment& equipment_;
    const std::uint64_t seed_;
    Plan plan_;
};

bool Planner::can(std::string_view what, std::string_view name, const std::string& missing) {
    if (missing.empty()) return true;
    std::string words = fmt::format("{} {}: {}", what, name, missing);
    if (std::ranges::find(plan_.skipped, words) == plan_.skipped.end()) {
        plan_.skipped.push_back(std::move(words));
    }
    return false;
}

bool Planner::can_take(const Setting& setting) {
    const std::string stub(stub_of(setting));
    return can("way", setting.way, missing_for(*find_way(setting.way), equipment_)) &&
           can("stub", stub, missing_for_stub(stub, equipment_));
}

void Planner::add_cell(const Cell& cell) {
    if (!can_take(cell.setting)) return;
    const std::string name = name_of(cell.setting);
    const double seconds = seconds_of(cell);
    const double watch = watch_of(cell.setting);
    for (int number = 0; number < cell.runs; ++number) {
        Job job{order(Order::Kind::Run), fmt::format("raw/{}/{}", name, number), "run.json",
                fmt::format("{} {}/{}", name, number + 1, cell.runs), seconds};
        job.order.setting = cell.setting;
        job.order.cell = name;
        job.order.number = number;
        job.order.phase = (number + 0.5) / cell.runs;
        job.order.seed = seed_ * 1'000'003 + static_cast<std::uint64_t>(number);
        job.order.watch = watch;
        plan_.together.push_back(std::move(job));
    }
}

void Planner::add_effective_ttl(const std::string& cache) {
    if (!can("effective TTL of", cache, missing_for_cache(cache, equipment_))) return;
    Job job{order(Order::Kind::EffectiveTtl), "raw/effective_ttl/" + cache, "effective_ttl.json",
            "effective TTL of " + cache, seconds_of_effective_ttl(suite_, cache)};
    job.order.cache = cache;
    job.order.ttls = suite_.effective_ttl_seconds;
    plan_.together.push_back(std::move(job));
}

void Planner::add_cost(const std::string& way) {
    Setting setting;
    setting.way = way;
    if (!can_take(setting)) return;
    Job job{order(Order::Kind::Cost), "raw/cost/" + way, "cost.json", "cost of " + way,
            seconds_of_cost()};
    job.order.setting = setting;
    plan_.alone.push_back(std::move(job));
}

}  // namespace

Plan plan_of(const Suite& suite, const Equipment& equipment, std::uint64_t seed) {
    return Planner(suite, equipment, seed).plan();
}

Job again(Job job) {
    job.place += ".again";
    job.title += " again";
    return job;
}

}  // namespace dnsd::lab
