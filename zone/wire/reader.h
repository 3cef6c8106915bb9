// Reads a DNS message or a piece of one, octet by octet, inside its bounds.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "zone/wire/name.h"

namespace dnsd::wire {

// The first read that does not fit makes the reader fail for good, and every later one gives zeros:
// a decoder reads like the figure in the RFC and asks ok() once. A value; looks into `octets`.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> octets) noexcept : octets_(octets) {}

    std::uint8_t u8() noexcept { return has(1) ? octets_[at_++] : std::uint8_t{0}; }
    std::uint16_t u16() noexcept { return u16s<1>().front(); }
    // As so many calls of u16(), but all of them fit or none does.
    template <std::size_t count>
    std::array<std::uint16_t, count> u16s() noexcept {
        std::array<std::uint16_t, count> values{};
        if (!has(2 * count)) return values;
        for (std::uint16_t& value : values) {
            value = static_cast<std::uint16_t>(octets_[at_] << 8 | octets_[at_ + 1]);
            at_ += 2;
        }
        return values;
    }
    std::uint32_t u32() noexcept {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    std::span<const std::uint8_t> take(std::size_t count) noexcept {
        if (!has(count)) return {};
        at_ += count;
        return octets_.subspan(at_ - count, count);
    }
    // RFC 1035 §4.1.4. Pointers lead strictly backwards, so that they end.
    Name name() noexcept;

    bool ok() const noexcept { return ok_; }
    std::size_t at() const noexcept { return at_; }
    std::size_t left() const noexcept { return octets_.size() - at_; }

  private:
    bool has(std::size_t count) noexcept {
        if (!ok_ || octets_.size() - at_ < count) ok_ = false;
        return ok_;
    }
    void break_off() noexcept { ok_ = false; }

    std::span<const std::uint8_t> octets_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace dnsd::wire
