// What a run leaves behind: run.json, and beside it requests.bin (request_log.h). Times are seconds
// on the run's own clock, which is 0 when the generator begins.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

// All that was known before the fault: the only thing of a run that a prediction may look at.
struct Phases {
    double wall_start = 0;        // the wall clock at the run's 0, seconds since the epoch
    double fault = 0;             // when the first action was due
    std::vector<Action> plan;     // what was to happen, at planned times
    std::optional<double> probe;  // last tick of the deciding checker at the first victim
    double probe_interval = 0;    // as measured between ticks before the fault; 0: unknown
    std::vector<double> fetches;  // for each of the way's view clocks: its last fetch; NaN unknown
    std::vector<int> victims;     // indices of instances
    std::vector<double> probes;   // as `probe`, for each of several victims; empty: unknown
};

// Seconds on the run's clock; what did not happen, or cannot be seen on this way, is nothing.
struct Marks {
    std::optional<double> fault, detected, committed, published;
    std::optional<double> first_answer;   // dnsd's first answer without the instance
    std::optional<double> cache_cleared;  // what the client asks was told, or asked again
    std::optional<double> view;           // the client's own addresses are without it
};

struct RunRecord {
    std::string cell;  // name_of(setting)
    int number = 0;    // of this cell, from 0
    Setting setting;
    double phase = 0;         // 0..1 of the longest clock on the path
    std::string phase_clock;  // what that was: "ttl of unbound", "probes of dnsd"
    std::uint64_t seed = 0;
    std::string problem;                          // not empty: the run did not come about, and why
    std::map<std::string, std::string> versions;  // of what took part
    Phases phases;
    Marks marks;
    std::vector<Action> actions;  // what happened, when
    double end = 0;               // of the load
    double lag_p99_ms = 0;        // of the generator: actual send to intended
    std::string started;          // RFC 3339
};

nlohmann::json to_json(const RunRecord& record);
Result<RunRecord> run_record_from_json(const nlohmann::json& json);

}  // namespace dnsd::lab
