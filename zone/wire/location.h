// The text of LOC records: degrees, minutes and seconds (RFC 1876 §3).
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "zone/wire/presentation.h"
#include "zone/wire/rdata_types.h"

namespace dnsd::wire {

// "42 21 54.500 N 71 06 18.000 W -24.00m 30m 10000m 10m"; what is left out at the end has its
// default.
Result<LocRdata> parse_location(std::span<const Token> tokens);
std::string print_location(const LocRdata& location);

}  // namespace dnsd::wire
