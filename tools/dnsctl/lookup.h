// Asks a name server one question, over UDP and, where the answer was cut, over TCP.
#pragma once

#include <string>

#include "base/address.h"
#include "base/result.h"
#include "zone/wire/types.h"

namespace dnsd::ctl {

// The answer as text: the rcode, then the records of each section.
Result<std::string> lookup(const SocketAddress& server, const std::string& name, wire::RrType type,
                           bool tcp);

}  // namespace dnsd::ctl
