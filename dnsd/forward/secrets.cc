#include "dnsd/forward/secrets.h"

#include <sys/random.h>

#include "base/assert.h"

namespace dnsd::forward {

std::uint16_t Secrets::number() noexcept {
    if (at_ == block_.size()) {
        auto* octets = reinterpret_cast<std::uint8_t*>(block_.data());
        for (std::size_t have = 0; have < sizeof block_;) {
            const ssize_t got = getrandom(octets + have, sizeof block_ - have, 0);
            DNSD_ASSERT(got > 0 || got == -1);  // -1: interrupted by a signal
            if (got > 0) have += static_cast<std::size_t>(got);
        }
        at_ = 0;
    }
    return block_[at_++];
}

std::uint16_t Secrets::take_id() noexcept {
    DNSD_ASSERT(!in_flight_.all());
    std::uint16_t id = number();
    while (in_flight_.test(id)) id = number();
    in_flight_.set(id);
    return id;
}

}  // namespace dnsd::forward
