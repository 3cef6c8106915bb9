// What an Envoy is told: the registry's state as xDS resources in JSON. Pure functions of a
// request, a state and the time; any thread.
//
// A service is a cluster named as its owner name in DNS, without the final dot: every service of a
// DNS namespace whose name DNS would answer from that namespace. Services of HTTP namespaces have
// no such name and are not shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "dnsd/api/discovery_request.h"
#include "zone/registry/state.h"

namespace dnsd::api {

struct XdsAnswer {
    std::string version;           // a hash of the resources; in the body too
    std::string body;              // a DiscoveryResponse
    std::size_t without_port = 0;  // endpoints left out because they have none
};

XdsAnswer render(const DiscoveryRequest& request, const registry::State& state, WallTime now);

// Requests that have it in common get the same answer from the same state.
std::string rendering_key(const DiscoveryRequest& request);

// The cluster that a service is, and the service that a cluster is; null where there is none. Of
// nested namespaces the deepest has the name, as in DNS.
std::string cluster_name(std::string_view namespace_name, std::string_view service);
const registry::Service* find_cluster(const registry::State& state, std::string_view cluster);

// Whether an Envoy is told of the cluster. Not as long as its instances, if it has any, still await
// their first verdict: it would have no endpoints and be answered 503, while a cluster that Envoy
// does not know is answered 404, like a name that does not exist yet.
bool is_offered(const registry::Service& service, WallTime now);

}  // namespace dnsd::api
