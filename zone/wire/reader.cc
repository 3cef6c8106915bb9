#include "zone/wire/reader.h"

namespace dnsd::wire {

bool Reader::has(std::size_t count) noexcept {
    if (!ok_ || octets_.size() - at_ < count) ok_ = false;
    return ok_;
}

std::uint8_t Reader::u8() noexcept { return has(1) ? octets_[at_++] : std::uint8_t{0}; }

std::uint16_t Reader::u16() noexcept {
    if (!has(2)) return 0;
    const auto value = static_cast<std::uint16_t>(octets_[at_] << 8 | octets_[at_ + 1]);
    at_ += 2;
    return value;
}

std::uint32_t Reader::u32() noexcept {
    const std::uint32_t high = u16();
    return high << 16 | u16();
}

std::span<const std::uint8_t> Reader::take(std::size_t count) noexcept {
    if (!has(count)) return {};
    at_ += count;
    return octets_.subspan(at_ - count, count);
}

Name Reader::name() noexcept {
    Name name;
    std::size_t end = 0;    // where reading goes on, once a pointer was followed
    std::size_t run = at_;  // where the labels now read begin: pointers lead before it
    for (;;) {
        const std::uint8_t length = u8();
        if (!ok_) return {};
        if (length == 0) break;
        if ((length & 0xc0) == 0xc0) {
            const std::size_t target = std::size_t{length & 0x3fU} << 8 | u8();
            if (!ok_ || target >= run) break_off();
            if (!ok_) return {};
            if (end == 0) end = at_;
            at_ = run = target;
        } else if ((length & 0xc0) != 0 || !name.append_label(take(length))) {
            break_off();
            return {};
        }
    }
    if (end != 0) at_ = end;
    return name;
}

}  // namespace dnsd::wire
