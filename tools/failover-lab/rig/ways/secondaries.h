// Stock name servers on the client's node that hold the zone as secondaries: dnsd tells them of
// each change (NOTIFY, RFC 1996), they fetch it (IXFR, RFC 1995) and answer on 127.0.0.53 by
// themselves.
#pragma once

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// dnsd's checks, then NOTIFY and the transfer, then the client's own stub. They go on with what
// they have, whoever is down, until the SOA's expire.
Clocks clocks_of_secondary(const Setting& setting);

// Each starts it, records its version, and returns once it answers and resolv.conf names it.
// REQUIRES: dnsd notifies at::cache and lets it transfer the zone.
Result<> start_secondary_knot(Scene& scene);
Result<> start_secondary_unbound(Scene& scene);  // its auth-zone

}  // namespace dnsd::lab
