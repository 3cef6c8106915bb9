#include "tools/failover-lab/model/truth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace dnsd::lab {
namespace {

constexpr std::array<std::pair<std::string_view, Condition>, 7> condition_words{
    {{"well", Condition::Well},
     {"refuse", Condition::Refuse},
     {"hang", Condition::Hang},
     {"drop", Condition::Drop},
     {"sick", Condition::Sick},
     {"gray", Condition::Gray},
     {"slow", Condition::Slow}}};

bool starts_unregistered(const Phases& phases, int instance) {
    for (const Action& action : phases.plan) {
        if (action.what == "first_request") return true;
        if (action.what == "store_lost") return false;
        if (action.instance != instance) continue;
        if (action.what == "register") return true;
        if (action.what == "deregister") return false;
    }
    return false;
}

// A stopped process answers what it was sent as soon as it runs again.
Steps<Condition> met_by_requests(const Steps<Condition>& condition, double try_seconds) {
    Steps<Condition> met(condition.first());
    const auto& changes = condition.changes();
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const auto& [at, what] = changes[i];
        met.set(at, what);
        if (what != Condition::Hang || i + 1 == changes.size()) continue;
        const auto& [until, next] = changes[i + 1];
        if (next != Condition::Well) continue;
        met.set(std::max(at, until - try_seconds), Condition::Late);
        met.set(std::max(at, until - std::min(bad_seconds_of, try_seconds)), Condition::Well);
    }
    return met;
}

void carry_out(const Action& action, Truth& truth) {
    const auto word = std::ranges::find(condition_words, action.what,
                                        &std::pair<std::string_view, Condition>::first);
    if (word != condition_words.end()) {
        DNSD_ASSERT(action.instance >= 0);
        truth.conditions[static_cast<std::size_t>(action.instance)].set(action.at, word->second);
    } else if (action.what == "register" || action.what == "deregister") {
        for (int i = 0; i < truth.instances; ++i) {
            if (action.instance >= 0 && action.instance != i) continue;
            truth.registered[static_cast<std::size_t>(i)].set(action.at, action.what == "register");
        }
        // After its database was lost: until all is registered again, it knows no zone.
        if (action.instance < 0 && action.what == "register") {
            truth.dnsd_is_up.set(action.at, true);
            if (truth.emptied) truth.refilled = action.at;
        }
    } else if (action.what == "dnsd_down" || action.what == "store_lost") {
        truth.dnsd_is_up.set(action.at, false);
        if (action.what == "store_lost") truth.emptied = action.at;
    } else if (action.what == "dnsd_up") {
        truth.dnsd_is_up.set(action.at, true);
    } else if (action.what == "proxy_down" || action.what == "proxy_up") {
        truth.proxy_is_up.set(action.at, action.what == "proxy_up");
    } else if (action.what == "agent_down") {
        truth.agent_is_up.set(action.at, false);
    } else if (action.what == "first_request") {
        truth.first_request = action.at;
    }
}

// ---- the checker

struct Verdict {
    double at;
    bool healthy;
};

struct ProbeOutcome {
    bool success;
    double seconds;
};

ProbeOutcome probe(const Setting& setting, Condition condition) {
    const double timeout = setting.check_timeout();
    const bool asks_it = setting.check == "http";  // or is content with a connection
    switch (condition) {
        case Condition::Refuse:
            return {false, 0};
        case Condition::Drop:
            return {false, timeout};
        case Condition::Hang:
            return asks_it ? ProbeOutcome{false, timeout} : ProbeOutcome{true, 0};
        case Condition::Sick:
            return {!asks_it, 0};
        case Condition::Slow:
            if (!asks_it) return {true, 0};
            return {timeout > slow_seconds, std::min(timeout, slow_seconds)};
        case Condition::Well:
        case Condition::Gray:
        case Condition::Late:
            break;
    }
    return {true, 0};
}

// Ticks of one instance's check, and the reconfirmations that clients ask for between them.
class Check {
  public:
    Check(const Setting& setting, const Clocks& clocks, const Phases& phases, const Truth& truth,
          const Unknowns& unknowns, int instance)
        : setting_(setting),
          phases_(phases),
          truth_(truth),
          unknowns_(unknowns),
          instance_(instance),
          condition_(truth.conditions[static_cast<std::size_t>(instance)]),
          registered_(truth.registered[static_cast<std::size_t>(instance)]),
          is_own_(clocks.checker == Clocks::Checker::Own),
          is_told_(setting.reconfirm && !is_own_ && !clocks.through_proxy),
          interval_(phases.probe_interval > 0 ? phases.probe_interval : setting.interval) {}

