#include "zone/wire/reader.h"

namespace dnsd::wire {

Name Reader::name() noexcept {
    if (ok_ && left() > 0 && octets_[at_] == 0) {  // the root, an OPT RR's
        ++at_;
        return {};
    }
    // Most are whole where they begin, and are taken in one piece.
    for (std::size_t at = at_; ok_ && at < octets_.size() && octets_[at] < 64;) {
        if (octets_[at] != 0) {
            at += octets_[at] + std::size_t{1};
            continue;
        }
        const auto whole = octets_.subspan(at_, at + 1 - at_);
        if (whole.size() > Name::octets_max) break;
        at_ += whole.size();
        return Name(whole);
    }
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
