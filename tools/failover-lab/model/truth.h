// What is true of the instances and the discovery of a run, from the plan of its actions; and what
// dnsd, or the chooser's own checks, make of it. Pure values; a part of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/model/steps.h"

namespace dnsd::lab {

using Mask = std::uint64_t;  // a set of instances: a bit each
inline constexpr int instances_max = 64;
constexpr Mask mask_of(int instance) noexcept { return Mask{1} << instance; }

enum class Condition : std::uint8_t {
    Well,
    Refuse,
    Hang,
    Drop,
    Sick,
    Gray,
    Slow,
    Late,  // what is sent now hangs, until a hang ends soon
};
inline constexpr double slow_seconds = 0.4;     // that a slow instance takes
inline constexpr double bad_seconds_of = 0.25;  // from which an answer is bad

struct Truth {
    int instances = 0;
    std::vector<Steps<Condition>> conditions;  // as probes meet them
    std::vector<Steps<Condition>> met;         // as requests meet them, by when they are sent
    std::vector<Steps<bool>> registered;
    Steps<bool> dnsd_is_up{true}, proxy_is_up{true}, agent_is_up{true};
    std::optional<double> first_request;
    // The database is lost, and all is registered again: in between dnsd knows no zone, and for a
    // moment after that it has the zone and nobody in it.
    std::optional<double> emptied, refilled;
    static constexpr double refilling = 0.015;
    bool is_refilling(double time) const noexcept {
        return refilled && time >= *refilled && time < *refilled + refilling;
    }
    double refilling_until(double time) const noexcept;  // is_refilling() changes next; never
};
Truth truth_of(const Setting& setting, const Phases& phases);

// What nobody can know before a run, as a place in its range, 0 to 1.
struct Unknowns {
    double probe_phase = 0.5;  // of checks that begin during the run
    double poll_wait = 0.5;
    double poll_step = 0;  // from one wait's place to the next one's, around
};

struct Beliefs {
    std::vector<Steps<bool>> believed;  // registered, and well as far as the checker knows
    Steps<Mask> answers{0};             // what dnsd answers, or own checks allow
};
Beliefs beliefs_of(const Setting& setting, const Clocks& clocks, const Phases& phases,
                   const Truth& truth, const Delays& delays, const Unknowns& unknowns, double end);

// Those that the plan hits first and foremost.
std::vector<int> victims_of(const Phases& phases);

}  // namespace dnsd::lab
