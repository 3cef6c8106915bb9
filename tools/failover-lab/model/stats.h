// The statistics that the lab prints. Quantiles are exact; intervals are of 95 %.
#pragma once

#include <span>
#include <vector>

namespace dnsd::lab {

struct Interval {
    double low = 0, high = 0;
};

double mean(std::span<const double> values) noexcept;  // 0 of nothing
double median(std::span<const double> values);         // 0 of nothing
double quantile(std::span<const double> values,
                double q);  // the least value with q of all at or below it
// Student's t. Of fewer than two values it is the mean, twice.
Interval confidence_of_mean(std::span<const double> values);

// Of the ratio a/b over pairs, from the mean of log ratios. A pair in which both are 0 is a ratio
// of 1; in which one is, that one counts as `least`.
struct PairedRatio {
    double ratio = 1;
    Interval interval;
};
PairedRatio paired_ratio(std::span<const double> a, std::span<const double> b, double least);

}  // namespace dnsd::lab
