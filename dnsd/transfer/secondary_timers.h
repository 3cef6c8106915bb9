// When a secondary asks its primary, and when it gives up on it (RFC 1034 §4.3.5). Pure; values.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "zone/tree/zone.h"

namespace dnsd::transfer {

// What the SOA of a zone says.
struct SoaTimers {
    std::uint32_t serial = 0;
    std::uint32_t refresh = 0, retry = 0, expire = 0;  // seconds
    bool operator==(const SoaTimers&) const = default;
};
// Nothing: there is no SOA, or more than one.
std::optional<SoaTimers> soa_timers(const tree::Zone& zone) noexcept;

// Between two refreshes, and between failures of all primaries. Whatever the SOA says, not less
// than a second, so that a zero does no harm, and not more than a day, so that a slip of the pen
// heals. Up to a tenth is taken off at random: zones that were loaded together spread out.
Milliseconds refresh_after(const SoaTimers& timers, Random& random) noexcept;
Milliseconds retry_after(const SoaTimers& timers, Random& random) noexcept;
// The same for a zone of which we have nothing yet: one second, doubled with each failure up to a
// minute. REQUIRES: failures > 0.
Milliseconds first_retry_after(unsigned failures, Random& random) noexcept;

// When a zone that was last refreshed then expires; at least a second later.
WallTime expires_at(const SoaTimers& timers, WallTime refreshed) noexcept;

}  // namespace dnsd::transfer
