#include "dnsd/nameserver/rate_limit.h"

#include <algorithm>
#include <span>

#include "base/assert.h"

namespace dnsd::nameserver {

namespace {

constexpr std::size_t accounts = 65'536;  // a megabyte, whoever asks
constexpr std::size_t ways = 4;           // accounts that one hash may have; the oldest one goes
constexpr std::int32_t response = 1000;   // in thousandths
// Who goes on far over the limit goes on being limited: nothing is sent until so many seconds'
// worth is saved up. BIND's default for `window`.
constexpr std::int32_t debt_seconds_max = 15;
static_assert(std::int64_t{debt_seconds_max + 1} * response * RateLimits::responses_most <=
              INT32_MAX);

// The block of addresses that stand for one client: /24 and /56, as BIND, NSD and Knot have it.
std::span<const std::uint8_t> block_of(const IpAddress& client) noexcept {
    if (const auto* v4 = std::get_if<Ipv4>(&client)) return std::span(v4->octets).first(3);
    return std::span(std::get<Ipv6>(client).octets).first(7);
}

}  // namespace

RateLimiter::RateLimiter(RateLimits limits, const SipHashKey& key)
    : limits_(std::move(limits)), key_(key), accounts_(accounts) {
    DNSD_ASSERT(limits_.responses_per_second > 0 &&
                limits_.responses_per_second <= RateLimits::responses_most);
}

RateLimiter::Verdict RateLimiter::judge(const IpAddress& client, const ResponseKind& kind,
                                        WallTime now) noexcept {
    if (is_exempt(client)) return Verdict::Send;
    Account& account =
        account_of(client, kind, static_cast<std::uint32_t>(now.time_since_epoch().count()));
    account.balance -= response;
    if (account.balance >= 0) return Verdict::Send;
    const auto rate = static_cast<std::int32_t>(limits_.responses_per_second);
    account.balance = std::max(account.balance, -debt_seconds_max * rate * response);
    ++account.limited;
    return limits_.slip > 0 && account.limited % limits_.slip == 0 ? Verdict::Slip : Verdict::Drop;
}

bool RateLimiter::is_exempt(const IpAddress& client) const noexcept {
    return is_loopback(client) || std::ranges::any_of(limits_.exempt, [&](const Network& network) {
               return network.contains(client);
           });
}

RateLimiter::Account& RateLimiter::account_of(const IpAddress& client, const ResponseKind& kind,
                                              std::uint32_t now) noexcept {
    std::array<std::uint8_t, 1 + 8 + 7> hashed{};
    hashed[0] = static_cast<std::uint8_t>(kind.response_class);
    for (std::size_t i = 0; i < 8; ++i)
        hashed[1 + i] = static_cast<std::uint8_t>(kind.name_hash >> 8 * i);
    const auto block = block_of(client);
    std::ranges::copy(block, hashed.begin() + 9);
    const std::uint64_t hash = siphash24(key_, std::span(hashed).first(9 + block.size()));
    const auto tag = static_cast<std::uint32_t>(hash >> 32);

    const std::span set = std::span(accounts_).subspan(hash % (accounts / ways) * ways, ways);
    const auto rate = limits_.responses_per_second;
    for (Account& account : set) {
        if (account.tag != tag) continue;
        // The clock may be put back: then nothing is gained.
        const auto passed = static_cast<std::int32_t>(now - account.at);
        const std::int64_t gained = std::int64_t{std::max(passed, 0)} * rate;
        account.balance = static_cast<std::int32_t>(
            std::min(account.balance + gained, std::int64_t{rate} * response));
        account.at = now;
        return account;
    }
    Account& oldest = *std::ranges::max_element(
        set, {}, [&](const Account& account) { return now - account.at; });
    oldest = {tag, now, static_cast<std::int32_t>(rate) * response, 0};
    return oldest;
}

}  // namespace dnsd::nameserver
