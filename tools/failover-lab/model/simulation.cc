#include "tools/failover-lab/model/simulation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "tools/failover-lab/model/ejections.h"
#include "tools/failover-lab/model/fate.h"
#include "tools/failover-lab/model/pool.h"
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

}  // namespace

Prediction simulate(const Setting& setting, const Clocks& clocks, const Phases& phases,
                    const EffectiveTtls& ttls, const Delays& delays, const Unknowns& unknowns,
                    double end, int turn) {
    return Simulation(setting, clocks, phases, ttls, delays, unknowns, end, turn).run();
}

}  // namespace dnsd::lab
