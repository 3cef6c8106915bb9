// Carries out a plan: several jobs at once, each a process in namespaces of its own that is ended
// when it takes too long. One thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "tools/failover-lab/plan.h"
#include "tools/failover-lab/worker.h"

namespace dnsd::lab {

struct ScheduleOptions {
    std::string out;  // absolute
    int jobs = 8;
    Isolation isolation;
};

struct ScheduleOutcome {
    std::size_t done = 0, kept = 0, all = 0;  // kept: were there already
    bool interrupted = false;                 // by SIGINT or SIGTERM
};

// A job works in <out>/work and its folder is moved to its place when it is whole: what stands
// there can be relied on, whatever ended us. Jobs whose place is taken are not done again. The
// error: the disk is full, or cannot be written; then too nothing goes on running.
Result<ScheduleOutcome> carry_out(const Plan& plan, const ScheduleOptions& options);

}  // namespace dnsd::lab