    // Verdicts that change something, in the order of time. It begins as healthy if it is
    // registered.
    std::vector<Verdict> run(double end) {
        healthy_ = registered_.first() || is_own_;
        next_ = first_tick();
        plan_reconfirmations();
        while (true) {
            const double restart = next_restart(now_);
            const double due = std::min({next_, restart, next_reconfirmation()});
            if (due > end || due == never) return std::move(verdicts_);
            now_ = due;
            if (due == restart) {
                begin_anew(due);
            } else if (due == next_) {
                tick(due);
            } else {
                reconfirm(due);
            }
        }
    }

  private:
    // The first tick from the fault on: none before it changes anything.
    double first_tick() const {
        if (!registered_.first() && !is_own_) return never;
        const double last = known_phase();
        return last + std::ceil((phases_.fault - last) / interval_ - 1e-9) * interval_;
    }

    double known_phase() const {
        const auto victims = victims_of(phases_);
        const auto place = std::ranges::find(victims, instance_) - victims.begin();
        const auto index = static_cast<std::size_t>(place);
        if (index < phases_.probes.size() && std::isfinite(phases_.probes[index]))
            return phases_.probes[index];
        const double first = phases_.probe.value_or(phases_.fault - interval_ / 2);
        if (victims.empty() || index >= victims.size()) return first;
        // Each endpoint has a phase of its own; that of others than the first is not known, so they
        // are taken to be spread evenly.
        return first + interval_ * static_cast<double>(index) / static_cast<double>(victims.size());
    }

    // dnsd probes at once what is new to it, or when it is new itself; the ticks have a phase of
    // their own.
    double next_restart(double after) const {
        if (is_own_) return never;
        double next = never;
        for (const Steps<bool>* steps : {&truth_.dnsd_is_up, &registered_}) {
            for (const auto& [at, is_on] : steps->changes()) {
                if (is_on && at > after) next = std::min(next, at);
            }
        }
        return next;
    }

    void begin_anew(double at) {
        if (!truth_.dnsd_is_up.at(at) || !registered_.at(at)) return;
        if (registered_.last_change(at) == at) {  // status unknown, as the API's PUT leaves it
            healthy_ = false;
            successes_ = failures_ = 0;
        }
        take(at);
        next_ = at + std::max(unknowns_.probe_phase, 1e-3) * interval_;
    }

    bool probes_at(double at) const {
        return is_own_ || (truth_.dnsd_is_up.at(at) && registered_.at(at));
    }

    void tick(double at) {
        double took = 0;
        if (probes_at(at) && at >= busy_until_) took = take(at);
        next_ = at + interval_ + (is_own_ ? took : 0);
    }

    double take(double at) {
        const ProbeOutcome outcome = probe(setting_, condition_.at(at));
        busy_until_ = at + outcome.seconds;
        successes_ = outcome.success ? successes_ + 1 : 0;
        failures_ = outcome.success ? 0 : failures_ + 1;
        const bool turns = healthy_ ? failures_ >= setting_.fall : successes_ >= setting_.rise;
        if (turns) {
            healthy_ = !healthy_;
            verdicts_.push_back({busy_until_, healthy_});
        }
        return outcome.seconds;
    }

    // When the first client to meet it dead has met it: half a turn of the balance after it died,
    // and for what hangs the try's own time later.
    void plan_reconfirmations() {
        if (!is_told_) return;
        const double turn = static_cast<double>(setting_.instances) / setting_.rate;
        for (const auto& [at, condition] : condition_.changes()) {
            const bool refuses = condition == Condition::Refuse;
            const bool hangs = condition == Condition::Hang || condition == Condition::Drop;
            if (refuses || hangs)
                reconfirmations_.push_back(at + turn / 2 + (hangs ? setting_.try_seconds() : 0));
        }
    }
    double next_reconfirmation() const {
        if (reconfirmations_.empty()) return never;
        // A probe that is under way counts as the first of them.
        return std::max(reconfirmations_.front(), busy_until_);
    }
    // Probes back to back, until one succeeds or they were enough.
    void reconfirm(double at) {
        reconfirmations_.erase(reconfirmations_.begin());
        if (!probes_at(at) || !healthy_) return;
        for (std::int64_t i = 0; i < setting_.fall && healthy_; ++i) {
            const auto before = failures_;
            at += take(at);
            if (failures_ <= before) return;
        }
    }

    const Setting& setting_;
    const Phases& phases_;
    const Truth& truth_;
    const Unknowns& unknowns_;
    const int instance_;
    const Steps<Condition>& condition_;
    const Steps<bool>& registered_;
    const bool is_own_, is_told_;
    const double interval_;

    bool healthy_ = true;
    std::int64_t successes_ = 0, failures_ = 0;
    double now_ = -never, next_ = never, busy_until_ = -never;
    std::vector<double> reconfirmations_;
    std::vector<Verdict> verdicts_;
};

// What is known of one instance changes: a verdict, or a registration.
struct News {
    double at;
    std::size_t instance;
    enum class Kind { Verdict, Registration } kind;
    bool value;
};

