#include "base/clock.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace std::chrono_literals;

TEST_CASE("RFC 3339: a time is printed in UTC with milliseconds, and read back") {
    const WallTime time = std::chrono::sys_days(2026y / 1 / 1) + 6s + 7ms;
    CHECK(print_time(time) == "2026-01-01T00:00:06.007Z");
    CHECK(parse_time("2026-01-01T00:00:06.007Z") == time);
}

TEST_CASE("a time that is none is not read") {
    for (const char* text :
         {"", "2026-01-01", "2026-02-30T00:00:00.000Z", "2026-01-01T24:00:00.000Z",
          "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Zx", "2026-01-01 00:00:00.000Z"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_time(text));
    }
}
