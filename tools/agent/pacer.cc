#include "tools/agent/pacer.h"

#include <algorithm>

namespace dnsd::agent {

Stale Pacer::take(SteadyTime now) {
    Stale due;
    const auto when = next();
    if (!when || now < *when) return due;
    while (!repeats_.empty() && repeats_.front().first <= now) {
        due.add(repeats_.front().second);
        repeats_.pop_front();
    }
    if (!fresh_.empty()) {
        due.add(fresh_);
        if (repeat_.count() > 0) repeats_.emplace_back(now + repeat_, std::move(fresh_));
        fresh_ = {};
    }
    last_ = now;
    return due;
}

std::optional<SteadyTime> Pacer::next() const {
    const SteadyTime allowed = last_ ? *last_ + interval_ : SteadyTime::min();
    if (!fresh_.empty()) return allowed;
    if (!repeats_.empty()) return std::max(allowed, repeats_.front().first);
    return std::nullopt;
}

}  // namespace dnsd::agent
