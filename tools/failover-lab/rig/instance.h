// An instance of the service: an HTTP/1.1 server that answers every path with its name, and can be
// made to misbehave. `failover-lab backend ADDRESS PORT NAME`.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace dnsd::lab {

// Runs until its input ends. Prints "ready" once it listens, and for each request of /health?by=WHO
// a line "probe WHO NANOSECONDS", of the steady clock, which all processes share. Reads lines:
//   health STATUS | requests STATUS | delay SECONDS
Result<> serve_instance(const std::string& address, std::uint16_t port, const std::string& name);

}  // namespace dnsd::lab
