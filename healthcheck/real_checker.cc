#include "healthcheck/real_checker.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"

namespace dnsd::health {

namespace {

constexpr std::size_t reconfirmations_per_second_max = 10;

bool is_lease(const Target& target) { return target.kind == Target::Kind::Lease; }

Milliseconds ceil(SteadyTime when, SteadyTime now) {
    return std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(when - now));
}

}  // namespace

Result<std::unique_ptr<Checker>> Checker::make(Options options, const Clock& clock,
                                               OnTransitions on_transitions) {
    return std::make_unique<RealChecker>(options, clock, std::move(on_transitions));
}

RealChecker::RealChecker(Options options, const Clock& clock, OnTransitions on_transitions)
    : options_(options),
      clock_(clock),
      on_transitions_(std::move(on_transitions)),
      client_(loop_),
      random_(options.seed != 0 ? Random(options.seed) : seeded_by_machine()),
      breaker_(options.breaker_percent, options.breaker_checks_least),
      lateness_({0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}),
      timer_(loop_, [this] { on_time(); }),
      flush_soon_(loop_, [this] { flush(); }),
      mailbox_(loop_, options.letters_max) {
    mailbox_.after_batch([this] { set_timer(); });
    thread_ = std::thread([this] { loop_.run(); });
}

RealChecker::~RealChecker() {
    post([this] { loop_.stop(); });
    thread_.join();
}

// A letter that is not taken would leave an endpoint unwatched for ever: the bound is one that only
// a defect can reach.
void RealChecker::post(io::Mailbox::Letter letter) {
    const bool taken = mailbox_.post(std::move(letter));
    DNSD_ASSERT(taken);
}

void RealChecker::watch(std::uint64_t watch, Target target, Thresholds thresholds, Status status,
                        bool at_once) {
    post([=, this, target = std::move(target)]() mutable {
        do_watch(watch, std::move(target), thresholds, status, at_once);
    });
}
void RealChecker::unwatch(std::uint64_t watch) {
    post([=, this] { do_unwatch(watch); });
}
void RealChecker::heartbeat(std::uint64_t watch) {
    post([=, this] { do_heartbeat(watch); });
}
void RealChecker::reconfirm(std::uint64_t watch, std::move_only_function<void(Reconfirmed)> done) {
    post([this, watch, done = std::move(done)]() mutable { do_reconfirm(watch, std::move(done)); });
}
void RealChecker::set_breaker_percent(double percent) {
    post([this, percent] {
        breaker_.set_percent(percent);
        release_held(Milliseconds(1000));
    });
}

// ---- watches

void RealChecker::do_watch(std::uint64_t number, Target target, Thresholds thresholds,
                           Status status, bool at_once) {
    const auto found = watches_.find(number);
    if (found != watches_.end() && found->second.target == target) {
        found->second.thresholds = thresholds;
        found->second.belief.change(thresholds);
        return;
    }
    if (found != watches_.end()) do_unwatch(number);
    Watched& watched =
        watches_
            .emplace(number,
                     Watched{target, thresholds, Belief(thresholds, status), status, nullptr, {}})
            .first->second;
    if (is_lease(target)) {
        watched.lapses = loop_.now() + thresholds.lease_ttl;
        due_.emplace(watched.lapses, Due::Lapse, number);
    } else {
        watched.endpoint = &join(target, number, at_once);
    }
}

void RealChecker::do_unwatch(std::uint64_t number) {
    const auto found = watches_.find(number);
    if (found == watches_.end()) return;
    Watched& watched = found->second;
    breaker_.forget(number);
    if (watched.endpoint) {
        leave(*watched.endpoint, number);
    } else {
        due_.erase({watched.lapses, Due::Lapse, number});
    }
    watches_.erase(found);
}

