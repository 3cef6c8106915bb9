// Passive detection, and who is put aside by it. A value; a part of the model.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/model/steps.h"
#include "tools/failover-lab/model/truth.h"

namespace dnsd::lab {

// The choosers are alike, each with its part of the
// requests, so that one stands for all of them.
class Ejections {
  public:
    Ejections(const Setting& setting, const Clocks& clocks, int instances)
        : clocks_(clocks), failures_(static_cast<std::size_t>(instances)) {
        const bool is_one = clocks.through_proxy && setting.topology == "central";
        choosers_ = is_one ? 1 : static_cast<double>(setting.clients);
    }

    bool is_used() const noexcept { return clocks_.ejects_after > 0; }

    // Those of `mask` that are not put aside; all of them if none is left.
    Mask left_of(Mask mask, double time) {
        while (!notices_.empty() && notices_.front().at <= time) {
            take(notices_.front());
            notices_.pop_front();
        }
        Mask left = mask;
        for (std::size_t i = 0; i < failures_.size(); ++i) {
            if (time < failures_[i].back_at) left &= ~mask_of(static_cast<int>(i));
        }
        return left != 0 ? left : mask;
    }

    // Failures are noticed at the try's end, which comes in the order of sending for each kind.
    void failed(std::size_t instance, double chance, double noticed) {
        const Notice notice{noticed, instance, chance};
        const auto place = std::ranges::upper_bound(notices_, noticed, {}, &Notice::at);
        notices_.insert(place, notice);
    }
    void succeeded(std::size_t instance) { failures_[instance].count = 0; }

  private:
    struct Notice {
        double at;
        std::size_t instance;
        double chance;
    };
    struct Failures {
        double count = 0;
        double back_at = -never;
    };

    void take(const Notice& notice) {
        Failures& failures = failures_[notice.instance];
        if (notice.at < failures.back_at) return;
        failures.count += notice.chance / choosers_;
        if (failures.count < clocks_.ejects_after - 1e-6) return;
        failures.count = 0;
        failures.back_at = notice.at + clocks_.ejected_for;
    }

    const Clocks& clocks_;
    double choosers_ = 1;
    std::vector<Failures> failures_;
    std::deque<Notice> notices_;
};

}  // namespace dnsd::lab
