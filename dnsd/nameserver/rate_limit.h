// Response rate limiting (RRL, as BIND, NSD and Knot have it): a server that answers everybody over
// UDP must not be of use to whoever asks in somebody else's name. Of responses of one kind to one
// block of addresses only so many go out in a second; of the rest some are sent cut short, so that
// who really asks comes back over TCP, and the others are dropped.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "dnsd/nameserver/siphash.h"

namespace dnsd::nameserver {

struct RateLimits {
    static constexpr std::uint32_t responses_most = 100'000;
    std::uint32_t responses_per_second = 0;  // 0: no limit
    std::uint32_t slip = 2;  // of those over the limit, one in so many is sent cut short; 0: none
    std::vector<Network> exempt = {};  // besides loopback
};

// What responses are counted by. Names that exist, and the wildcards that others come from, are
// finite, so that whoever makes up names runs into the limit of their zone.
struct ResponseKind {
    enum class Class : std::uint8_t { Data, NxDomain, Error } response_class = Class::Error;
    std::uint64_t name_hash = 0;  // Data: the name or the wildcard; NxDomain: the zone
};

// A table of a fixed size, of one thread.
class RateLimiter {
  public:
    enum class Verdict { Send, Slip, Drop };

    // REQUIRES: 0 < responses_per_second <= responses_most. `key` keeps the table's order secret.
    RateLimiter(RateLimits limits, const SipHashKey& key);

    Verdict judge(const IpAddress& client, const ResponseKind& kind, WallTime now) noexcept;

  private:
    struct Account {
        std::uint32_t tag = 0;      // of its block and kind: a part of their hash
        std::uint32_t at = 0;       // when it was last used, in milliseconds
        std::int32_t balance = 0;   // in thousandths of a response
        std::uint32_t limited = 0;  // responses that were over the limit
    };

    bool is_exempt(const IpAddress& client) const noexcept;
    Account& account_of(const IpAddress& client, const ResponseKind& kind,
                        std::uint32_t now) noexcept;

    RateLimits limits_;
    SipHashKey key_;
    std::vector<Account> accounts_;
};

}  // namespace dnsd::nameserver
