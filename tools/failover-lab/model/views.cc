#include "tools/failover-lab/model/views.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace dnsd::lab {
namespace {

using Kind = ViewClock::Kind;

// Caches that keep "no address", and "no answer", for a time of their own: OpenJDK's
// networkaddress.cache.negative.ttl, and nscd's negative-time-to-live for hosts, as they come.
double negative_seconds(std::string_view cache, double promised) {
    if (cache == "jvm") return 10;
    if (cache == "nscd") return 20;
    return promised;
}
double failure_seconds(std::string_view cache) { return cache == "jvm" ? 10 : 0; }

// From the question to what is kept: what was fetched by the request due at one moment has not
// lapsed yet for the one due a TTL later, but for the next.
constexpr double round_trip = 0.0005;

bool keeps_by_ttl(const ViewClock& clock) {
    return clock.kind == Kind::Ttl || (clock.kind == Kind::Push && !clock.cache.empty());
}

// Ended with the programs on the node, which `proxy_down` kills; caches inside processes live on.
bool is_on_the_node(const ViewClock& clock) {
    return clock.kind == Kind::Push ||
           (clock.kind == Kind::Ttl && clock.cache != "cache" && clock.cache != "jvm");
}

}  // namespace

double longest_denial(const Setting& setting, std::string_view cache) {
    return negative_seconds(cache, static_cast<double>(setting.negative_ttl)) + 1;
}

Views::Views(const Setting& setting, const Clocks& clocks, const Phases& phases, const Truth& truth,
             const Beliefs& beliefs, const EffectiveTtls& ttls, const Unknowns& unknowns)
    : setting_(setting),
      phases_(phases),
      truth_(truth),
      beliefs_(beliefs),
      ttls_(ttls),
      unknowns_(unknowns),
      has_proxy_(clocks.through_proxy),
      asks_nobody_(clocks.checker == Clocks::Checker::Own ||
                   (clocks.through_proxy && clocks.views.empty())),
      known_from_(phases.fault) {
    if (asks_nobody_) return;
    double last = -never;
    for (const ViewClock& clock : clocks.views) {
        const std::size_t index = views_.size();
        views_.emplace_back().clock = clock;
        double fetched = index < phases.fetches.size() ? phases.fetches[index] : NAN;
        if (std::isfinite(fetched)) last = std::max(last, fetched);
        if (!std::isfinite(fetched)) {
            // The middle of what it can be.
            const double period =
                keeps_by_ttl(clock)
                    ? ttls.lifetime(clock.cache, static_cast<double>(setting.ttl), 0.5)
                    : clock.period + clock.spread / 2;
            fetched = phases.fault - period / 2;
        }
        begin(index, std::min(fetched, phases.fault));
    }
    if (std::isfinite(last)) known_from_ = std::min(last, phases.fault);
}

// The state of a view that fetched what was true before the fault.
void Views::begin(std::size_t index, double fetched) {
    State& state = views_[index];
    double ttl = static_cast<double>(setting_.ttl);
    // Both fetched at once, if the one behind it made it ask; else it got what was left.
    constexpr double at_once = 0.02;
    if (index > 0 && keeps_by_ttl(views_[index - 1].clock) &&
        fetched - views_[index - 1].fetched > at_once) {
        ttl = ttl_handed(views_[index - 1], fetched);
    }
    state.has = true;
    state.answer = {true, beliefs_.answers.first(), ttl};
    state.fetched = fetched;
    if (state.clock.kind != Kind::Poll) {
        state.expires = fetched + lifetime(state, state.answer, fetched);
        return;
    }
    // It has not polled since, up to the fault.
    const double latest = fetched + state.clock.period + state.clock.spread;
    const double earliest = std::min(latest, std::max(fetched + state.clock.period, phases_.fault));
    state.wait = unknowns_.poll_wait;
    state.expires = state.clock.spread > 0 ? earliest + state.wait * (latest - earliest) : latest;
}

void Views::forget() {
    for (State& state : views_) {
        if (state.clock.kind != Kind::Poll) state.has = false;
    }
}

Views::Answer Views::ask(std::size_t level, double time) {
    if (level == 0) return source(time);
    State& state = views_[level - 1];
    if (!has_proxy_ && is_on_the_node(state.clock)) {
        if (!truth_.proxy_is_up.at(time)) return {};
        if (state.fetched < truth_.proxy_is_up.last_change(time)) state.has = false;
    }
    if (state.clock.kind == Kind::Poll) return ask_poller(level, time);
    if (keeps_by_ttl(state.clock)) return ask_cache(level, time);
    return level == 1 ? pushed(state, time) : ask(level - 1, time);
}

