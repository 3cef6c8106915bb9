// From outcomes of probes to what is believed of an endpoint: rise and fall, then damping
// (BEHAVIOUR §4). Pure: time comes with the probes.
#pragma once

#include <deque>
#include <vector>

#include "healthcheck/checker.h"

namespace dnsd::health {

// A value.
class Belief {
  public:
    Belief(Thresholds thresholds, Status status) : thresholds_(thresholds), verdict_(status) {}

    void change(Thresholds thresholds) { thresholds_ = thresholds; }
    void take(const Probe& probe);

    // What the run of outcomes says, damping applied: who flips more than flap_limit times within
    // flap_window is unhealthy until it has been quiet for that window.
    Status status() const noexcept { return is_damped_ ? Status::Unhealthy : verdict_; }
    bool is_damped() const noexcept { return is_damped_; }
    // The run of equal outcomes up to now, oldest first; of a long one the last.
    std::vector<Probe> run() const { return {run_.begin(), run_.end()}; }

    static constexpr std::size_t run_kept_max = 20;

  private:
    Thresholds thresholds_;
    Status verdict_;
    std::deque<Probe> run_;
    std::uint32_t run_length_ = 0;
    std::deque<WallTime> flips_;  // within the window
    bool is_damped_ = false;
};

}  // namespace dnsd::health
