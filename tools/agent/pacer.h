// When caches are emptied of what: at once where it was quiet, else together and after an interval;
// and all of it once more a little later, since a query that was under way may have brought the old
// answer back.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "tools/agent/stale.h"

namespace dnsd::agent {

// A value without clock and timer: the caller says what time it is.
class Pacer {
  public:
    // A `repeat` of 0: nothing is done twice.
    Pacer(Milliseconds interval, Milliseconds repeat) : interval_(interval), repeat_(repeat) {}

    void add(const Stale& stale) { fresh_.add(stale); }
    // What is due: what is fresh and what is to be repeated, together. Empty: nothing yet.
    Stale take(SteadyTime now);
    // When take() has something; nothing: not before the next add().
    std::optional<SteadyTime> next() const;
    // All that was added has been taken, if not yet repeated.
    bool has_taken_all() const noexcept { return fresh_.empty(); }

  private:
    Milliseconds interval_, repeat_;
    Stale fresh_;
    std::deque<std::pair<SteadyTime, Stale>> repeats_;  // by time
    std::optional<SteadyTime> last_;
};

}  // namespace dnsd::agent
