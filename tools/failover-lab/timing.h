// How long runs and measurements take, before they are made: what a budget is reckoned with, and
// how long a run is watched.
#pragma once

#include <string_view>

#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

// Seconds of load after the fault: until all that the model expects is over, and a little more.
double watch_of(const Setting& setting);

double seconds_of_effective_ttl(const Suite& suite, std::string_view cache);
double seconds_of_cost();  // of one way
// Of all of it, with so many runs at once and costs one after another.
double seconds_of(const Suite& suite, int runs_at_once);

}  // namespace dnsd::lab
