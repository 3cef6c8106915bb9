// A query's octets in, a reply's octets out. No I/O, no lock, no allocation, no log: counters
// instead.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "base/random.h"
#include "zone/tree/zone_set.h"

namespace dnsd::nameserver {

enum class Transport : std::uint8_t { Udp, Tcp };

struct AnswerOptions {
    std::string nsid;       // RFC 5001; empty: none
    std::string version;    // CHAOS TXT version.server; empty: refused
    std::string server_id;  // CHAOS TXT id.server; empty: refused
    std::uint16_t udp_payload_octets_max = 1232;
};

// One worker's; read by any thread.
struct AnswerCounters {
    Counter queries;
    Counter malformed;  // answered FORMERR
    Counter silent;     // too short, or itself a response
    Counter truncated;
    std::array<Counter, 16> by_rcode;
};

struct AnswerContext {
    const tree::ZoneSet& zones;
    const AnswerOptions& options;
    Transport transport;
    WallTime now;
    Random& random;
    AnswerCounters& counters;
};

// Octets written to `reply`; 0: silence. REQUIRES: `reply` has room for 512 octets at least.
std::size_t answer(std::span<const std::uint8_t> query, const AnswerContext& context,
                   std::span<std::uint8_t> reply) noexcept;

}  // namespace dnsd::nameserver
