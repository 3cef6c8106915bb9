#include "base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace dnsd;

TEST_CASE("draws from one number are even, and tell nothing of each other") {
    Random random(1);
    Draws draws(random);
    // All orders of three, and a bound that takes all that is left of a number.
    std::array<int, 6> seen{};
    constexpr int count = 60'000;
    for (int i = 0; i < count; ++i) {
        ++seen[draws.below(3) * 2 + draws.below(2)];
        CHECK(draws.below(1) == 0);
        if (i % 7 == 0) CHECK(draws.below(UINT32_MAX) < UINT32_MAX);
    }
    // Ten standard deviations.
    const auto [least, most] = std::ranges::minmax(seen);
    CHECK(least > count / 6 - 920);
    CHECK(most < count / 6 + 920);
}
