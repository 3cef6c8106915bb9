// Something that has one value after another, each from a known time on. A value; pure.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace dnsd::lab {

inline constexpr double never = std::numeric_limits<double>::infinity();

template <class T>
class Steps {
  public:
    explicit Steps(T first) : first_(std::move(first)) {}

    // REQUIRES: at is not before the last. At the same time, what is set later counts.
    void set(double at, T value) {
        if (value == last()) return;
        steps_.emplace_back(at, std::move(value));
    }
    const T& at(double time) const {
        const auto behind = behind_of(time);
        return behind == steps_.begin() ? first_ : std::prev(behind)->second;
    }
    const T& first() const { return first_; }
    const T& last() const { return steps_.empty() ? first_ : steps_.back().second; }
    // The first change after `time`; never.
    double next_change(double time) const {
        const auto behind = behind_of(time);
        return behind == steps_.end() ? never : behind->first;
    }
    // The last change up to `time`; minus never.
    double last_change(double time) const {
        const auto behind = behind_of(time);
        return behind == steps_.begin() ? -never : std::prev(behind)->first;
    }
    const std::vector<std::pair<double, T>>& changes() const { return steps_; }

  private:
    auto behind_of(double time) const {
        return std::upper_bound(steps_.begin(), steps_.end(), time,
                                [](double t, const auto& step) { return t < step.first; });
    }

    T first_;
    std::vector<std::pair<double, T>> steps_;
};

}  // namespace dnsd::lab
