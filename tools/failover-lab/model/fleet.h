// What a fleet would see: the model of one run, for a thousand nodes and fifty services. Pure.
#pragma once

#include <string>
#include <vector>

#include "tools/failover-lab/model/model.h"

namespace dnsd::lab {

struct Fleet {
    int nodes = 1000, services = 50, backends = 10;
    double requests_per_node = 20;  // a second, over all its services
};

struct FleetResult {
    double error_seconds =
        0;                 // integral of the failing share of a service's requests, mean of nodes
    double last_node = 0;  // seconds from the death to the last node that is rid of it
    double queries_per_second = 0, probes_per_second = 0, messages_per_second = 0;  // steady
    double messages_per_change = 0;
};

// One backend of one service dies (or is stopped, as setting.fault says), at random phases; each
// node has clocks of its own. `seed`: equal seeds, equal results.
FleetResult extrapolate(const Fleet& fleet, const Setting& setting, const Clocks& clocks,
                        const EffectiveTtls& ttls, const Delays& delays, unsigned seed);

}  // namespace dnsd::lab
