#include "tools/failover-lab/model/fleet.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/assert.h"
#include "tools/failover-lab/model/fate.h"
#include "tools/failover-lab/model/truth.h"

namespace dnsd::lab {
namespace {

using Kind = ViewClock::Kind;

constexpr int incidents = 40;               // that are averaged
constexpr int own_phases = 1000;            // of own checks, of which each node has one
constexpr int backends_simulated_max = 50;  // more of them only have smaller shares

// A stream of updates is kept alive by a comment in so many seconds (BEHAVIOUR §6).
constexpr double comment_interval = 15;

class Chance {
  public:
    explicit Chance(unsigned seed) : engine_(seed) {}
    // Above 0, below 1; the same on every machine, which std's distributions do not promise.
    double place() {
        return (static_cast<double>(engine_() >> 11) + 0.5) / static_cast<double>(1ULL << 53);
    }
    double exponential(double mean) { return -mean * std::log(place()); }

  private:
    std::mt19937_64 engine_;
};

class Extrapolation {
  public:
    Extrapolation(const Fleet& fleet, const Setting& setting, const Clocks& clocks,
                  const EffectiveTtls& ttls, const Delays& delays, unsigned seed)
        : fleet_(fleet),
          setting_(setting),
          clocks_(clocks),
          ttls_(ttls),
          delays_(delays),
          chance_(seed) {
        const Fault* fault = find_fault(setting.fault);
        DNSD_ASSERT(fault && fleet.nodes > 0 && fleet.services > 0 && fleet.backends > 0);
        setting_.instances = std::min(fleet.backends, backends_simulated_max);
        setting_.clients = 1;
        plan_ = fault->plan(setting_);
        const auto hit =
            std::ranges::find_if(plan_, [](const Action& action) { return action.instance >= 0; });
        begins_ = hit == plan_.end() ? 0 : hit->at;
        is_central_ = clocks.through_proxy && setting.topology == "central";
        rate_ = fleet.requests_per_node / fleet.services;

        const Truth truth = truth_of(setting_, phases_of(0));
        for (const auto& condition : truth.conditions)
            conditions_.push_back(condition.at(phases_of(0).fault + begins_));
        if (clocks.checker != Clocks::Checker::Own) return;
        for (int i = 0; i < own_phases; ++i)
            seen_by_own_.push_back(seen_after(Clocks::Checker::Own, (i + 0.5) / own_phases));
    }

    FleetResult run() {
        FleetResult result;
        const double share = failing_share();
        for (int incident = 0; incident < incidents; ++incident) {
            const double probe = (incident + chance_.place()) / incidents;
            const double published = published_after(probe);
            double sum = 0, last = 0;
            const int choosers = is_central_ ? 1 : fleet_.nodes;
            for (int node = 0; node < choosers; ++node) {
                const double seconds = rid_after(published);
                sum += seconds;
                last = std::max(last, seconds);
            }
            result.error_seconds += share * sum / choosers / incidents;
            result.last_node += last / incidents;
        }
        add_load(result);
        return result;
    }

  private:
    Phases phases_of(double probe) const {
        Phases phases;
        phases.fault = 1;
        phases.plan = plan_;
        for (Action& action : phases.plan) action.at += phases.fault;
        phases.victims = {0};
        phases.probe = phases.fault + begins_ - probe * setting_.interval;
        return phases;
    }

    // From the victim's end to its own checker's verdict, or to dnsd's answers: for both, whoever
    // asks for each request sees it at once. Never seen: until the fault ends, or nobody watches.
    double seen_after(Clocks::Checker checker, double probe) const {
        Clocks clocks;
        clocks.checker = checker;
        const double watched = plan_.back().at + 2 +
                               static_cast<double>(setting_.fall + 1) *
                                   (setting_.interval + setting_.check_timeout()) +
                               setting_.publish_delay;
        Setting setting = setting_;
        setting.rate = 1;  // no request matters here
        const Phases phases = phases_of(probe);
        const Truth truth = truth_of(setting, phases);
        const Beliefs beliefs =
            beliefs_of(setting, clocks, phases, truth, delays_, {}, phases.fault + watched);
        const double begin = phases.fault + begins_;
        const double changes = beliefs.answers.next_change(begin - 1e-9);
        return std::min(changes - begin, lasts());
    }
    double published_after(double probe) const {
        if (clocks_.checker != Clocks::Checker::Dnsd) return lasts();
        return seen_after(Clocks::Checker::Dnsd, probe);
    }

    // Until the victim is well again; an hour where it never is.
    double lasts() const {
        for (const Action& action : plan_) {
            if (action.what == "well" && action.at > begins_) return action.at - begins_;
        }
        return 3600;
    }