Views::Answer Views::ask_cache(std::size_t level, double time) {
    State& state = views_[level - 1];
    const bool is_emptied =
        state.clock.kind == Kind::Push && state.has && next_push(state, state.fetched) <= time;
    if (state.has && !is_emptied && time < state.expires) {
        Answer kept = state.answer;
        if (time > state.fetched) kept.ttl = ttl_handed(state, time);
        return kept;
    }
    state.answer = ask(level - 1, time);
    state.has = true;
    state.fetched = time;
    state.expires = time + round_trip + lifetime(state, state.answer, time);
    return state.answer;
}

Views::Answer Views::ask_poller(std::size_t level, double time) {
    State& state = views_[level - 1];
    while (state.expires <= time) {
        state.fetched = state.expires;
        // What nobody answers, or a zone that is not there, leaves it with what it has.
        if (const Answer answer = ask(level - 1, state.fetched); answer.is_answered)
            state.answer = answer;
        state.wait += unknowns_.poll_step;
        state.wait -= std::floor(state.wait);
        const double period = state.clock.period + state.wait * state.clock.spread;
        state.expires = state.fetched + std::max(period, 1e-3);
    }
    return state.answer;
}

double Views::steady_until(std::size_t level, double time) const {
    if (level == 0) {
        return std::min({beliefs_.answers.next_change(time), truth_.dnsd_is_up.next_change(time),
                         truth_.refilling_until(time)});
    }
    const State& state = views_[level - 1];
    if (!has_proxy_ && is_on_the_node(state.clock)) {
        const double other = truth_.proxy_is_up.next_change(time);
        return std::min(other, truth_.proxy_is_up.at(time) ? running_until(level, time) : never);
    }
    return running_until(level, time);
}

double Views::running_until(std::size_t level, double time) const {
    const State& state = views_[level - 1];
    if (state.clock.kind == Kind::Poll) return state.expires;
    if (keeps_by_ttl(state.clock)) {
        double until = state.expires;
        if (state.clock.kind == Kind::Push) until = std::min(until, next_push(state, time));
        return state.has && time < until ? until : steady_until(level - 1, time);
    }
    return level == 1 ? next_push(state, time) : steady_until(level - 1, time);
}

Views::Answer Views::source(double time) const {
    // Whoever keeps no view of its own asks dnsd for each connection.
    if (!asks_nobody_ && !truth_.dnsd_is_up.at(time)) return {};
    const Mask mask = truth_.is_refilling(time) ? 0 : beliefs_.answers.at(time);
    return {true, mask, static_cast<double>(mask == 0 ? setting_.negative_ttl : setting_.ttl)};
}

// What it was told last stays, whoever is down. A replica believes an empty store too; proxies, by
// xDS or by the agent, do not.
Views::Answer Views::pushed(const State& state, double time) const {
    double told = time - state.clock.period;
    if (state.clock.by_agent && !truth_.agent_is_up.last()) {
        const double died = truth_.agent_is_up.changes().front().first;
        told = std::min(told, died - state.clock.period);
    }
    if (follows_an_empty_store(state) && truth_.emptied && told >= *truth_.emptied &&
        !(truth_.refilled && told >= *truth_.refilled + Truth::refilling)) {
        return {true, 0, static_cast<double>(setting_.negative_ttl)};
    }
    return {true, beliefs_.answers.at(told), static_cast<double>(setting_.ttl)};
}

bool Views::follows_an_empty_store(const State& state) const {
    return !has_proxy_ && !state.clock.by_agent && !state.clock.outlives_the_zone;
}

double Views::next_push(const State& state, double time) const {
    const double told = time - state.clock.period;
    double change = beliefs_.answers.next_change(told);
    if (follows_an_empty_store(state) && truth_.emptied) {
        if (told < *truth_.emptied) change = std::min(change, *truth_.emptied);
    }
    change = std::min(change, truth_.refilling_until(told));
    const double next = change + state.clock.period;
    return state.clock.by_agent && !truth_.agent_is_up.at(next) ? never : next;
}

double Views::lifetime(const State& state, const Answer& answer, double time) const {
    if (!answer.is_answered) return failure_seconds(state.clock.cache);
    const double wall = phases_.wall_start + time;
    const double kept = ttls_.lifetime(state.clock.cache, answer.ttl, wall - std::floor(wall));
    return answer.mask == 0 ? negative_seconds(state.clock.cache, kept) : kept;
}

// Whole seconds of what is left.
double Views::ttl_handed(const State& state, double time) const {
    return std::clamp(std::floor(state.expires - time + 1e-9), 0.0, state.answer.ttl);
}

}  // namespace dnsd::lab
