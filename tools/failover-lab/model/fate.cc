#include "tools/failover-lab/model/fate.h"

#include <array>
#include <bit>
#include <numeric>

namespace dnsd::lab {
namespace {

struct Tried {
    double seconds = 0;
    bool ok = true;
    bool may_retry = true;
};

// Instances in the same condition are alike: only how many are left of each counts.
class Tries {
  public:
    Tries(const Setting& setting, const Clocks& clocks, int first, Mask mask,
          const std::vector<Condition>& conditions)
        : setting_(setting), is_proxy_(clocks.through_proxy), conditions_(conditions) {
        fate_.failures.resize(conditions.size());
        const Mask others = mask & ~mask_of(first);
        for (Mask left = others; left != 0; left &= left - 1)
            ++counts_[place_of(std::countr_zero(left))];
        others_ = others;
        first_ = first;
    }

    Fate run() {
        const auto retries = is_proxy_ ? setting_.proxy_retries : setting_.client_retries;
        const std::size_t place = place_of(first_);
        fate_.first_fails = tried(place).ok ? 0 : 1;
        fate_.failures[static_cast<std::size_t>(first_)] = fate_.first_fails;
        go(place, counts_, retries, 0, 1);
        spread_failures();
        return std::move(fate_);
    }

  private:
    static constexpr std::size_t places = static_cast<std::size_t>(Condition::Late) + 1;
    using Counts = std::array<int, places>;

    std::size_t place_of(int instance) const {
        return static_cast<std::size_t>(conditions_[static_cast<std::size_t>(instance)]);
    }

    Tried tried(std::size_t place) const {
        const double patience = setting_.try_seconds();
        switch (static_cast<Condition>(place)) {
            case Condition::Refuse:
                return {0, false, true};
            case Condition::Hang:
            case Condition::Drop:
                return {patience, false, true};
            case Condition::Gray:
                return {0, false, is_proxy_};
            case Condition::Slow:
                return patience < slow_seconds ? Tried{patience, false, true} : Tried{slow_seconds};
            case Condition::Late:  // anything between what is bad and the try's end
                return {(bad_seconds_of + patience) / 2};
            case Condition::Well:
            case Condition::Sick:
                break;
        }
        return {};
    }

    // One try, and what follows it, which happens with a chance of `weight`. `left` are those that
    // have not been tried.
    void go(std::size_t place, const Counts& left, std::int64_t retries, double elapsed,
            double weight) {
        const Tried outcome = tried(place);
        elapsed += outcome.seconds;
        const bool late = elapsed >= setting_.deadline_seconds();
        if (outcome.ok || retries == 0 || !outcome.may_retry || late) {
            const bool failed = !outcome.ok || late;
            if (failed) fate_.failed += weight;
            if (failed || elapsed > bad_seconds_of) fate_.bad += weight;
            return;
        }
        const int count = std::accumulate(left.begin(), left.end(), 0);
        if (count == 0) {
            // All were tried: it begins anew with any of them, or has only the one.
            const bool is_alone = others_ == 0;
            Counts again{};
            if (is_alone) ++again[place];
            return next(is_alone ? again : counts_, retries - 1, elapsed, weight);
        }
        next(left, retries - 1, elapsed, weight);
    }

    void next(const Counts& left, std::int64_t retries, double elapsed, double weight) {
        const int count = std::accumulate(left.begin(), left.end(), 0);
        for (std::size_t place = 0; place < places; ++place) {
            if (left[place] == 0) continue;
            const double share = weight * left[place] / count;
            if (!tried(place).ok) failures_[place] += share;
            Counts after = left;
            --after[place];
            go(place, after, retries, elapsed, share);
        }
    }

    // What failed in retries, over all who may have been asked.
    void spread_failures() {
        for (Mask left = others_; left != 0; left &= left - 1) {
            const int instance = std::countr_zero(left);
            const std::size_t place = place_of(instance);
            fate_.failures[static_cast<std::size_t>(instance)] += failures_[place] / counts_[place];
        }
    }

    const Setting& setting_;
    const bool is_proxy_;
    const std::vector<Condition>& conditions_;
    int first_ = 0;
    Mask others_ = 0;
    Counts counts_{};  // of the others, in each condition
    std::array<double, places> failures_{};
    Fate fate_;
};

}  // namespace

Fate fate_of(const Setting& setting, const Clocks& clocks, int first, Mask mask,
             const std::vector<Condition>& conditions) {
    return Tries(setting, clocks, first, mask, conditions).run();
}

}  // namespace dnsd::lab
