// AXFR and IXFR queries (RFC 5936 §2.1, RFC 1995 §3) as we read them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "zone/wire/message.h"

namespace dnsd::transfer {

struct Request {
    wire::Query query;                    // its question is there
    std::optional<std::uint32_t> serial;  // IXFR: the version that the client has
};

// Whether a message asks for a transfer: by its header and question alone.
bool is_transfer_request(std::span<const std::uint8_t> message) noexcept;

// The error is what the reply echoes: FORMERR. An AXFR's answer and authority sections are ignored.
// REQUIRES: a header of 12 octets.
Result<Request, wire::Query> decode_request(std::span<const std::uint8_t> message);

// The serial in a SOA's RDATA, uncompressed. REQUIRES: it is one.
std::uint32_t serial_of(std::span<const std::uint8_t> soa) noexcept;

}  // namespace dnsd::transfer
