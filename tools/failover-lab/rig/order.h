// What one process inside namespaces is to do: written by the run outside, read inside.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

struct Order {
    enum class Kind {
        Run,           // leaves run.json and requests.bin
        EffectiveTtl,  // leaves effective_ttl.json
        Cost,          // leaves cost.json
    };
    Kind kind = Kind::Run;
    std::string folder;  // absolute; what it leaves, and logs
    Setting setting;     // Run; Cost: the way and what it is set to
    std::string cell;
    int number = 0;
    double phase = 0.5;  // of the longest clock on the path, 0..1
    std::uint64_t seed = 1;
    double watch = 5;       // Run: seconds of load after the fault
    std::string cache;      // EffectiveTtl
    std::vector<int> ttls;  // EffectiveTtl
    Equipment equipment;
};

nlohmann::json to_json(const Order& order);
Result<Order> order_from_json(const nlohmann::json& json);

// Carries it out; we are the first process of our namespaces. Writes <folder>/<what>.json whole or
// not at all; a run that did not come about leaves one with its `problem`.
Result<> carry_out(const Order& order);
Result<> carry_out_run(const Order& order);
Result<> measure_effective_ttl(const Order& order);
Result<> measure_cost(const Order& order);

}  // namespace dnsd::lab