    double rid_after(double published) {
        double seconds = published;
        if (clocks_.checker == Clocks::Checker::Own) {
            seconds = seen_by_own_[static_cast<std::size_t>(chance_.place() * own_phases)];
        } else if (clocks_.checker == Clocks::Checker::Dnsd) {
            for (std::size_t i = 0; i < clocks_.views.size(); ++i) seconds += residual(i);
        }
        if (clocks_.ejects_after > 0) seconds = std::min(seconds, ejected_after());
        return std::min(seconds, lasts());
    }

    double residual(std::size_t index) {
        const ViewClock& clock = clocks_.views[index];
        if (clock.kind == Kind::Push) return chance_.exponential(clock.period);
        if (clock.kind == Kind::Poll) {
            // Of waits of different lengths a fault meets long ones more often.
            const double low = clock.period * clock.period;
            const double high = (clock.period + clock.spread) * (clock.period + clock.spread);
            return chance_.place() * std::sqrt(low + chance_.place() * (high - low));
        }
        // A cache behind a cache is handed what is left, and ends with it.
        const bool is_behind = index > 0 && clocks_.views[index - 1].kind == Kind::Ttl;
        if (is_behind && EffectiveTtls::honours_ttl(clock.cache)) return 0;
        const double kept =
            ttls_.lifetime(clock.cache, static_cast<double>(setting_.ttl), chance_.place());
        // A client that seldom asks often holds nothing.
        const bool is_live = kept > 0 && chance_.place() < kept / (kept + 1 / rate_);
        return is_live ? chance_.place() * kept : 0;
    }

    double ejected_after() {
        const double rate = is_central_ ? rate_ * fleet_.nodes : rate_;
        double seconds = 0;
        for (int i = 0; i < clocks_.ejects_after; ++i)
            seconds += chance_.exponential(fleet_.backends / rate);
        const Condition condition = conditions_.front();
        const bool waits = condition == Condition::Hang || condition == Condition::Drop;
        return seconds + (waits ? setting_.try_seconds() : 0);
    }

    // Of the requests to the service, while the victim is believed in.
    double failing_share() const {
        const auto count = static_cast<int>(setting_.instances);
        const Mask all = (Mask{1} << count) - 1;
        double failed = 0;
        for (int i = 0; i < count; ++i)
            failed += fate_of(setting_, clocks_, i, all, conditions_).failed;
        return failed / std::max(count, fleet_.backends);
    }

    void add_load(FleetResult& result) const {
        const double watchers = is_central_ ? 1 : fleet_.nodes;
        const double lists = watchers * fleet_.services;
        if (clocks_.checker == Clocks::Checker::Dnsd)
            result.probes_per_second = fleet_.services * fleet_.backends / setting_.interval;
        if (clocks_.checker == Clocks::Checker::Own)
            result.probes_per_second = lists * fleet_.backends / setting_.interval;
        if (clocks_.checker != Clocks::Checker::Dnsd) return;
        if (clocks_.views.empty()) {
            result.queries_per_second = lists * rate_;
            return;
        }
        const ViewClock& nearest = clocks_.views.front();
        if (nearest.kind == Kind::Poll) {
            result.queries_per_second = lists / (nearest.period + nearest.spread / 2);
        } else if (nearest.kind == Kind::Push) {
            result.messages_per_change = watchers;
            result.messages_per_second = watchers / comment_interval;
        }
        // Who is asked less often than it forgets asks as often as it is asked.
        double kept = 0;
        for (const ViewClock& clock : clocks_.views) {
            if (!clock.cache.empty())
                kept = std::max(
                    kept, ttls_.lifetime(clock.cache, static_cast<double>(setting_.ttl), 0.5));
        }
        if (!nearest.cache.empty()) result.queries_per_second = lists / (kept + 1 / rate_);
    }

    const Fleet& fleet_;
    Setting setting_;
    const Clocks& clocks_;
    const EffectiveTtls& ttls_;
    const Delays& delays_;
    Chance chance_;
    std::vector<Action> plan_;
    double begins_ = 0;  // when the first instance is hit
    bool is_central_ = false;
    double rate_ = 0;                    // of a node's requests to one service
    std::vector<Condition> conditions_;  // once the first instance is hit
    std::vector<double> seen_by_own_;    // seconds, for each phase of own checks
};

}  // namespace

FleetResult extrapolate(const Fleet& fleet, const Setting& setting, const Clocks& clocks,
                        const EffectiveTtls& ttls, const Delays& delays, unsigned seed) {
    return Extrapolation(fleet, setting, clocks, ttls, delays, seed).run();
}

}  // namespace dnsd::lab
