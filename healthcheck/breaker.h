// Guards against a checker that is blind: when more of all checks turn unhealthy at once than can
// be true, their verdicts are held back until fewer do. Pure; a value.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "base/clock.h"

namespace dnsd::health {

class Breaker {
  public:
    Breaker(double percent, std::size_t checks_least)
        : percent_(percent), checks_least_(checks_least) {}

    void set_percent(double percent) { percent_ = percent; }

    // The watch would turn from healthy to unhealthy now.
    void hold(std::uint64_t watch) { held_.insert(watch); }
    // It turned back, or is not watched any more.
    void forget(std::uint64_t watch) { held_.erase(watch); }

    // Those that may be told now, of `checks` in all: none while, together with those told within
    // one interval, they are more than the percentage.
    std::set<std::uint64_t> release(SteadyTime now, Milliseconds interval, std::size_t checks) {
        while (!told_.empty() && told_.front() + interval <= now) told_.pop_front();
        const auto turning = static_cast<double>(held_.size() + told_.size());
        is_open_ = percent_ > 0 && checks >= checks_least_ &&
                   turning * 100 > percent_ * static_cast<double>(checks);
        if (is_open_) return {};
        if (percent_ > 0) told_.insert(told_.end(), held_.size(), now);
        return std::exchange(held_, {});
    }
    bool is_open() const noexcept { return is_open_; }
    std::size_t held() const noexcept { return held_.size(); }

  private:
    double percent_;
    std::size_t checks_least_;
    std::set<std::uint64_t> held_;
    std::deque<SteadyTime> told_;  // when verdicts were released, within an interval
    bool is_open_ = false;
};

}  // namespace dnsd::health
