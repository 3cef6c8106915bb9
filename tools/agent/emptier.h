// Empties one cache, step after step, and remembers what it could not do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/io/local.h"
#include "base/io/loop.h"
#include "base/io/process.h"
#include "tools/agent/cache.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class Emptier {
  public:
    // Each step has the timeout. `on_idle`: all that it was given is done, or has failed.
    Emptier(io::Loop& loop, Cache cache, Milliseconds timeout, std::function<void()> on_idle);

    // While it is busy, what comes waits for its turn, together.
    void forget(const Stale& stale);
    // It has done all that it was given; what has failed is owed.
    bool owes_nothing() const noexcept { return !busy_ && waiting_.empty(); }

    struct Counts {
        std::uint64_t flushes = 0, failures = 0;
    };
    const Counts& counts() const noexcept { return counts_; }
    const Cache& cache() const noexcept { return cache_; }
    bool is_well() const noexcept { return well_; }

  private:
    void begin();
    void next_step();
    void perform(const Ask& ask);
    void perform(const Run& run);
    void ended(const Result<>& outcome);
    void finish();
    void succeed();
    void fail_with(const std::string& reason);

    io::Loop& loop_;
    const Cache cache_;
    const Milliseconds timeout_;
    std::function<void()> on_idle_;

    bool busy_ = false, well_ = true;
    Stale waiting_, doing_;
    std::vector<Step> steps_;
    std::size_t step_ = 0;
    std::variant<std::monostate, std::unique_ptr<io::LocalExchange>, std::unique_ptr<io::Process>>
        under_way_;
    Counts counts_;
    Milliseconds back_off_;
    io::Timer again_;  // what failed is tried again: a cache that hung still holds old answers
};

}  // namespace dnsd::agent
