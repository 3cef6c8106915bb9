// How often a number fell into which range: counters per bucket, moved by one thread, read by any.
#pragma once

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "base/counters.h"
#include "base/metrics.h"

namespace dnsd {

class Histogram {
  public:
    // `bounds` are the buckets' upper bounds, ascending; one more bucket takes the rest.
    explicit Histogram(std::vector<double> bounds)
        : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

    // The owner's thread only.
    void observe(double value) noexcept {
        const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
        counts_[static_cast<std::size_t>(at)].add();
        sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
    }

    const std::vector<double>& bounds() const noexcept { return bounds_; }
    Metric::Sample sample(std::vector<std::pair<std::string, std::string>> labels) const {
        Metric::Sample sample{std::move(labels), sum_.load(std::memory_order_relaxed), {}};
        for (const Counter& count : counts_) sample.counts.push_back(count.value());
        return sample;
    }

  private:
    std::vector<double> bounds_;
    std::vector<Counter> counts_;
    std::atomic<double> sum_{0};
};

}  // namespace dnsd
