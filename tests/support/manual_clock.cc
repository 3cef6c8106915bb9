#include "tests/support/manual_clock.h"

namespace dnsd::test {

SteadyTime ManualClock::steady() const noexcept {
    return SteadyTime(std::chrono::hours(1) + Milliseconds(milliseconds_.load()));
}

WallTime ManualClock::wall() const noexcept {
    using namespace std::chrono_literals;
    return std::chrono::sys_days(2026y / 1 / 1) + Milliseconds(milliseconds_.load());
}

void ManualClock::advance(Milliseconds by) noexcept { milliseconds_ += by.count(); }

}  // namespace dnsd::test
