#include "tools/agent/flusher.h"

#include <algorithm>

namespace dnsd::agent {

Flusher::Flusher(io::Loop& loop, const Clock& clock, const Options& options,
                 const std::vector<Cache>& caches)
    : clock_(clock),
      pacer_(options.interval, options.repeat),
      next_round_(loop, [this] { begin_round(); }),
      patience_(loop, [this] {
          ++at_;
          go_on();
      }) {
    for (std::size_t i = 0; i < caches.size(); ++i) {
        emptiers_.push_back(std::make_unique<Emptier>(loop, caches[i], options.timeout, [this, i] {
            if (!in_round_ || at_ != i) return;
            ++at_;
            go_on();
        }));
    }
}

void Flusher::forget(const Stale& stale) {
    if (emptiers_.empty()) return;
    pacer_.add(stale);
    begin_round();
}

bool Flusher::has_told_all() const noexcept {
    return pacer_.has_taken_all() && !in_round_ &&
           std::ranges::all_of(emptiers_, [](const auto& one) { return one->owes_nothing(); });
}

void Flusher::begin_round() {
    if (in_round_) return;
    const SteadyTime now = clock_.steady();
    round_ = pacer_.take(now);
    if (!round_.empty()) {
        in_round_ = true;
        at_ = 0;
        return go_on();
    }
    if (const auto next = pacer_.next()) {
        // A millisecond more, for the loop's clock has no finer steps.
        const auto wait = std::chrono::ceil<Milliseconds>(*next - now);
        next_round_.start(std::max(wait, Milliseconds(1)));
    }
}

void Flusher::go_on() {
    patience_.stop();
    if (at_ < emptiers_.size()) {
        // It may be done, and have called go_on(), when forget() returns.
        const std::size_t turn = at_;
        emptiers_[turn]->forget(round_);
        if (!in_round_ || at_ != turn) return;
        if (emptiers_[turn]->is_well()) {
            patience_.start(patience);
        } else {
            ++at_;
            go_on();
        }
        return;
    }
    in_round_ = false;
    begin_round();
}

}  // namespace dnsd::agent
