// Introduces the name server and the API to the forwarder, and finds the forwarder's upstreams.
#pragma once

#include <memory>
#include <vector>

#include "base/options.h"
#include "dnsd/api/forwarding.h"
#include "dnsd/forward/forwarder.h"
#include "dnsd/nameserver/recursion.h"

namespace dnsd {

// The options, and the nameserver lines of resolv.conf where they name no upstream. This server
// itself is left out, with a warning: it would ask itself for ever.
std::vector<forward::Forwarder::Route> find_routes(const Options& options);

forward::Forwarder::Options forwarder_options(const Options& options);

// What the name server asks. `forwarder` must outlive it.
std::unique_ptr<nameserver::Recursion> make_recursion(forward::Forwarder& forwarder);

// What the API shows and forgets. `forwarder` must outlive it.
api::Forwarding make_forwarding(forward::Forwarder& forwarder, const Clock& clock);

}  // namespace dnsd
