// One run as the model has it, request by request from the fault on. A part of the model; pure.
#pragma once

#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/model/truth.h"

namespace dnsd::lab {

// `turn`: which of the ways in which kept connections can lead to instances at first.
Prediction simulate(const Setting& setting, const Clocks& clocks, const Phases& phases,
                    const EffectiveTtls& ttls, const Delays& delays, const Unknowns& unknowns,
                    double end, int turn = 0);

}  // namespace dnsd::lab
