// Envoy between the clients and the instances, by each of the ways in which it can know them. One
// process for each proxy, with one worker.
#pragma once

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// Endpoints from dnsd's xDS, whose requests dnsd holds until something is new: a push.
Result<> start_envoy_xds(Scene& scene);
Clocks clocks_of_envoy_xds(const Setting& setting);

// The same, but Envoy lets no request be held: it asks again after `poll` (5 s) to twice that.
Result<> start_envoy_xds_polled(Scene& scene);
Clocks clocks_of_envoy_xds_polled(const Setting& setting);

// STRICT_DNS: Envoy asks dnsd every `poll` (1 s; Envoy's default is 5 s), whatever the TTL.
Result<> start_envoy_dns(Scene& scene);
Clocks clocks_of_envoy_dns(const Setting& setting);

// All instances from the start, and Envoy's own probes with the interval, timeout, rise and fall
// that dnsd's have on other ways.
Result<> start_envoy_checks(Scene& scene);
Clocks clocks_of_envoy_checks(const Setting& setting);

// Held xDS, and beside it outlier detection: five failures in a row put an instance aside for 30 s.
Result<> start_envoy_outlier(Scene& scene);
Clocks clocks_of_envoy_outlier(const Setting& setting);

}  // namespace dnsd::lab
