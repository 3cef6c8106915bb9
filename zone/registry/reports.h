// What clients and proxies say of an instance that failed them. Reports are no evidence: enough of
// them make the checker look at once, and a liar can cause probes at a capped rate, nothing else.
// Pure: time is an argument.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"

namespace dnsd::registry {

// Failures that were reported of one instance within a window. A value, of bounded size: times are
// kept as slots of a sixteenth of the window, and a failure is forgotten with its slot.
class ReportedFailures {
  public:
    void add(std::uint32_t count, SteadyTime now, Milliseconds window);
    std::uint32_t count(SteadyTime now, Milliseconds window);
    void forget() noexcept { slots_.clear(); }

    // At most one reconfirmation a second comes of reports about an instance.
    bool may_reconfirm(SteadyTime now) const noexcept { return now >= not_before_; }
    void reconfirmed(SteadyTime now);  // what led to it is spent

  private:
    struct Slot {
        SteadyTime begun;
        std::uint32_t failures;
    };
    std::vector<Slot> slots_;
    SteadyTime not_before_{};
};

// At most so many reconfirmations a second come of all reports together. A value.
class ReconfirmationBudget {
  public:
    bool take(SteadyTime now);

    static constexpr std::size_t per_second_max = 1'000;

  private:
    std::deque<SteadyTime> taken_;  // within the last second
};

}  // namespace dnsd::registry
