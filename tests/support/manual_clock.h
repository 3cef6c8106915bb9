// A clock that moves only when a test says so. Any thread may read it and move it.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace dnsd::test {

class ManualClock final : public Clock {
  public:
    SteadyTime steady() const noexcept override;
    WallTime wall() const noexcept override;
    void advance(Milliseconds by) noexcept;

  private:
    std::atomic<std::int64_t> milliseconds_{
        0};  // since it was made; wall time begins on 2026-01-01
};

}  // namespace dnsd::test
