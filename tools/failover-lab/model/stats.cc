#include "tools/failover-lab/model/stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace dnsd::lab {
namespace {

// Student's t for a two-sided 95 %, by degrees of freedom from 1; any table of statistics has it.
constexpr std::array t_table{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                             2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                             2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};

// Beyond the table by Fisher's expansion around the normal quantile, good to three decimals there.
double t_of(std::size_t freedom) noexcept {
    if (freedom <= t_table.size()) return t_table[freedom - 1];
    constexpr double z = 1.959964;
    return z + (z * z * z + z) / (4 * static_cast<double>(freedom));
}

}  // namespace

double mean(std::span<const double> values) noexcept {
    if (values.empty()) return 0;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::span<const double> values) {
    if (values.empty()) return 0;
    std::vector<double> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double quantile(std::span<const double> values, double q) {
    if (values.empty()) return 0;
    std::vector<double> sorted(values.begin(), values.end());
    // A hair less, so that 0.99 of 100 is the 99th though it is a little more in binary.
    const double rank = std::ceil(q * static_cast<double>(sorted.size()) - 1e-9);
    const auto index = static_cast<std::ptrdiff_t>(
        std::clamp(rank - 1, 0.0, static_cast<double>(sorted.size() - 1)));
    std::nth_element(sorted.begin(), sorted.begin() + index, sorted.end());
    return sorted[static_cast<std::size_t>(index)];
}

Interval confidence_of_mean(std::span<const double> values) {
    const double middle = mean(values);
    if (values.size() < 2) return {middle, middle};
    double squares = 0;
    for (const double value : values) squares += (value - middle) * (value - middle);
    const auto count = static_cast<double>(values.size());
    const double half = t_of(values.size() - 1) * std::sqrt(squares / (count - 1) / count);
    return {middle - half, middle + half};
}

PairedRatio paired_ratio(std::span<const double> a, std::span<const double> b, double least) {
    DNSD_ASSERT(a.size() == b.size() && least > 0);
    std::vector<double> logs;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const bool both_zero = a[i] <= 0 && b[i] <= 0;
        logs.push_back(both_zero ? 0 : std::log(std::max(a[i], least) / std::max(b[i], least)));
    }
    const Interval interval = confidence_of_mean(logs);
    return {std::exp(mean(logs)), {std::exp(interval.low), std::exp(interval.high)}};
}

}  // namespace dnsd::lab
