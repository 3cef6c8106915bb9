// What `failover-lab model` prints: what the model computes for one setting, and for fleets of it.
#pragma once

#include <string>

#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

// Lines for a terminal. REQUIRES: a fault of the table.
std::string print_model(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls);

}  // namespace dnsd::lab
