// nginx between the clients and the instances, by each of the ways in which it can know them. One
// master for each proxy, with one worker.
#pragma once

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// A variable in `proxy_pass` and a `resolver`: it resolves while it runs, and honours TTLs. It
// draws among the addresses at random, and keeps no connections to them.
Result<> start_nginx_dns(Scene& scene);
Clocks clocks_of_nginx_dns(const Setting& setting);

// All instances from the start in an `upstream`; one failed request puts one aside for 10 s, which
// are nginx's defaults.
Result<> start_nginx_passive(Scene& scene);
Clocks clocks_of_nginx_passive(const Setting& setting);

}  // namespace dnsd::lab
