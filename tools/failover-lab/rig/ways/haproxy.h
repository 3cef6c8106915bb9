// HAProxy between the clients and the instances, by each of the ways in which it can know them. One
// process for each proxy, with one thread.
#pragma once

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// dnsd-agent drives it over its runtime socket: a push. Each proxy has an agent of its own.
Result<> start_haproxy_agent(Scene& scene);
Clocks clocks_of_haproxy_agent(const Setting& setting);

// `server-template` and a `resolvers` section: it asks dnsd for SRV, over TCP, every `poll` (1 s,
// HAProxy's default), whatever the TTL.
Result<> start_haproxy_srv(Scene& scene);
Clocks clocks_of_haproxy_srv(const Setting& setting);

// All instances from the start, and HAProxy's own probes with the interval, timeout, rise and fall
// that dnsd's have on other ways.
Result<> start_haproxy_checks(Scene& scene);
Clocks clocks_of_haproxy_checks(const Setting& setting);

// All instances from the start; five failed requests in a row mark one down (`observe layer7`), and
// HAProxy's own probes only bring it back.
Result<> start_haproxy_observe(Scene& scene);
Clocks clocks_of_haproxy_observe(const Setting& setting);

}  // namespace dnsd::lab
