// Empties all caches in the order of their list, upstream ones first: a local one that is emptied
// before the one it asks would fetch the old answer again.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/io/loop.h"
#include "tools/agent/emptier.h"
#include "tools/agent/pacer.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class Flusher {
  public:
    struct Options {
        Milliseconds interval, repeat, timeout;
    };
    Flusher(io::Loop& loop, const Clock& clock, const Options& options,
            const std::vector<Cache>& caches);

    void forget(const Stale& stale);
    // Every cache has forgotten all that was given to forget(), if not yet twice.
    bool has_told_all() const noexcept;
    const std::vector<std::unique_ptr<Emptier>>& emptiers() const noexcept { return emptiers_; }

  private:
    void begin_round();
    void go_on();

    // A cache that takes longer is not waited for; what it lets in late is repeated.
    static constexpr Milliseconds patience{100};

    const Clock& clock_;
    Pacer pacer_;
    std::vector<std::unique_ptr<Emptier>> emptiers_;
    Stale round_;
    std::size_t at_ = 0;  // whose turn it is in this round
    bool in_round_ = false;
    io::Timer next_round_, patience_;
};

}  // namespace dnsd::agent