RealChecker::Endpoint& RealChecker::join(const Target& target, std::uint64_t number, bool at_once) {
    const auto [known, is_new] = by_target_.try_emplace(target, last_endpoint_ + 1);
    if (is_new) {
        auto made = std::make_unique<Endpoint>();
        made->number = ++last_endpoint_;
        made->target = target;
        // A phase of its own: checks that were made together must not probe together for ever.
        const auto phase = std::uniform_int_distribution<std::int64_t>(
            1, std::chrono::nanoseconds(target.interval).count())(random_);
        made->next_tick = loop_.now() + std::chrono::nanoseconds(phase);
        due_.emplace(made->next_tick, Due::Tick, made->number);
        endpoints_.emplace(made->number, std::move(made));
        endpoints_now_.store(endpoints_.size(), std::memory_order_relaxed);
    }
    Endpoint& endpoint = *endpoints_.at(known->second);
    endpoint.watches.insert(number);
    // Besides its ticks, so that nobody waits an interval for the first outcome.
    if (at_once && !endpoint.attempt) {
        if (in_flight_count_ < options_.probes_in_flight_max) {
            start(endpoint, loop_.now());
        } else {
            refused_.add();
        }
    }
    return endpoint;
}

void RealChecker::leave(Endpoint& endpoint, std::uint64_t number) {
    endpoint.watches.erase(number);
    if (endpoint.reconfirmation && endpoint.reconfirmation->watch == number) {
        reconfirmed_.emplace_back(std::move(endpoint.reconfirmation->done),
                                  Reconfirmed{Reconfirmed::Kind::NotProbed, Status::Unknown});
        endpoint.reconfirmation.reset();
        flush_soon_.start(Milliseconds(0));
    }
    if (!endpoint.watches.empty()) return;
    due_.erase({endpoint.next_tick, Due::Tick, endpoint.number});
    if (endpoint.attempt) {
        due_.erase({endpoint.deadline, Due::Deadline, endpoint.number});
        in_flight_.store(--in_flight_count_, std::memory_order_relaxed);
    }
    by_target_.erase(endpoint.target);
    endpoints_.erase(endpoint.number);
    endpoints_now_.store(endpoints_.size(), std::memory_order_relaxed);
}

// ---- time

void RealChecker::on_time() {
    const SteadyTime now = loop_.now();
    while (!due_.empty() && std::get<SteadyTime>(*due_.begin()) <= now) {
        const auto [when, kind, number] = *due_.begin();
        due_.erase(due_.begin());
        switch (kind) {
            case Due::Tick:
                on_tick(*endpoints_.at(number), when);
                break;
            case Due::Deadline:
                on_deadline(*endpoints_.at(number));
                break;
            case Due::Lapse:
                on_lapse(number);
                break;
        }
    }
    set_timer();
}

void RealChecker::set_timer() {
    if (due_.empty()) return timer_.stop();
    timer_.start(ceil(std::get<SteadyTime>(*due_.begin()), loop_.now()));
}

void RealChecker::on_tick(Endpoint& endpoint, SteadyTime tick) {
    const SteadyTime now = loop_.now();
    // The cadence is fixed: what is late does not push what follows.
    endpoint.next_tick = tick + endpoint.target.interval;
    while (endpoint.next_tick <= now) {
        endpoint.next_tick += endpoint.target.interval;
        missed_.add();
    }
    due_.emplace(endpoint.next_tick, Due::Tick, endpoint.number);
    if (endpoint.attempt) {
        if (!endpoint.reconfirmation) missed_.add();
    } else if (in_flight_count_ >= options_.probes_in_flight_max) {
        missed_.add();
        refused_.add();
    } else {
        start(endpoint, tick);
    }
}

