// RRsets as they are served: RDATA octets, one TTL (RFC 2181 §5.2), and how an answer is drawn from
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "zone/wire/types.h"

namespace dnsd::tree {

// What the workers learn about an RRset while it is served: the one thing in a published zone that
// moves. Relaxed atomics; whoever made the RRset keeps a share and reads them.
struct Mark {
    // Milliseconds since the epoch; 0: not yet.
    std::atomic<std::int64_t> first_answered{0};
    std::atomic<std::int64_t> lapses{
        0};  // when the last copy that was handed out runs out of its TTL

    void answered(WallTime now, std::uint32_t ttl_seconds) noexcept {
        const std::int64_t at = now.time_since_epoch().count();
        if (first_answered.load(std::memory_order_relaxed) == 0) {
            std::int64_t none = 0;
            first_answered.compare_exchange_strong(none, at, std::memory_order_relaxed);
        }
        const std::int64_t until = at + std::int64_t{ttl_seconds} * 1000;
        std::int64_t seen = lapses.load(std::memory_order_relaxed);
        while (seen < until &&
               !lapses.compare_exchange_weak(seen, until, std::memory_order_relaxed)) {
        }
    }
};

// Which of the records an answer holds, and in which order.
enum class Draw : std::uint8_t {
    All,       // all, as they stand
    Rotated,   // all, starting anywhere
    Sample,    // over UDP at most answers_max of them, at random; over TCP all, in random order
    Weighted,  // one, by weight; weight 0 only when nothing else is left
};

struct Rdata {
    std::vector<std::uint8_t> octets;  // uncompressed wire form
    std::uint32_t weight = 1;          // meant by Draw::Weighted alone
    bool operator==(const Rdata&) const = default;
};

// Immutable once made; shared between zones. Records are in canonical order (RFC 4034 §6.3) and
// unique (RFC 2181 §5): the weights of equal ones add up.
class RRset {
  public:
    // REQUIRES: at least one record, at most 65,535.
    RRset(wire::RrType type, std::uint32_t ttl, std::vector<Rdata> records, Draw draw = Draw::All,
          std::uint16_t answers_max = 0, std::shared_ptr<Mark> mark = nullptr);

    wire::RrType type() const noexcept { return type_; }
    std::uint32_t ttl() const noexcept { return ttl_; }
    Draw draw() const noexcept { return draw_; }
    std::uint16_t answers_max() const noexcept { return answers_max_; }
    Mark* mark() const noexcept { return mark_.get(); }  // null: nobody wants to know

    std::size_t size() const noexcept { return size_; }
    std::span<const std::uint8_t> rdata(std::size_t i) const noexcept {
        if (ends_ == nullptr) return {octets_.get() + i * octets_each_, octets_each_};
        const std::uint32_t start = i == 0 ? 0 : ends_[i - 1];
        return {octets_.get() + start, ends_[i] - start};
    }
    // Draw::Weighted: the sums of the weights up to and including record i; empty otherwise.
    std::span<const std::uint64_t> weight_sums() const noexcept {
        return {weight_sums_.get(), weight_sums_ != nullptr ? size() : 0};
    }

    // Whether a transfer of the zone holds record i: whether TCP may answer it.
    bool is_transferred(std::size_t i) const noexcept {
        return draw_ != Draw::Weighted || weight_sums_[size_ - std::size_t{1}] == 0 ||
               weight_sums_[i] != (i == 0 ? 0 : weight_sums_[i - 1]);
    }

    // Has the processor fetch what an answer reads: first this, of which a part may stand in the
    // cache line behind, and when that is there, what it points to.
    void prefetch_head() const noexcept {
        __builtin_prefetch(this);
        __builtin_prefetch(reinterpret_cast<const char*>(this + 1) - 1);
    }
    void prefetch() const noexcept {
        __builtin_prefetch(octets_.get());
        __builtin_prefetch(octets_.get() + 63);
        __builtin_prefetch(ends_.get());
        __builtin_prefetch(mark_.get());
    }

    // Same data and same manner of drawing; marks do not count.
    bool operator==(const RRset& other) const noexcept;

  private:
    // Little and close together: there are millions, and lookups wait for their memory.
    wire::RrType type_;
    Draw draw_;
    std::uint16_t answers_max_;
    std::uint16_t size_ = 0;
    std::uint16_t octets_each_ = 0;  // of each record, where all have as many
    std::uint32_t ttl_;
    std::unique_ptr<std::uint8_t[]> octets_;  // the records, one after the other
    std::unique_ptr<std::uint32_t[]> ends_;   // where each ends; null: octets_each_ says it
    std::unique_ptr<std::uint64_t[]> weight_sums_;
    std::shared_ptr<Mark> mark_;
};

}  // namespace dnsd::tree
