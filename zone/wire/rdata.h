// RDATA of every type that we know, and of those that we do not (RFC 3597), between its octets and
// its text. Each type is written once, in rdata_types.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

// RDATA uncompressed: what zones hold.
using RdataOctets = std::vector<std::uint8_t>;

// The RDATA that stands in `message` from `at` for `size` octets, its names made whole. Nothing if
// it is not what its type says.
std::optional<RdataOctets> decode_rdata(RrType type, std::span<const std::uint8_t> message,
                                        std::size_t at, std::size_t size);
// The same for RDATA that stands alone, without compression.
std::optional<RdataOctets> decode_rdata(RrType type, std::span<const std::uint8_t> rdata);

// As master files write it; relative names go on with `origin`. "\# 4 C0000201" does for any type.
Result<RdataOctets> parse_rdata(RrType type, std::string_view text, const Name& origin);

// What parse_rdata reads back: names absolute, with their final dot. Octets that are not what the
// type says come out as RFC 3597 writes unknown ones.
std::string print_rdata(RrType type, std::span<const std::uint8_t> rdata);

}  // namespace dnsd::wire