// Answers follow what is known: the healthy ones; if there are none and no first verdict is
// awaited, all (fail_open, as Route 53 does).
class Registry {
  public:
    // Who is not told of registrations has a list of its own: the first `listed`.
    Registry(const Truth& truth, bool is_checked, bool is_told, std::int64_t listed)
        : is_checked_(is_checked) {
        for (const auto& registered : truth.registered) {
            const bool is_in =
                is_told ? registered.first() : static_cast<std::int64_t>(known_.size()) < listed;
            known_.push_back({is_in, is_in, is_in});
        }
    }

    void take(const News& news) {
        Known& known = known_[news.instance];
        if (news.kind == News::Kind::Verdict) {
            known.healthy = news.value;
            known.has_verdict = true;
        } else {
            if (news.value && !known.registered) known.has_verdict = known.healthy = !is_checked_;
            known.registered = news.value;
        }
    }
    bool believes(std::size_t instance) const {
        return known_[instance].registered && known_[instance].healthy;
    }
    Mask answers() const {
        Mask healthy = 0, registered = 0;
        bool awaits = false;
        for (std::size_t i = 0; i < known_.size(); ++i) {
            const Mask bit = mask_of(static_cast<int>(i));
            if (known_[i].registered) registered |= bit;
            if (believes(i)) healthy |= bit;
            awaits = awaits || (known_[i].registered && !known_[i].has_verdict);
        }
        return healthy != 0 || awaits ? healthy : registered;
    }

  private:
    struct Known {
        bool registered, healthy, has_verdict;
    };
    std::vector<Known> known_;
    bool is_checked_;
};

}  // namespace

std::vector<int> victims_of(const Phases& phases) {
    if (!phases.victims.empty()) return phases.victims;
    std::vector<int> victims;
    for (const Action& action : phases.plan) {
        if (action.instance >= 0 && std::ranges::find(victims, action.instance) == victims.end())
            victims.push_back(action.instance);
    }
    return victims;
}

double Truth::refilling_until(double time) const noexcept {
    if (!refilled || time >= *refilled + refilling) return never;
    return time < *refilled ? *refilled : *refilled + refilling;
}

Truth truth_of(const Setting& setting, const Phases& phases) {
    Truth truth;
    truth.instances = static_cast<int>(setting.instances);
    for (const Action& action : phases.plan)
        truth.instances = std::max(truth.instances, action.instance + 1);
    DNSD_ASSERT(truth.instances <= instances_max);
    for (int i = 0; i < truth.instances; ++i) {
        truth.conditions.emplace_back(Condition::Well);
        truth.registered.emplace_back(!starts_unregistered(phases, i));
    }
    for (const Action& action : phases.plan) carry_out(action, truth);
    for (const auto& condition : truth.conditions)
        truth.met.push_back(met_by_requests(condition, setting.try_seconds()));
    return truth;
}

Beliefs beliefs_of(const Setting& setting, const Clocks& clocks, const Phases& phases,
                   const Truth& truth, const Delays& delays, const Unknowns& unknowns, double end) {
    const bool is_checked = clocks.checker != Clocks::Checker::Nobody;
    const bool is_told = clocks.checker == Clocks::Checker::Dnsd || !clocks.views.empty() ||
                         (!is_checked && !clocks.through_proxy);
    std::vector<News> news;
    for (std::size_t i = 0; i < truth.conditions.size(); ++i) {
        if (is_told) {
            for (const auto& [at, is_on] : truth.registered[i].changes())
                news.push_back({at, i, News::Kind::Registration, is_on});
        }
        if (!is_checked) continue;
        Check check(setting, clocks, phases, truth, unknowns, static_cast<int>(i));
        for (const Verdict& verdict : check.run(end))
            news.push_back({verdict.at, i, News::Kind::Verdict, verdict.healthy});
    }
    // A registration counts before the verdict that it brings about at once.
    std::ranges::stable_sort(news, [](const News& a, const News& b) {
        return std::pair(a.at, a.kind == News::Kind::Verdict) <
               std::pair(b.at, b.kind == News::Kind::Verdict);
    });

    Registry registry(truth, is_checked, is_told, setting.instances);
    Beliefs beliefs;
    for (std::size_t i = 0; i < truth.conditions.size(); ++i)
        beliefs.believed.emplace_back(registry.believes(i));
    beliefs.answers = Steps<Mask>(registry.answers());
    const double delay =
        clocks.checker == Clocks::Checker::Own ? 0 : delays.publication + setting.publish_delay;
    for (const News& each : news) {
        registry.take(each);
        beliefs.believed[each.instance].set(each.at, registry.believes(each.instance));
        beliefs.answers.set(each.at + delay, registry.answers());
    }
    return beliefs;
}

}  // namespace dnsd::lab
