#include "dnsd/nameserver/rate_limit.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::nameserver;

namespace {

using Verdict = RateLimiter::Verdict;
using Class = ResponseKind::Class;

constexpr ResponseKind data{Class::Data, 1};
IpAddress ip(std::string_view text) { return *parse_ip(text); }
WallTime at(int milliseconds) { return WallTime(Milliseconds(1'700'000'000'000 + milliseconds)); }

int sent(RateLimiter& limiter, const IpAddress& client, int tries, WallTime now,
         const ResponseKind& kind = data) {
    int sent = 0;
    for (int i = 0; i < tries; ++i) sent += limiter.judge(client, kind, now) == Verdict::Send;
    return sent;
}

}  // namespace

TEST_CASE("so many responses a second, and as many again in the next") {
    RateLimiter limiter({.responses_per_second = 10}, SipHashKey{});
    CHECK(sent(limiter, ip("192.0.2.1"), 10, at(0)) == 10);
    CHECK(limiter.judge(ip("192.0.2.1"), data, at(0)) == Verdict::Drop);
    CHECK(sent(limiter, ip("192.0.2.1"), 1, at(150)) == 0);  // it has paid for the one before
    CHECK(sent(limiter, ip("192.0.2.1"), 1, at(400)) == 1);
    CHECK(sent(limiter, ip("192.0.2.1"), 100, at(60'000)) == 10);
}

TEST_CASE("who goes on asking far too much gets nothing; after fifteen seconds of silence, again") {
    RateLimiter limiter({.responses_per_second = 10}, SipHashKey{});
    CHECK(sent(limiter, ip("192.0.2.1"), 10'000, at(0)) == 10);
    int during = 0;
    for (int i = 1; i < 1000; ++i) during += sent(limiter, ip("192.0.2.1"), 1, at(10 * i));
    CHECK(during == 0);
    CHECK(sent(limiter, ip("192.0.2.1"), 1, at(9'990 + 14'000)) == 0);
    CHECK(sent(limiter, ip("192.0.2.1"), 1, at(9'990 + 15'400)) == 1);
}

TEST_CASE("of those over the limit one in `slip` is sent cut short") {
    for (const std::uint32_t slip : {0U, 1U, 2U, 3U}) {
        RateLimiter limiter({.responses_per_second = 1, .slip = slip}, SipHashKey{});
        sent(limiter, ip("192.0.2.1"), 1, at(0));
        unsigned cut = 0;
        for (int i = 0; i < 60; ++i)
            cut += limiter.judge(ip("192.0.2.1"), data, at(0)) == Verdict::Slip;
        CHECK(cut == (slip == 0 ? 0 : 60 / slip));
    }
}

TEST_CASE("a block is a /24 of IPv4 and a /56 of IPv6; kinds and names are apart") {
    RateLimiter limiter({.responses_per_second = 10}, SipHashKey{});
    CHECK(sent(limiter, ip("192.0.2.1"), 10, at(0)) == 10);
    CHECK(sent(limiter, ip("192.0.2.200"), 10, at(0)) == 0);
    CHECK(sent(limiter, ip("192.0.3.1"), 10, at(0)) == 10);
    CHECK(sent(limiter, ip("2001:db8:0:1::1"), 10, at(0)) == 10);
    CHECK(sent(limiter, ip("2001:db8:0:ff::1"), 10, at(0)) == 0);
    CHECK(sent(limiter, ip("2001:db8:0:100::1"), 10, at(0)) == 10);
    CHECK(sent(limiter, ip("192.0.2.1"), 20, at(0), {Class::Data, 2}) == 10);
    CHECK(sent(limiter, ip("192.0.2.1"), 20, at(0), {Class::NxDomain, 1}) == 10);
    CHECK(sent(limiter, ip("192.0.2.1"), 20, at(0), {Class::Error, 0}) == 10);
}

TEST_CASE("loopback and the exempt networks have no limit") {
    RateLimiter limiter({.responses_per_second = 1, .exempt = {*Network::parse("192.0.2.0/24")}},
                        SipHashKey{});
    CHECK(sent(limiter, ip("127.0.0.9"), 100, at(0)) == 100);
    CHECK(sent(limiter, ip("::1"), 100, at(0)) == 100);
    CHECK(sent(limiter, ip("192.0.2.7"), 100, at(0)) == 100);
    CHECK(sent(limiter, ip("192.0.3.7"), 100, at(0)) == 1);
}

TEST_CASE("a clock that is put back stops nothing for long") {
    RateLimiter limiter({.responses_per_second = 10}, SipHashKey{});
    CHECK(sent(limiter, ip("192.0.2.1"), 10, at(0)) == 10);
    CHECK(sent(limiter, ip("192.0.2.1"), 1, at(-3'600'000)) == 0);
    CHECK(sent(limiter, ip("192.0.2.1"), 10, at(-3'598'000)) == 10);
}

TEST_CASE("the highest rate is kept exactly, and any number of blocks fits") {
    RateLimiter limiter({.responses_per_second = RateLimits::responses_most, .slip = 0},
                        SipHashKey{});
    const int most = RateLimits::responses_most;
    CHECK(sent(limiter, ip("192.0.2.1"), 2 * most, at(0)) == most);
    CHECK(sent(limiter, ip("192.0.2.1"), 16 * most, at(0)) == 0);
    RateLimiter small({.responses_per_second = 1, .slip = 0}, SipHashKey{});
    for (unsigned i = 0; i < 300'000; ++i) {
        const Ipv4 one{{static_cast<std::uint8_t>(64 + (i >> 16)),
                        static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 1}};
        small.judge(one, data, at(static_cast<int>(i / 1000)));
    }
    CHECK(sent(small, ip("192.0.2.1"), 5, at(1000)) == 1);
}
