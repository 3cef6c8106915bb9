// The parameters of SVCB and HTTPS records as text (RFC 9460 §2.1, §7, appendix A).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zone/wire/presentation.h"
#include "zone/wire/rdata_types.h"

namespace dnsd::wire {

// Keys ascend without repetition, values are what their keys say, and what is mandatory is there.
bool are_valid(const std::vector<ServiceParameter>& parameters);

// "alpn=h2,h3", "no-default-alpn", "key667=..."; in any order.
Result<std::vector<ServiceParameter>> parse_parameters(std::span<const Token> tokens);
std::string print_parameter(const ServiceParameter& parameter);

}  // namespace dnsd::wire
