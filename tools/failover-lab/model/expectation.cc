#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/assert.h"
#include "tools/failover-lab/model/simulation.h"
#include "tools/failover-lab/model/views.h"

namespace dnsd::lab {
namespace {

// Evenly spread places in 0..1, one for each clock. The steps of the first three, which matter
// most, are Roberts' for three dimensions; further ones are fractional parts of the roots of
// primes.
class Spread {
  public:
    explicit Spread(int index) : index_(index) {}
    double next() {
        const double place = 0.5 + (index_ + 1) * steps[dimension_++ % steps.size()];
        return place - std::floor(place);
    }

  private:
    static constexpr std::array steps{0.8191725134, 0.6710436067, 0.5497004779, 0.4142135624,
                                      0.7320508076, 0.2360679775, 0.6457513111, 0.3166247904,
                                      0.6055512755, 0.1231056256};
    int index_;
    std::size_t dimension_ = 0;
};

// The longest that a view keeps what it was told.
double longest(const Setting& setting, const ViewClock& clock, const EffectiveTtls& ttls) {
    if (clock.kind == ViewClock::Kind::Poll) return clock.period + clock.spread;
    if (clock.cache.empty()) return clock.period;
    double seconds = 0;
    for (const double phase : {0.0, 0.25, 0.5, 0.75})
        seconds =
            std::max(seconds, ttls.lifetime(clock.cache, static_cast<double>(setting.ttl), phase));
    return seconds;
}

// Seconds after the last action that cover what is still to come, however the phases lie.
double load_after(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls) {
    double seconds = 2 + setting.deadline_seconds() + setting.publish_delay;
    seconds += static_cast<double>(setting.fall + 1) * (setting.interval + setting.check_timeout());
    for (const ViewClock& clock : clocks.views) {
        const bool was_denied = setting.fault == "born" && !clock.cache.empty();
        seconds += std::max(longest(setting, clock, ttls) + 1,
                            was_denied ? longest_denial(setting, clock.cache) : 0);
    }
    seconds += clocks.ejects_after * static_cast<double>(setting.instances * setting.clients) /
               setting.rate;
    if (setting.connections != "new")
        seconds += static_cast<double>(setting.pool * setting.clients) / setting.rate;
    return seconds;
}

// The last poll before the fault: of waits of different lengths a fault meets long ones more often.
double since_last_poll(const ViewClock& clock, double place, double long_ones) {
    const double low = clock.period * clock.period;
    const double high = (clock.period + clock.spread) * (clock.period + clock.spread);
    return place * std::sqrt(low + long_ones * (high - low));
}

Phases phases_of(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls,
                 const std::vector<Action>& plan, Spread& spread) {
    Phases phases;
    double history = 0;  // long enough for caches to be in step with each other
    for (const ViewClock& clock : clocks.views) history += 3 * longest(setting, clock, ttls) + 1;
    phases.fault = std::ceil(history) + 1 + spread.next();
    phases.plan = plan;
    for (Action& action : phases.plan) action.at += phases.fault;
    phases.victims = victims_of(phases);
    phases.probe = phases.fault - spread.next() * setting.interval;
    for (const ViewClock& clock : clocks.views) {
        const double place = spread.next();
        const double ago = clock.kind == ViewClock::Kind::Poll
                               ? since_last_poll(clock, place, spread.next())
                               : history - place * longest(setting, clock, ttls);
        phases.fetches.push_back(phases.fault - ago);
    }
    for (std::size_t i = 0; i < phases.victims.size(); ++i)
        phases.probes.push_back(i == 0 ? *phases.probe
                                       : phases.fault - spread.next() * setting.interval);
    return phases;
}

}  // namespace

Expectation expect(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls,
                   const Delays& delays, int count) {
    const Fault* fault = find_fault(setting.fault);
    DNSD_ASSERT(fault && count > 0);
    const std::vector<Action> plan = fault->plan(setting);
    const double after =
        plan.back().at + std::max(fault->watch(setting), load_after(setting, clocks, ttls));
    Expectation expectation;
    int open_ended = 0;
    for (int i = 0; i < count; ++i) {
        Spread spread(i);
        const Phases phases = phases_of(setting, clocks, ttls, plan, spread);
        const Unknowns unknowns{
            .probe_phase = spread.next(), .poll_wait = spread.next(), .poll_step = spread.next()};
        // Over many runs the turns even out by themselves.
        const Prediction one =
            simulate(setting, clocks, phases, ttls, delays, unknowns, phases.fault + after, i);
        expectation.window_mean += one.window / count;
        expectation.window_max = std::max(expectation.window_max, one.window);
        expectation.bad_seconds_mean += one.bad_seconds / count;
        expectation.bad_seconds_max = std::max(expectation.bad_seconds_max, one.bad_seconds);
        expectation.error_seconds_mean += one.error_seconds / count;
        expectation.detection += one.detection / count;
        expectation.publication += one.publication / count;
        expectation.cache_residual += one.cache_residual / count;
        expectation.connection_residual += one.connection_residual / count;
        open_ended += one.open_ended ? 1 : 0;
    }
    expectation.open_ended = open_ended > count / 2;
    return expectation;
}

}  // namespace dnsd::lab
