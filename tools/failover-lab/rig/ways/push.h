// DNS with push: what clients ask is told of each change within milliseconds, whatever the TTL.
// Either a replica of dnsd on the client's node, or a stock cache that dnsd-agent empties.
#pragma once

#include <string_view>

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// dnsd's checks, then the replica's stream, then the client's own stub. A replica hands out TTLs of
// at most a second, so a stub that honours them keeps nothing for longer, whatever the setting
// says.
Clocks clocks_of_replica(const Setting& setting);
// dnsd's checks, then `cache`, emptied by dnsd-agent, then the client's own stub.
Clocks clocks_of_agent(const Setting& setting, std::string_view cache);

// Each starts what the way needs and returns once it answers, is followed, and resolv.conf names
// it. REQUIRES: the centre dnsd runs and answers web.lab.internal.
Result<> start_replica(Scene& scene);
Result<> start_agent_unbound(Scene& scene);
Result<> start_agent_dnsmasq(Scene& scene);
Result<> start_agent_resolved(Scene& scene);
Result<> start_agent_bind(Scene& scene);
Result<> start_agent_nscd(Scene& scene);

}  // namespace dnsd::lab
