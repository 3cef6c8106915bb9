// What becomes of one request, by the instance that its first try goes to. Pure; a part of the
// model.
#pragma once

#include <vector>

#include "tools/failover-lab/model/truth.h"

namespace dnsd::lab {

// Chances, 0 to 1.
struct Fate {
    double failed = 0, bad = 0;
    double first_fails = 0;        // of the first try: its connection does not survive
    std::vector<double> failures;  // of each instance: tries at it that fail
};

// `mask` is whom retries may go to: each of those that were not tried yet, equally likely; when all
// were, it begins anew. Proxies retry answers of 5xx too, clients do not: they cannot know whether
// the request was carried out.
Fate fate_of(const Setting& setting, const Clocks& clocks, int first, Mask mask,
             const std::vector<Condition>& conditions);

}  // namespace dnsd::lab
