#include "tools/failover-lab/model/model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "tools/failover-lab/model/fate.h"
#include "tools/failover-lab/model/pool.h"
#include "tools/failover-lab/model/truth.h"
#include "tools/failover-lab/model/views.h"

namespace dnsd::lab {
namespace {

constexpr double all_but_never = 1e-4;  // a chance that no run will show

// Requests that have the same chances, one after another.
struct Stretch {
    double from = 0;
    std::int64_t count = 0;
    double bad = 0, failed = 0;
    Mask chosen_from = 0;
    bool is_lost = false;  // nobody could be asked at all
};

// Passive detection, and who is put aside by it. The choosers are alike, each with its part of the
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

// One run of the model: requests on the grid of their intended times, each with its chances.
class Simulation {
  public:
    Simulation(const Setting& setting, const Clocks& clocks, const Phases& phases,
               const EffectiveTtls& ttls, const Delays& delays, const Unknowns& unknowns,
               double end, int turn = 0)
        : setting_(setting),
          clocks_(clocks),
          phases_(phases),
          end_(end),
          truth_(truth_of(setting, phases)),
          beliefs_(beliefs_of(setting, clocks, phases, truth_, delays, unknowns, end)),
          views_(setting, clocks, phases, truth_, beliefs_, ttls, unknowns),
          ejections_(setting, clocks, truth_.instances),
          pool_(setting, clocks, beliefs_.answers.first(), phases.fault, turn),
          viewed_(beliefs_.answers.first()) {}

    Prediction run() {
        bring_up_to_the_fault();
        send_all();
        Prediction prediction;
        for (const Stretch& stretch : stretches_) {
            const double seconds = static_cast<double>(stretch.count) / setting_.rate;
            prediction.bad_seconds += stretch.bad * seconds;
            prediction.error_seconds += stretch.failed * seconds;
        }
        mark_victims(prediction);
        find_window(prediction);
        decompose(prediction);
        return prediction;
    }

  private:
    double time_of(std::int64_t request) const {
        return static_cast<double>(request) / setting_.rate;
    }
    // The first request that is not before `time`.
    std::int64_t request_from(double time) const {
        return static_cast<std::int64_t>(std::ceil(time * setting_.rate - 1e-6));
    }

    // Caches live from their last known fetch to the fault by the same rules.
    void bring_up_to_the_fault() {
        std::int64_t request = request_from(views_.known_from());
        const std::int64_t fault = request_from(phases_.fault);
        while (request < fault) {
            const double time = time_of(request);
            views_.ask(time);
            const double until = std::min(views_.steady_until(time), phases_.fault);
            request = std::max(request + 1, request_from(until));
        }
    }

    void send_all() {
        const std::int64_t last = request_from(end_);
        bool is_other_name = false;
        for (std::int64_t request = request_from(phases_.fault); request < last;) {
            const double time = time_of(request);
            if (truth_.first_request && !is_other_name && time >= *truth_.first_request - 1e-9) {
                views_.forget();
                is_other_name = true;
            }
            conditions_now_.clear();
            for (const auto& met : truth_.met) conditions_now_.push_back(met.at(time));
            const auto answer = views_.ask(time);
            Stretch stretch = send(request, time, answer);
            const bool each_counts = ejections_.is_used() || pool_.is_used();
            const std::int64_t next =
                each_counts ? request + 1 : std::max(request + 1, request_from(steady_until(time)));
            stretch.count = std::min(next, last) - request;
            stretches_.push_back(stretch);
            request = next;
        }
    }

    double steady_until(double time) const {
        double until = std::min(views_.steady_until(time), truth_.proxy_is_up.next_change(time));
        for (const auto& met : truth_.met) until = std::min(until, met.next_change(time));
        if (truth_.first_request && *truth_.first_request > time)
            until = std::min(until, *truth_.first_request);
        return std::min(until, end_);
    }

    Stretch send(std::int64_t request, double time, const Views::Answer& answer) {
        Stretch stretch{.from = time};
        if (clocks_.through_proxy && !truth_.proxy_is_up.at(time)) {
            lose(stretch);
            return stretch;
        }
        const Mask mask = ejections_.left_of(answer.mask, time);
        stretch.chosen_from = mask;
        if (answer.is_answered) viewed_.set(time, mask);
        const bool has_choice = answer.is_answered && mask != 0;
        if (pool_.is_used()) {
            send_by_pool(stretch, request, has_choice ? mask : 0);
        } else if (!has_choice) {
            lose(stretch);
        } else {
            const double share = 1.0 / std::popcount(mask);
            for (Mask left = mask; left != 0; left &= left - 1)
                add_chances(stretch, std::countr_zero(left), mask, share);
        }
        return stretch;
    }

