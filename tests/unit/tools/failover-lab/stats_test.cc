#include "tools/failover-lab/model/stats.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

using namespace dnsd::lab;
using doctest::Approx;

TEST_CASE("mean, median and quantiles of nothing are 0") {
    const std::vector<double> nothing;
    CHECK(mean(nothing) == 0);
    CHECK(median(nothing) == 0);
    CHECK(quantile(nothing, 0.5) == 0);
}

TEST_CASE("a quantile is the least value that has so many at or below it") {
    std::vector<double> hundred(100);
    std::iota(hundred.rbegin(), hundred.rend(), 1);
    CHECK(quantile(hundred, 0.5) == 50);
    CHECK(quantile(hundred, 0.99) == 99);
    CHECK(quantile(hundred, 0.991) == 100);
    CHECK(quantile(hundred, 0) == 1);
    CHECK(quantile(hundred, 1) == 100);
    CHECK(median(hundred) == 50.5);
    CHECK(median(std::array{3.0, 1.0, 2.0}) == 2);
}

TEST_CASE("the interval of a mean is Student's") {
    // Of 1, 2, 3, 4: s = 1.2910, t(3) = 3.182, so 2.5 +- 2.054.
    const Interval interval = confidence_of_mean(std::array{1.0, 2.0, 3.0, 4.0});
    CHECK(interval.low == Approx(0.446).epsilon(0.001));
    CHECK(interval.high == Approx(4.554).epsilon(0.001));
    const Interval of_one = confidence_of_mean(std::array{7.0});
    CHECK(of_one.low == 7);
    CHECK(of_one.high == 7);
    // Beyond the table: t(60) = 2.000.
    std::vector<double> many;
    for (int i = 0; i < 61; ++i) many.push_back(i);
    const double s = std::sqrt(61.0 * 62.0 / 12.0);
    CHECK(confidence_of_mean(many).high - mean(many) ==
          Approx(2.0003 * s / std::sqrt(61.0)).epsilon(0.001));
}

TEST_CASE("a paired ratio comes from the mean of log ratios") {
    const PairedRatio twice =
        paired_ratio(std::array{2.0, 4.0, 8.0}, std::array{1.0, 2.0, 4.0}, 0.01);
    CHECK(twice.ratio == Approx(2));
    CHECK(twice.interval.low == Approx(2));
    CHECK(twice.interval.high == Approx(2));
    // 2 and 1/2 cancel.
    CHECK(paired_ratio(std::array{2.0, 1.0}, std::array{1.0, 2.0}, 0.01).ratio == Approx(1));
}

TEST_CASE("a pair of two zeroes is a ratio of 1, a single zero counts as the least") {
    CHECK(paired_ratio(std::array{0.0}, std::array{0.0}, 0.01).ratio == 1);
    CHECK(paired_ratio(std::array{0.0}, std::array{1.0}, 0.01).ratio == Approx(0.01));
    CHECK(paired_ratio(std::array{1.0}, std::array{0.0}, 0.01).ratio == Approx(100));
}
