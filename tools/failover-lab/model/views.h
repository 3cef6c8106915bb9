// What the chooser of an instance believes of the addresses, as it follows what dnsd answers
// through caches, polls and pushes. A part of the model.
#pragma once

#include <string_view>
#include <vector>

#include "tools/failover-lab/model/truth.h"

namespace dnsd::lab {

// The longest that a cache keeps the answer that a name has no address.
double longest_denial(const Setting& setting, std::string_view cache);

// Asked in the order of time, since asking moves caches. Refers to what it is made from.
class Views {
  public:
    struct Answer {
        bool is_answered = false;  // false: nobody could say
        Mask mask = 0;             // empty: the name has no address
        double ttl = 0;            // seconds, as handed out
    };

    Views(const Setting& setting, const Clocks& clocks, const Phases& phases, const Truth& truth,
          const Beliefs& beliefs, const EffectiveTtls& ttls, const Unknowns& unknowns);

    Answer ask(double time) { return ask(views_.size(), time); }
    // After ask(time): until when the answer stays as it is; at least.
    double steady_until(double time) const { return steady_until(views_.size(), time); }
    // The clients ask for another name from now on.
    void forget();
    // From when on the last fetches of all are known.
    double known_from() const noexcept { return known_from_; }

  private:
    struct State {
        ViewClock clock;
        bool has = false;
        Answer answer;
        double fetched = 0, expires = 0;  // Poll: the last and the next time
        double wait = 0.5;                // Poll: the place of the wait in its range
    };

    Answer ask(std::size_t level, double time);
    Answer ask_cache(std::size_t level, double time);
    Answer ask_poller(std::size_t level, double time);
    double steady_until(std::size_t level, double time) const;
    double running_until(std::size_t level, double time) const;

    Answer source(double time) const;
    Answer pushed(const State& state, double time) const;
    double next_push(const State& state, double time) const;
    bool follows_an_empty_store(const State& state) const;
    double lifetime(const State& state, const Answer& answer, double time) const;
    void begin(std::size_t index, double fetched);
    double ttl_handed(const State& state, double time) const;

    const Setting& setting_;
    const Phases& phases_;
    const Truth& truth_;
    const Beliefs& beliefs_;
    const EffectiveTtls& ttls_;
    const Unknowns& unknowns_;
    const bool has_proxy_;
    const bool asks_nobody_;  // a list of its own, and nobody to ask
    std::vector<State> views_;
    double known_from_;
};

}  // namespace dnsd::lab
