// The checker's thread: endpoints with their ticks, watches with their beliefs.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/counters.h"
#include "base/histogram.h"
#include "base/http/client.h"
#include "base/io/loop.h"
#include "base/io/mailbox.h"
#include "healthcheck/attempt.h"
#include "healthcheck/belief.h"
#include "healthcheck/breaker.h"
#include "healthcheck/checker.h"

namespace dnsd::health {

class RealChecker final : public Checker {
  public:
    RealChecker(Options options, const Clock& clock, OnTransitions on_transitions);
    ~RealChecker() override;

    void watch(std::uint64_t watch, Target target, Thresholds thresholds, Status status,
               bool at_once) override;
    void unwatch(std::uint64_t watch) override;
    void heartbeat(std::uint64_t watch) override;
    void reconfirm(std::uint64_t watch, std::move_only_function<void(Reconfirmed)> done) override;
    void set_breaker_percent(double percent) override;
    std::vector<Metric> metrics() const override;

  private:
    struct Reconfirmation {
        std::uint64_t watch;
        std::uint32_t probes_left;
        std::move_only_function<void(Reconfirmed)> done;
    };
    // What is probed: once, whoever watches it.
    struct Endpoint {
        std::uint64_t number;
        Target target;
        std::set<std::uint64_t> watches;
        SteadyTime next_tick{};
        // The probe under way.
        std::unique_ptr<Attempt> attempt;
        SteadyTime tick{}, started{}, deadline{};
        std::optional<Reconfirmation> reconfirmation;
        std::deque<SteadyTime> reconfirmed;  // within the last second
    };
    struct Watched {
        Target target;
        Thresholds thresholds;
        Belief belief;
        Status told;
        Endpoint* endpoint = nullptr;  // null for a lease
        SteadyTime lapses{};           // of a lease
    };
    // What is due: a tick or a deadline of an endpoint, or the lapse of a lease.
    enum class Due : std::uint8_t { Tick, Deadline, Lapse };
    using Item = std::tuple<SteadyTime, Due, std::uint64_t>;  // the endpoint's or watch's number

    void post(io::Mailbox::Letter letter);
    void do_watch(std::uint64_t number, Target target, Thresholds thresholds, Status status,
                  bool at_once);
    void do_unwatch(std::uint64_t number);
    void do_heartbeat(std::uint64_t number);
    void do_reconfirm(std::uint64_t number, std::move_only_function<void(Reconfirmed)> done);

    Endpoint& join(const Target& target, std::uint64_t number, bool at_once);
    void leave(Endpoint& endpoint, std::uint64_t number);
    void on_time();
    void set_timer();
    void on_tick(Endpoint& endpoint, SteadyTime tick);
    void on_deadline(Endpoint& endpoint);
    void on_lapse(std::uint64_t number);
    void start(Endpoint& endpoint, SteadyTime tick);
    void ended(Endpoint& endpoint, Outcome outcome);
    void go_on_reconfirming(Endpoint& endpoint, bool success);
    void take(std::uint64_t number, Watched& watched, const Probe& probe);
    void release_held(Milliseconds interval);
    void tell(std::uint64_t number, Watched& watched);
    void flush();
    WallTime wall_of(SteadyTime time) const;

    const Options options_;
    const Clock& clock_;
    const OnTransitions on_transitions_;

    io::Loop loop_;
    http::Client client_;
    Random random_;
    std::unordered_map<std::uint64_t, Watched> watches_;
    std::map<Target, std::uint64_t> by_target_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Endpoint>> endpoints_;
    std::uint64_t last_endpoint_ = 0;
    std::set<Item> due_;
    std::size_t in_flight_count_ = 0;
    Breaker breaker_;
    std::vector<Transition> transitions_;  // told at the end of this turn of the loop
    std::vector<std::pair<std::move_only_function<void(Reconfirmed)>, Reconfirmed>> reconfirmed_;

    // Read by any thread.
    Counter succeeded_, failed_, missed_, refused_, told_, breaker_opened_;
    std::atomic<std::size_t> in_flight_{0}, endpoints_now_{0}, held_{0};
    Histogram lateness_;

    io::Timer timer_, flush_soon_;
    io::Mailbox mailbox_;
    std::thread thread_;
};

}  // namespace dnsd::health
