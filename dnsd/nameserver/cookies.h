// DNS cookies (RFC 7873), made as all name servers make them (RFC 9018): a client that shows the
// server cookie that we gave to its address is where it says it is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "dnsd/nameserver/siphash.h"

namespace dnsd::nameserver {

// RFC 7873 §4: a client cookie of 8 octets alone, or with a server cookie of 8 to 32.
constexpr bool is_cookie_size(std::size_t octets) noexcept {
    return octets == 8 || (octets >= 16 && octets <= 40);
}

struct CookieVerdict {
    bool is_valid = false;               // the server cookie is ours, for this client, and not old
    std::array<std::uint8_t, 24> reply;  // what the answer carries: the client's, and ours
};

// The secrets that cookies are made from. A value that does not change; any thread.
class CookieSecrets {
  public:
    static constexpr std::size_t secrets_max = 2;  // the one that makes cookies, the one before it
    using Secret = SipHashKey;

    // The first makes cookies, all are believed. REQUIRES: one at least.
    explicit CookieSecrets(std::vector<Secret> newest_first);

    // REQUIRES: is_cookie_size(cookie.size()).
    CookieVerdict judge(std::span<const std::uint8_t> cookie, const IpAddress& client,
                        WallTime now) const noexcept;

    // 32 hex digits.
    static std::optional<Secret> parse(std::string_view text);

  private:
    std::vector<Secret> secrets_;
};

}  // namespace dnsd::nameserver
