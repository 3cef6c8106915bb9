// What all proxies share: where they listen, how long they may take, and when they serve.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// The indices of the clients that have a proxy: all of them, or with a central one the first.
int proxies_of(const Setting& setting) noexcept;

// Seconds that a proxy gives one try at an instance, and all tries of a request together. The
// client is told of a failure a little before it gives up by itself, so that its log says why.
struct ProxyTimes {
    double per_try = 0, total = 0;
};
ProxyTimes times_of_proxy(const Setting& setting) noexcept;

// A proxy's own pool follows the policy of the hop from the client: one new connection for each
// request, or connections that are kept.
bool keeps_connections(const Setting& setting) noexcept;

inline constexpr std::string_view proxy_health_path = "/health?by=proxy";

std::string milliseconds(double seconds);  // "950ms", as HAProxy and nginx take it

Clocks clocks_through_proxy(Clocks::Checker checker, std::vector<ViewClock> views);

// Starts `start_one` for each proxy, and returns once each of them has led to every instance; where
// the service is yet to be born, once they listen.
Result<> start_proxies(Scene& scene, const std::function<Result<>(int proxy)>& start_one);

}  // namespace dnsd::lab