    static void lose(Stretch& stretch) {
        stretch.bad = stretch.failed = 1;
        stretch.is_lost = true;
    }

    const Fate& add_chances(Stretch& stretch, int instance, Mask mask, double chance) {
        const Fate& fate = fate_from(instance, mask);
        stretch.bad += chance * fate.bad;
        stretch.failed += chance * fate.failed;
        if (ejections_.is_used()) notice(fate, instance, chance, stretch.from);
        return fate;
    }

    // `mask` is empty if there is nowhere to connect to.
    void send_by_pool(Stretch& stretch, std::int64_t request, Mask mask) {
        const Pool::Start start = pool_.take(request, stretch.from, conditions_now_);
        if (start.kind == Pool::Start::Kind::Waiting) {
            const double waits = start.free - stretch.from;
            stretch.bad = waits > bad_seconds_of ? 1 : 0;
            stretch.failed = waits >= setting_.deadline_seconds() ? 1 : 0;
            return;
        }
        if (start.kind == Pool::Start::Kind::New && mask == 0) {
            pool_.give_up(request);
            return lose(stretch);
        }
        const int instance =
            start.kind == Pool::Start::Kind::Kept ? start.instance : pool_.choose(request, mask);
        const Fate& fate = add_chances(stretch, instance, mask, 1);
        pool_.give_back(request, stretch.from, instance, fate, mask, conditions_now_);
    }

    void notice(const Fate& fate, int first, double chance, double time) {
        for (std::size_t i = 0; i < fate.failures.size(); ++i) {
            const Condition condition = conditions_now_[i];
            const bool waits = condition == Condition::Hang || condition == Condition::Drop ||
                               condition == Condition::Slow;
            const double noticed = time + (waits ? setting_.try_seconds() : 0);
            if (fate.failures[i] > 0) ejections_.failed(i, chance * fate.failures[i], noticed);
        }
        const auto tried = static_cast<std::size_t>(first);
        if (fate.failures[tried] <= 0) ejections_.succeeded(tried);
    }

    const Fate& fate_from(int first, Mask mask) {
        if (mask != fates_mask_ || conditions_now_ != fates_conditions_) {
            fates_mask_ = mask;
            fates_conditions_ = conditions_now_;
            fates_.assign(conditions_now_.size(), std::nullopt);
        }
        auto& fate = fates_[static_cast<std::size_t>(first)];
        if (!fate) fate = fate_of(setting_, clocks_, first, mask, conditions_now_);
        return *fate;
    }

    // ---- what is made of it

    void mark_victims(Prediction& prediction) const {
        const auto later = [](std::optional<double>& mark, double at) {
            if (at != never) mark = std::max(mark.value_or(at), at);
        };
        for (const int victim : victims_or_all()) {
            const auto index = static_cast<std::size_t>(victim);
            later(prediction.detected, beliefs_.believed[index].next_change(phases_.fault - 1e-9));
            if (clocks_.checker == Clocks::Checker::Dnsd)
                later(prediction.published, first_flip(beliefs_.answers, victim));
            later(prediction.view, first_flip(viewed_, victim));
        }
    }

    // A service that is born has no victim: all its instances are awaited.
    std::vector<int> victims_or_all() const {
        std::vector<int> victims = victims_of(phases_);
        if (truth_.first_request) {
            victims.clear();
            for (int i = 0; i < truth_.instances; ++i) victims.push_back(i);
        }
        return victims;
    }

    static double first_flip(const Steps<Mask>& sets, int instance) {
        const Mask bit = mask_of(instance);
        for (const auto& [at, mask] : sets.changes()) {
            if ((mask & bit) != (sets.first() & bit)) return at;
        }
        return never;
    }

    // The last bad request, by chance: each is the last with the chance that it is bad and none
    // after it is. In turn instead of at random the gaps between bad ones are about half as long.
    void find_window(Prediction& prediction) {
        const auto last = std::ranges::find_if(
            stretches_.rbegin(), stretches_.rend(),
            [](const Stretch& stretch) { return stretch.bad > all_but_never; });
        if (last == stretches_.rend()) return;
        const double last_time = last->from + static_cast<double>(last->count - 1) / setting_.rate;
        // With a pool each request's first try is known.
        const bool in_turn = setting_.balance == "roundrobin" || pool_.is_used();
        const double expected =
            in_turn ? last_time - (1 / last->bad - 1) / (2 * setting_.rate) : last_by_chance();
        prediction.window = std::max(0.0, expected - phases_.fault);
        prediction.open_ended = is_open_ended(*last, last_time);
    }

