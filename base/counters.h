// A number that one thread moves and any thread reads: a relaxed atomic without a locked
// instruction. Each thread has its own; whoever reports sums them.
#pragma once

#include <atomic>
#include <cstdint>

namespace dnsd {

class Counter {
  public:
    // The owner's thread only.
    void add(std::uint64_t more = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }
    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace dnsd
