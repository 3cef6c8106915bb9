// The messages between us and the primaries of our secondary zones, but for the transfers
// themselves. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "zone/tree/zone.h"
#include "zone/wire/message.h"

namespace dnsd::transfer {

// Queries without an OPT RR: old servers refuse what they do not know, and the answer to the first
// fits, while size does not matter to the others, which go over TCP.
std::vector<std::uint8_t> encode_soa_query(std::uint16_t id, const wire::Name& zone);
std::vector<std::uint8_t> encode_axfr_query(std::uint16_t id, const wire::Name& zone);
// RFC 1995 §3: our SOA stands in the authority section. REQUIRES: `current` has one.
std::vector<std::uint8_t> encode_ixfr_query(std::uint16_t id, const tree::Zone& current);

// Whether it is a response to the question with that id, whatever it says.
bool answers(std::span<const std::uint8_t> message, std::uint16_t id, const wire::Question& asked);

// The serial that a primary answered a SOA query with, or why it is none. REQUIRES: answers().
Result<std::uint32_t> decode_soa_answer(std::span<const std::uint8_t> message,
                                        const wire::Name& zone);
bool is_truncated(std::span<const std::uint8_t> message) noexcept;

// What a NOTIFY says (RFC 1996 §3).
struct Notify {
    wire::Question question;
    std::optional<std::uint32_t> serial;  // of the zone, as far as the sender says
};
// Nothing: not exactly one question, or malformed.
std::optional<Notify> decode_notify(std::span<const std::uint8_t> message);

}  // namespace dnsd::transfer
