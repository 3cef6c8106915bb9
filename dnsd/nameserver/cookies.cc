#include "dnsd/nameserver/cookies.h"

#include <sys/random.h>

#include <algorithm>

#include "base/assert.h"
#include "zone/wire/presentation.h"

namespace dnsd::nameserver {

namespace {

constexpr std::size_t client_octets = 8, server_octets = 16;
constexpr std::size_t head_octets = 8;  // of a server cookie: version, 3 reserved, the time
constexpr std::uint8_t version = 1;
// RFC 9018 §4.3, in seconds. Half an hour is enough for what is asked once in a while, and short
// enough that a client that goes on asking never shows an old one.
constexpr std::int32_t lifetime = 3600, renewed_after = 1800, ahead_max = 300;

// What is hashed (RFC 9018 §4.4): client cookie, the server cookie up to its hash, and the address.
class Hashed {
  public:
    Hashed(std::span<const std::uint8_t> cookie, const IpAddress& client) noexcept {
        put(cookie.first(client_octets + head_octets));
        std::visit([&](const auto& ip) { put(ip.octets); }, client);
    }
    std::array<std::uint8_t, 8> with(const SipHashKey& secret) const noexcept {
        const std::uint64_t hash = siphash24(secret, std::span(octets_).first(size_));
        std::array<std::uint8_t, 8> octets;
        for (std::size_t i = 0; i < octets.size(); ++i)
            octets[i] = static_cast<std::uint8_t>(hash >> 8 * i);
        return octets;
    }

  private:
    void put(std::span<const std::uint8_t> octets) noexcept {
        std::ranges::copy(octets, octets_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += octets.size();
    }
    std::array<std::uint8_t, client_octets + head_octets + 16> octets_;
    std::size_t size_ = 0;
};

// In constant time: how far a guess is right must not show.
bool is_same(std::span<const std::uint8_t> given,
             const std::array<std::uint8_t, 8>& ours) noexcept {
    unsigned difference = 0;
    for (std::size_t i = 0; i < ours.size(); ++i)
        difference |= static_cast<unsigned>(given[i] ^ ours[i]);
    return difference == 0;
}

}  // namespace

SipHashKey drawn_key() {
    SipHashKey key;
    const ssize_t drawn = getrandom(key.data(), key.size(), 0);
    DNSD_ASSERT(drawn == static_cast<ssize_t>(key.size()));  // whole up to 256 octets
    return key;
}

CookieSecrets::CookieSecrets(std::vector<Secret> newest_first) : secrets_(std::move(newest_first)) {
    DNSD_ASSERT(!secrets_.empty());
}

CookieVerdict CookieSecrets::judge(std::span<const std::uint8_t> cookie, const IpAddress& client,
                                   WallTime now) const noexcept {
    const auto time = static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
    CookieVerdict verdict;
    if (cookie.size() == client_octets + server_octets && cookie[client_octets] == version) {
        const Hashed hashed(cookie, client);
        const auto hash = cookie.last(8);
        const auto made_with = std::ranges::find_if(
            secrets_, [&](const Secret& secret) { return is_same(hash, hashed.with(secret)); });
        std::uint32_t made_at = 0;
        for (const std::uint8_t octet : cookie.subspan(client_octets + 4, 4))
            made_at = made_at << 8 | octet;
        const auto age = static_cast<std::int32_t>(time - made_at);  // RFC 1982
        verdict.is_valid = made_with != secrets_.end() && age <= lifetime && age >= -ahead_max;
        if (verdict.is_valid && age <= renewed_after && made_with == secrets_.begin()) {
            std::ranges::copy(cookie, verdict.reply.begin());
            return verdict;
        }
    }
    std::ranges::copy(cookie.first(client_octets), verdict.reply.begin());
    const std::array<std::uint8_t, head_octets> head = {version,
                                                        0,
                                                        0,
                                                        0,
                                                        static_cast<std::uint8_t>(time >> 24),
                                                        static_cast<std::uint8_t>(time >> 16),
                                                        static_cast<std::uint8_t>(time >> 8),
                                                        static_cast<std::uint8_t>(time)};
    std::ranges::copy(head, verdict.reply.begin() + client_octets);
    std::ranges::copy(Hashed(verdict.reply, client).with(secrets_.front()),
                      verdict.reply.begin() + client_octets + head_octets);
    return verdict;
}

std::optional<CookieSecrets::Secret> CookieSecrets::parse(std::string_view text) {
    const auto octets = wire::parse_hex(text);
    Secret secret;
    if (!octets || octets->size() != secret.size()) return std::nullopt;
    std::ranges::copy(*octets, secret.begin());
    return secret;
}

}  // namespace dnsd::nameserver