void RealChecker::start(Endpoint& endpoint, SteadyTime tick) {
    const SteadyTime now = clock_.steady();
    const Target& target = endpoint.target;
    endpoint.tick = tick;
    endpoint.started = loop_.now();
    endpoint.deadline = endpoint.started +
                        std::min(target.timeout, target.connect_timeout.value_or(target.timeout));
    due_.emplace(endpoint.deadline, Due::Deadline, endpoint.number);
    in_flight_.store(++in_flight_count_, std::memory_order_relaxed);
    lateness_.observe(std::chrono::duration<double>(now - tick).count());
    endpoint.attempt = Attempt::start(loop_, client_, target, [this, &endpoint](Outcome outcome) {
        due_.erase({endpoint.deadline, Due::Deadline, endpoint.number});
        ended(endpoint, std::move(outcome));
        set_timer();
    });
}

void RealChecker::on_deadline(Endpoint& endpoint) {
    const SteadyTime whole = endpoint.started + endpoint.target.timeout;
    if (endpoint.deadline < whole && endpoint.attempt->is_connected()) {
        endpoint.deadline = whole;
        due_.emplace(endpoint.deadline, Due::Deadline, endpoint.number);
        return;
    }
    ended(endpoint, {false, endpoint.attempt->is_connected() ? "timeout" : "connect timeout"});
}

void RealChecker::ended(Endpoint& endpoint, Outcome outcome) {
    const auto attempt = std::move(endpoint.attempt);  // goes when its callback has returned
    in_flight_.store(--in_flight_count_, std::memory_order_relaxed);
    (outcome.success ? succeeded_ : failed_).add();
    const Probe probe{wall_of(endpoint.tick), clock_.wall(), outcome.success,
                      std::move(outcome.words)};
    for (const std::uint64_t number : endpoint.watches) take(number, watches_.at(number), probe);
    if (endpoint.reconfirmation) go_on_reconfirming(endpoint, probe.success);
}

void RealChecker::on_lapse(std::uint64_t number) {
    Watched& watched = watches_.at(number);
    const WallTime now = clock_.wall();
    take(number, watched,
         {wall_of(watched.lapses), now, false,
          fmt::format("no heartbeat for {} s",
                      std::chrono::duration<double>(watched.thresholds.lease_ttl).count())});
}

void RealChecker::do_heartbeat(std::uint64_t number) {
    const auto found = watches_.find(number);
    if (found == watches_.end() || !is_lease(found->second.target)) return;
    Watched& watched = found->second;
    due_.erase({watched.lapses, Due::Lapse, number});
    watched.lapses = loop_.now() + watched.thresholds.lease_ttl;
    due_.emplace(watched.lapses, Due::Lapse, number);
    const WallTime now = clock_.wall();
    take(number, watched, {now, now, true, "heartbeat"});
}

// ---- reconfirmation

void RealChecker::do_reconfirm(std::uint64_t number,
                               std::move_only_function<void(Reconfirmed)> done) {
    const auto answer = [&](Reconfirmed::Kind kind) {
        reconfirmed_.emplace_back(std::move(done), Reconfirmed{kind, Status::Unknown});
        flush_soon_.start(Milliseconds(0));
    };
    const auto found = watches_.find(number);
    if (found == watches_.end() || !found->second.endpoint)
        return answer(Reconfirmed::Kind::NotProbed);
    Endpoint& endpoint = *found->second.endpoint;
    if (endpoint.reconfirmation) return answer(Reconfirmed::Kind::Busy);
    const SteadyTime now = loop_.now();
    auto& times = endpoint.reconfirmed;
    while (!times.empty() && times.front() + std::chrono::seconds(1) <= now) times.pop_front();
    if (times.size() >= reconfirmations_per_second_max)
        return answer(Reconfirmed::Kind::RateLimited);
    times.push_back(now);
    endpoint.reconfirmation =
        Reconfirmation{number, found->second.thresholds.fall, std::move(done)};
    // A probe that is under way counts as the first.
    if (!endpoint.attempt) start(endpoint, now);
}

void RealChecker::go_on_reconfirming(Endpoint& endpoint, bool success) {
    Reconfirmation& reconfirmation = *endpoint.reconfirmation;
    if (!success && --reconfirmation.probes_left > 0) {
        start(endpoint, loop_.now());
        return;
    }
    const Status status = watches_.at(reconfirmation.watch).told;
    reconfirmed_.emplace_back(std::move(reconfirmation.done),
                              Reconfirmed{Reconfirmed::Kind::Verdict, status});
    endpoint.reconfirmation.reset();
    flush_soon_.start(Milliseconds(0));
}

