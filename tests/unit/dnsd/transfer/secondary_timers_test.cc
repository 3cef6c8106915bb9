#include "dnsd/transfer/secondary_timers.h"

#include <doctest/doctest.h>

#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using std::chrono::days;
using std::chrono::seconds;

namespace {

SoaTimers timers(std::uint32_t refresh, std::uint32_t retry, std::uint32_t expire) {
    return {.serial = 1, .refresh = refresh, .retry = retry, .expire = expire};
}

}  // namespace

TEST_CASE("RFC 1034 §4.3.5: refresh, retry and expire stand in the SOA") {
    const auto found = soa_timers(*transfer::test::zone_of(7, 0));
    REQUIRE(found);
    CHECK(*found == SoaTimers{.serial = 7, .refresh = 3600, .retry = 600, .expire = 86'400});
    CHECK_FALSE(soa_timers(*tree::Zone::make(dnsd::test::name("example.org"))));
}

TEST_CASE("intervals are the SOA's, less a tenth at most") {
    Random random(1);
    Milliseconds least = days(1), most(0);
    for (int i = 0; i < 1000; ++i) {
        const Milliseconds drawn = refresh_after(timers(1000, 10, 0), random);
        CHECK(drawn >= seconds(900));
        CHECK(drawn <= seconds(1000));
        least = std::min(least, drawn);
        most = std::max(most, drawn);
        const Milliseconds retry = retry_after(timers(1000, 10, 0), random);
        CHECK(retry >= seconds(9));
        CHECK(retry <= seconds(10));
    }
    CHECK(most - least > seconds(50));  // they do spread
}

TEST_CASE("no interval is shorter than a second or longer than a day") {
    Random random(1);
    for (const std::uint32_t interval : {0U, 1U, 86'400U, 86'401U, 0xffff'ffffU}) {
        const auto drawn = refresh_after(timers(interval, interval, 0), random);
        CHECK(drawn >= seconds(1));
        CHECK(drawn <= days(1));
        CHECK(retry_after(timers(interval, interval, 0), random) >= seconds(1));
    }
    CHECK(refresh_after(timers(0xffff'ffff, 1, 0), random) > days(1) * 8 / 10);
}

TEST_CASE("of a zone that never came the tries are spaced out, up to a minute") {
    Random random(1);
    Milliseconds expected = seconds(1);
    for (unsigned failures = 1; failures < 100; ++failures) {
        const Milliseconds drawn = first_retry_after(failures, random);
        CHECK(drawn <= expected);
        CHECK(drawn >= expected * 9 / 10);
        expected = std::min<Milliseconds>(expected * 2, seconds(60));
    }
}

TEST_CASE("a zone expires so long after it was last refreshed") {
    const WallTime refreshed(Milliseconds(1'767'225'600'000));
    CHECK(expires_at(timers(1, 1, 5), refreshed) == refreshed + seconds(5));
    CHECK(expires_at(timers(1, 1, 0), refreshed) == refreshed + seconds(1));
    CHECK(expires_at(timers(1, 1, 0xffff'ffff), refreshed) == refreshed + seconds(0xffff'ffff));
}