    double last_by_chance() const {
        double none_later = 1, sum = 0, any = 0;
        for (auto stretch = stretches_.rbegin(); stretch != stretches_.rend(); ++stretch) {
            for (std::int64_t i = stretch->count; i-- > 0 && none_later > 1e-6;) {
                const double is_last = none_later * stretch->bad;
                sum += is_last * (stretch->from + static_cast<double>(i) / setting_.rate);
                any += is_last;
                none_later *= 1 - stretch->bad;
            }
        }
        return any > 0 ? sum / any : phases_.fault;
    }

    // Did it end by itself: by the end of the fault, or of the load?
    bool is_open_ended(const Stretch& last, double last_time) const {
        const double next = last_time + 1 / setting_.rate;
        if (truth_.first_request) return next >= end_ - 1e-9;
        if (last.is_lost || next >= end_ - 1e-9) return true;
        for (std::size_t i = 0; i < truth_.met.size(); ++i) {
            const bool was_chosen = (last.chosen_from & mask_of(static_cast<int>(i))) != 0;
            if (was_chosen && is_bad(truth_.met[i].at(last_time)) &&
                !is_bad(truth_.met[i].at(next)))
                return true;
        }
        return false;
    }

    static bool is_bad(Condition condition) {
        return condition != Condition::Well && condition != Condition::Sick;
    }

    enum class Stage { Detection, Publication, Cache, Connection };

    // Who is furthest behind decides what is waited for.
    Stage stage_at(double time) const {
        Stage stage = Stage::Connection;
        bool any = false;
        for (std::size_t i = 0; i < truth_.met.size(); ++i) {
            const Mask bit = mask_of(static_cast<int>(i));
            const bool wanted = !is_bad(truth_.met[i].at(time));
            if (wanted != truth_.first_request.has_value()) continue;  // nothing to be late with
            any = true;
            if (((viewed_.at(time) & bit) != 0) == wanted) continue;
            Stage own = Stage::Cache;
            if (((beliefs_.answers.at(time) & bit) != 0) != wanted) own = Stage::Publication;
            if (beliefs_.believed[i].at(time) != wanted) own = Stage::Detection;
            stage = std::min(stage, own);
        }
        return any ? stage : Stage::Detection;
    }

    void decompose(Prediction& prediction) const {
        const double end = phases_.fault + prediction.window;
        for (double from = phases_.fault; from < end;) {
            double until = std::min(end, viewed_.next_change(from));
            until = std::min(until, beliefs_.answers.next_change(from));
            for (std::size_t i = 0; i < truth_.met.size(); ++i) {
                until = std::min({until, truth_.met[i].next_change(from),
                                  beliefs_.believed[i].next_change(from)});
            }
            part_of(prediction, stage_at(from)) += until - from;
            from = until;
        }
    }

    static double& part_of(Prediction& prediction, Stage stage) {
        switch (stage) {
            case Stage::Publication:
                return prediction.publication;
            case Stage::Cache:
                return prediction.cache_residual;
            case Stage::Connection:
                return prediction.connection_residual;
            case Stage::Detection:
                break;
        }
        return prediction.detection;
    }

    const Setting& setting_;
    const Clocks& clocks_;
    const Phases& phases_;
    const double end_;
    const Truth truth_;
    const Beliefs beliefs_;
    Views views_;
    Ejections ejections_;
    Pool pool_;
    Steps<Mask> viewed_;  // whom the chooser chooses from
    std::vector<Condition> conditions_now_;
    std::vector<Stretch> stretches_;
    Mask fates_mask_ = 0;
    std::vector<Condition> fates_conditions_;
    std::vector<std::optional<Fate>> fates_;
};

// Where kept connections lead at first is chance: the mean of so many ways that they can.
Prediction predict_over_turns(const Setting& setting, const Clocks& clocks, const Phases& phases,
                              const EffectiveTtls& ttls, const Delays& delays,
                              const Unknowns& unknowns, double end) {
    Prediction first = Simulation(setting, clocks, phases, ttls, delays, unknowns, end).run();
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
            Simulation(setting, clocks, phases, ttls, delays, unknowns, end, turn).run();
        for (const auto sum : sums) first.*sum += next.*sum;
        first.open_ended = first.open_ended || next.open_ended;
    }
    for (const auto sum : sums) first.*sum /= turns;
    return first;
}

// ---- expectation

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

Prediction predict(const Setting& setting, const Clocks& clocks, const Phases& phases,
                   const EffectiveTtls& ttls, const Delays& delays, double end) {
    return predict_over_turns(setting, clocks, phases, ttls, delays, {}, end);
}

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
            Simulation(setting, clocks, phases, ttls, delays, unknowns, phases.fault + after, i)
                .run();
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
