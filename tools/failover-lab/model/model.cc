#include "tools/failover-lab/model/model.h"

#include <array>

#include "tools/failover-lab/model/simulation.h"

namespace dnsd::lab {
namespace {

// Where kept connections lead at first is chance: the mean of so many ways that they can.
Prediction predict_over_turns(const Setting& setting, const Clocks& clocks, const Phases& phases,
                              const EffectiveTtls& ttls, const Delays& delays,
                              const Unknowns& unknowns, double end) {
    Prediction first = simulate(setting, clocks, phases, ttls, delays, unknowns, end);
    if (setting.connections == "new" || clocks.through_proxy) return first;
    constexpr int random_turns = 12;
    const int turns =
        setting.balance == "roundrobin" ? static_cast<int>(setting.instances) : random_turns;
    constexpr std::array sums{&Prediction::window,
                              &Prediction::bad_seconds,
                              &Prediction::error_seconds,
                              &Prediction::detection,
                              &Prediction::publication,
                              &Prediction::cache_residual,
                              &Prediction::connection_residual};
    for (int turn = 1; turn < turns; ++turn) {
        const Prediction next =
            simulate(setting, clocks, phases, ttls, delays, unknowns, end, turn);
        for (const auto sum : sums) first.*sum += next.*sum;
        first.open_ended = first.open_ended || next.open_ended;
    }
    for (const auto sum : sums) first.*sum /= turns;
    return first;
}

}  // namespace

Prediction predict(const Setting& setting, const Clocks& clocks, const Phases& phases,
                   const EffectiveTtls& ttls, const Delays& delays, double end) {
    return predict_over_turns(setting, clocks, phases, ttls, delays, {}, end);
}

}  // namespace dnsd::lab