// ---- verdicts: the check's, then the breaker, then damping is in the belief

void RealChecker::take(std::uint64_t number, Watched& watched, const Probe& probe) {
    watched.belief.take(probe);
    const Status status = watched.belief.status();
    if (status == watched.told) {
        breaker_.forget(number);
        if (breaker_.is_open()) release_held(watched.target.interval);
        return;
    }
    if (watched.told == Status::Healthy && status == Status::Unhealthy) {
        breaker_.hold(number);
        release_held(watched.target.interval);
        return;
    }
    breaker_.forget(number);
    tell(number, watched);
}

void RealChecker::release_held(Milliseconds interval) {
    const bool was_open = breaker_.is_open();
    for (const std::uint64_t number : breaker_.release(loop_.now(), interval, watches_.size()))
        tell(number, watches_.at(number));
    held_.store(breaker_.held(), std::memory_order_relaxed);
    if (breaker_.is_open() && !was_open) {
        breaker_opened_.add();
        log::warn("breaker open held={} checks={}", breaker_.held(), watches_.size());
    } else if (was_open && !breaker_.is_open()) {
        log::info("breaker closed checks={}", watches_.size());
    }
}

void RealChecker::tell(std::uint64_t number, Watched& watched) {
    watched.told = watched.belief.status();
    told_.add();
    auto run = watched.belief.run();
    const WallTime detected = run.empty() ? clock_.wall() : run.back().ended;
    transitions_.push_back({number, watched.told, detected, std::move(run)});
    flush_soon_.start(Milliseconds(0));
}

// What happened in one turn of the loop is told at once: a rack that dies is one transaction.
void RealChecker::flush() {
    if (!transitions_.empty()) on_transitions_(std::exchange(transitions_, {}));
    for (auto& [done, result] : std::exchange(reconfirmed_, {})) done(result);
}

WallTime RealChecker::wall_of(SteadyTime time) const {
    return std::chrono::round<Milliseconds>(clock_.wall() + (time - clock_.steady()));
}

std::vector<Metric> RealChecker::metrics() const {
    const auto number = [](auto value) { return static_cast<double>(value); };
    const auto one = [&](const char* name, const char* help, Metric::Kind kind, auto value) {
        return Metric{name, help, kind, {{{}, number(value), {}}}, {}};
    };
    using enum Metric::Kind;
    return {{"dnsd_check_probes_total",
             "Probes by outcome",
             Counter,
             {{{{"outcome", "success"}}, number(succeeded_.value()), {}},
              {{{"outcome", "failure"}}, number(failed_.value()), {}}},
             {}},
            {"dnsd_check_lateness_seconds",
             "How long after its tick a probe started",
             Histogram,
             {lateness_.sample({})},
             lateness_.bounds()},
            one("dnsd_check_ticks_missed_total", "Ticks without a probe of their own", Counter,
                missed_.value()),
            one("dnsd_check_probes_refused_total", "Probes that checks.in_flight_max kept back",
                Counter, refused_.value()),
            one("dnsd_check_transitions_total", "Beliefs that changed", Counter, told_.value()),
            one("dnsd_check_probes_in_flight", "Probes under way", Gauge,
                in_flight_.load(std::memory_order_relaxed)),
            one("dnsd_check_endpoints", "Endpoints that are probed", Gauge,
                endpoints_now_.load(std::memory_order_relaxed)),
            one("dnsd_check_breaker_opened_total", "Times that the breaker froze verdicts", Counter,
                breaker_opened_.value()),
            one("dnsd_check_breaker_held", "Verdicts that the breaker holds back", Gauge,
                held_.load(std::memory_order_relaxed))};
}

}  // namespace dnsd::health
