#include "healthcheck/belief.h"

namespace dnsd::health {

void Belief::take(const Probe& probe) {
    if (run_.empty() || run_.back().success != probe.success) {
        run_.clear();
        run_length_ = 0;
    }
    run_.push_back(probe);
    if (run_.size() > run_kept_max) run_.pop_front();
    ++run_length_;

    const Status wanted = probe.success ? Status::Healthy : Status::Unhealthy;
    const std::uint32_t needed = probe.success ? thresholds_.rise : thresholds_.fall;
    const bool turns = wanted != verdict_ && run_length_ >= needed;
    if (turns) {
        // The first verdict is no flip: nothing was believed before.
        if (verdict_ != Status::Unknown) flips_.push_back(probe.ended);
        verdict_ = wanted;
    }
    if (thresholds_.flap_limit == 0) {
        flips_.clear();
        is_damped_ = false;
        return;
    }
    while (!flips_.empty() && flips_.front() + thresholds_.flap_window <= probe.ended)
        flips_.pop_front();
    if (flips_.size() > thresholds_.flap_limit) is_damped_ = true;
    if (flips_.empty()) is_damped_ = false;
}

}  // namespace dnsd::health
