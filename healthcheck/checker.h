// Is this endpoint well? The checker is told what to watch and reports beliefs that changed. It
// knows neither services nor zones.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"

namespace dnsd::health {

enum class Status : std::uint8_t { Unknown, Healthy, Unhealthy };

// How one endpoint is probed. Targets that compare equal share one probe.
struct Target {
    enum class Kind : std::uint8_t { Tcp, Http, Https, Grpc, Lease };
    Kind kind = Kind::Tcp;
    SocketAddress address;
    Milliseconds interval{1000};
    Milliseconds timeout{900};
    std::optional<Milliseconds> connect_timeout;
    std::string path = "/";
    std::string host;  // Host header, :authority and SNI; empty: the address
    std::uint16_t expected_status_least = 200;
    std::uint16_t expected_status_most = 399;
    std::string body_substring;  // empty: the body is not looked at
    bool verify_tls = false;
    std::string grpc_service;  // empty: the server as a whole
    auto operator<=>(const Target&) const = default;
};

// What makes a verdict out of outcomes. For Target::Kind::Lease: a heartbeat is a success, a lapse
// of lease_ttl a failure, and both rise and fall are one.
struct Thresholds {
    std::uint32_t rise = 1;
    std::uint32_t fall = 2;
    std::uint32_t flap_limit = 0;  // 0: no damping
    Milliseconds flap_window{60'000};
    Milliseconds lease_ttl{10'000};
    bool operator==(const Thresholds&) const = default;
};

// One attempt, kept as evidence.
struct Probe {
    WallTime tick;
    WallTime ended;
    bool success = false;
    std::string outcome;
};

struct Transition {
    std::uint64_t watch = 0;
    Status status = Status::Unknown;
    WallTime detected;          // the end of the probe that decided
    std::vector<Probe> probes;  // the run of equal outcomes that led here, oldest first
};

// How a reconfirmation ended.
struct Reconfirmed {
    enum class Kind : std::uint8_t { Verdict, Busy, RateLimited, NotProbed };
    Kind kind = Kind::Verdict;
    Status status = Status::Unknown;
};

// Made by any thread, runs on a loop of its own; all calls but the constructor's may come from any
// thread and are carried out in order. Callbacks run on the checker's thread.
class Checker {
  public:
    struct Options {
        std::size_t probes_in_flight_max = 20'000;
        double breaker_percent = 0;  // 0: off
        std::size_t breaker_checks_least = 10;
        std::size_t letters_max = 50'000'000;  // a start watches millions in one breath
        std::uint64_t seed = 0;                // of the phases; 0: from the machine
    };
    using OnTransitions = std::function<void(std::vector<Transition>)>;

    static Result<std::unique_ptr<Checker>> make(Options options, const Clock& clock,
                                                 OnTransitions on_transitions);
    virtual ~Checker() = default;  // stops and joins the thread; no callback after it

    // Watches or, where the watch exists, changes it: thresholds alone keep the belief; another
    // target starts anew at `status`. Targets are first probed at once if `at_once`, else at a
    // random phase.
    virtual void watch(std::uint64_t watch, Target target, Thresholds thresholds, Status status,
                       bool at_once) = 0;
    virtual void unwatch(std::uint64_t watch) = 0;

    // The instance's sign of life, for leases.
    virtual void heartbeat(std::uint64_t watch) = 0;

    // Up to `fall` probes back to back; the first success ends it. One at a time per endpoint, at
    // most ten a second. The verdict, if it is a new one, is also reported as a transition, before
    // `done`.
    virtual void reconfirm(std::uint64_t watch,
                           std::move_only_function<void(Reconfirmed)> done) = 0;

    virtual void set_breaker_percent(double percent) = 0;
    virtual std::vector<Metric> metrics() const = 0;  // any thread
};

}  // namespace dnsd::health
