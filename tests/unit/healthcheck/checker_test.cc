#include "healthcheck/checker.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/io/tcp.h"

using namespace dnsd;
using namespace dnsd::health;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

// A listener whose connections are answered with fixed octets by a thread of its own.
class Server {
  public:
    explicit Server(std::string answer, bool closes = true)
        : answer_(std::move(answer)), closes_(closes) {
        auto listener = io::listen_tcp({Ipv4{{127, 0, 0, 1}}, 0}, false);
        REQUIRE(listener);
        listener_ = std::move(*listener);
        address = io::local_address(listener_);
        thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
    }
    SocketAddress address;
    std::atomic<int> connections{0};

  private:
    void serve(std::stop_token stop) {
        std::vector<io::Descriptor> open;
        while (!stop.stop_requested()) {
            pollfd ready{listener_.number(), POLLIN, 0};
            if (poll(&ready, 1, 10) <= 0) continue;
            io::Accepted accepted = io::accept_tcp(listener_);
            if (accepted.descriptor.number() < 0) continue;
            ++connections;
            if (!answer_.empty())
                (void)!send(accepted.descriptor.number(), answer_.data(), answer_.size(),
                            MSG_NOSIGNAL);
            if (!closes_) {
                open.push_back(std::move(accepted.descriptor));
            } else {
                shutdown(accepted.descriptor.number(), SHUT_WR);
                char octet;  // until the probe has closed, so that our octets are not reset
                pollfd gone{accepted.descriptor.number(), POLLIN, 0};
                while (poll(&gone, 1, 1000) > 0 &&
                       recv(accepted.descriptor.number(), &octet, 1, 0) > 0) {
                }
            }
        }
    }
    std::string answer_;
    bool closes_;
    io::Descriptor listener_;
    std::jthread thread_;
};

// A port where nobody listens.
SocketAddress closed_port() {
    auto listener = io::listen_tcp({Ipv4{{127, 0, 0, 1}}, 0}, false);
    REQUIRE(listener);
    return io::local_address(*listener);
}

struct Watching {
    std::mutex mutex;
    std::condition_variable told;
    std::vector<Transition> transitions;
    std::unique_ptr<Checker> checker;

    explicit Watching(Checker::Options options = {}) {
        auto made = Checker::make(options, machine_clock(), [this](std::vector<Transition> more) {
            const std::lock_guard lock(mutex);
            transitions.insert(transitions.end(), more.begin(), more.end());
            told.notify_all();
        });
        REQUIRE(made);
        checker = std::move(*made);
    }
    ~Watching() { checker.reset(); }  // before what its callback uses

    // The first transition of the watch to that status, waited for.
    Transition expect(std::uint64_t watch, Status status) {
        std::unique_lock lock(mutex);
        const Transition* found = nullptr;
        const bool came = told.wait_for(lock, patience, [&] {
            for (const Transition& one : transitions) {
                if (one.watch == watch && one.status == status) found = &one;
            }
            return found != nullptr;
        });
        REQUIRE(came);
        return *found;
    }
    std::size_t count() {
        const std::lock_guard lock(mutex);
        return transitions.size();
    }
    Reconfirmed reconfirm(std::uint64_t watch) {
        std::promise<Reconfirmed> promise;
        checker->reconfirm(watch, [&](Reconfirmed result) { promise.set_value(result); });
        auto future = promise.get_future();
        REQUIRE(future.wait_for(patience) == std::future_status::ready);
        return future.get();
    }
    double metric(const std::string& name, const std::string& label = "") {
        for (const Metric& metric : checker->metrics()) {
            for (const auto& sample : metric.samples) {
                if (metric.name == name && (label.empty() || sample.labels[0].second == label))
                    return sample.value;
            }
        }
        return -1;
    }
};

Target target(Target::Kind kind, SocketAddress address, Milliseconds interval = 50ms) {
    Target made;
    made.kind = kind;
    made.address = address;
    made.interval = interval;
    made.timeout = interval * 9 / 10;
    return made;
}

Thresholds thresholds(std::uint32_t rise = 1, std::uint32_t fall = 2) {
    Thresholds made;
    made.rise = rise;
    made.fall = fall;
    return made;
}

}  // namespace

TEST_CASE("tcp: who accepts is healthy, who refuses is not, and the evidence says why") {
    Watching watching;
    Server server("");
    watching.checker->watch(1, target(Target::Kind::Tcp, server.address), thresholds(),
                            Status::Unknown, true);
    watching.checker->watch(2, target(Target::Kind::Tcp, closed_port()), thresholds(),
                            Status::Unknown, true);
    CHECK(watching.expect(1, Status::Healthy).probes.back().outcome == "connected");
    const Transition dead = watching.expect(2, Status::Unhealthy);
    REQUIRE(dead.probes.size() == 2);
    CHECK(dead.probes[0].outcome == "connection refused");
    CHECK(dead.detected == dead.probes[1].ended);
    CHECK(dead.probes[0].tick <= dead.probes[0].ended);
}

TEST_CASE("http: the status decides, and silence is a timeout") {
    Watching watching;
    Server good("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), bad("HTTP/1.1 500 Oh\r\n\r\n"),
        silent("", false), other("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
    const auto http = [](const Server& server) {
        return target(Target::Kind::Http, server.address, 200ms);
    };
    Target wants_ok = http(other);
    wants_ok.body_substring = "ok";
    watching.checker->watch(1, http(good), thresholds(), Status::Unknown, true);
    watching.checker->watch(2, http(bad), thresholds(), Status::Unknown, true);
    watching.checker->watch(3, http(silent), thresholds(1, 1), Status::Unknown, true);
    watching.checker->watch(4, wants_ok, thresholds(), Status::Unknown, true);
    watching.checker->watch(5, http(other), thresholds(), Status::Unknown, true);
    CHECK(watching.expect(1, Status::Healthy).probes.back().outcome == "200");
    CHECK(watching.expect(2, Status::Unhealthy).probes.back().outcome == "status 500");
    CHECK(watching.expect(3, Status::Unhealthy).probes.back().outcome == "timeout");
    CHECK(watching.expect(4, Status::Unhealthy).probes.back().outcome ==
          "status 200, the body lacks ok");
    watching.expect(5, Status::Healthy);
}

TEST_CASE("https: a server that speaks no TLS is not healthy") {
    Watching watching;
    Server plain("HTTP/1.1 200 OK\r\n\r\n");
    watching.checker->watch(1, target(Target::Kind::Https, plain.address, 500ms), thresholds(1, 1),
                            Status::Unknown, true);
    CHECK_FALSE(watching.expect(1, Status::Unhealthy).probes.back().outcome.empty());
}

TEST_CASE("one endpoint that several watch is probed once") {
    Watching watching;
    Server server("");
    for (std::uint64_t watch = 1; watch <= 50; ++watch)
        watching.checker->watch(watch, target(Target::Kind::Tcp, server.address, 10s), thresholds(),
                                Status::Unknown, true);
    for (std::uint64_t watch = 1; watch <= 50; ++watch) watching.expect(watch, Status::Healthy);
    CHECK(server.connections <= 2);  // the first at once, perhaps a tick
    CHECK(watching.metric("dnsd_check_endpoints") == 1);
}

TEST_CASE("a watch that ends is told of no more, and its endpoint is left alone") {
    Watching watching;
    Server server("");
    watching.checker->watch(1, target(Target::Kind::Tcp, server.address), thresholds(),
                            Status::Unknown, true);
    watching.expect(1, Status::Healthy);
    watching.checker->unwatch(1);
    watching.checker->watch(2, target(Target::Kind::Tcp, closed_port()), thresholds(),
                            Status::Unknown, true);
    watching.expect(2, Status::Unhealthy);  // letters are read in order: the first has ended
    CHECK(watching.metric("dnsd_check_endpoints") == 1);
}

TEST_CASE("a lease is healthy by its heartbeats, and lapses without them") {
    Watching watching;
    Thresholds lease = thresholds(1, 1);
    lease.lease_ttl = 100ms;
    watching.checker->watch(1, target(Target::Kind::Lease, {}), lease, Status::Unknown, true);
    watching.checker->heartbeat(1);
    watching.expect(1, Status::Healthy);
    CHECK(watching.expect(1, Status::Unhealthy).probes.back().outcome == "no heartbeat for 0.1 s");
    CHECK(watching.reconfirm(1).kind == Reconfirmed::Kind::NotProbed);
    CHECK(watching.reconfirm(99).kind == Reconfirmed::Kind::NotProbed);
}

TEST_CASE("a reconfirmation finds out at once what ticks would find out later") {
    Watching watching;
    const auto nobody = closed_port();
    watching.checker->watch(1, target(Target::Kind::Tcp, nobody, 3600s), thresholds(1, 3),
                            Status::Healthy, false);
    const Reconfirmed result = watching.reconfirm(1);
    CHECK(result.kind == Reconfirmed::Kind::Verdict);
    CHECK(result.status == Status::Unhealthy);
    CHECK(watching.count() == 1);  // the transition was told before
    CHECK(watching.expect(1, Status::Unhealthy).probes.size() == 3);

    Server server("");
    watching.checker->watch(2, target(Target::Kind::Tcp, server.address, 3600s), thresholds(1, 3),
                            Status::Healthy, false);
    for (int i = 0; i < 10; ++i) CHECK(watching.reconfirm(2).kind == Reconfirmed::Kind::Verdict);
    CHECK(watching.reconfirm(2).kind == Reconfirmed::Kind::RateLimited);
    CHECK(watching.metric("dnsd_check_probes_total", "success") == 10);
}

TEST_CASE("one reconfirmation at a time for an endpoint") {
    Watching watching;
    Server silent("", false);
    Target slow = target(Target::Kind::Http, silent.address, 3600s);
    slow.timeout = 1s;
    watching.checker->watch(1, slow, thresholds(1, 1), Status::Healthy, false);
    std::promise<Reconfirmed> first;
    watching.checker->reconfirm(1, [&](Reconfirmed result) { first.set_value(result); });
    CHECK(watching.reconfirm(1).kind == Reconfirmed::Kind::Busy);
    CHECK(first.get_future().get().status == Status::Unhealthy);
}

TEST_CASE("ticks that find the last probe under way are missed, and counted") {
    Watching watching;
    Server silent("", false);
    Target slow = target(Target::Kind::Http, silent.address, 20ms);
    slow.timeout = 200ms;
    watching.checker->watch(1, slow, thresholds(1, 2), Status::Unknown, true);
    watching.expect(1, Status::Unhealthy);
    CHECK(watching.metric("dnsd_check_ticks_missed_total") > 5);
    CHECK(watching.metric("dnsd_check_probes_total", "failure") <= 3);
}

TEST_CASE("more probes than allowed are not started") {
    Checker::Options options;
    options.probes_in_flight_max = 1;
    Watching watching(options);
    Server silent("", false);
    for (std::uint64_t watch = 1; watch <= 20; ++watch) {
        Target slow = target(Target::Kind::Http, silent.address, 3600s);
        slow.timeout = 300ms;
        slow.path = "/" + std::to_string(watch);
        watching.checker->watch(watch, slow, thresholds(1, 1), Status::Unknown, true);
    }
    watching.expect(1, Status::Unhealthy);
    CHECK(watching.metric("dnsd_check_probes_refused_total") == 19);
}

TEST_CASE("the breaker keeps a blind checker from emptying all answers") {
    Checker::Options options;
    options.breaker_percent = 50;
    Watching watching(options);
    const auto nobody = closed_port();
    // The same endpoint, seen by twenty: all turn in one moment.
    for (std::uint64_t watch = 1; watch <= 20; ++watch)
        watching.checker->watch(watch, target(Target::Kind::Tcp, nobody, 3600s), thresholds(1, 1),
                                Status::Healthy, false);
    watching.reconfirm(1);
    CHECK(watching.count() == 10);
    CHECK(watching.metric("dnsd_check_breaker_held") == 10);
    watching.checker->set_breaker_percent(0);
    watching.expect(20, Status::Unhealthy);
    CHECK(watching.count() == 20);
}

TEST_CASE("calls from many threads, and an end with probes under way") {
    Server server("HTTP/1.1 200 OK\r\n\r\n"), silent("", false);
    Watching watching;
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                for (std::uint64_t i = 0; i < 100; ++i) {
                    const std::uint64_t watch = thread * 1000 + i;
                    const SocketAddress& address = i % 2 ? server.address : silent.address;
                    Target made = target(Target::Kind::Http, address, 1000ms);
                    made.path = "/" + std::to_string(watch);
                    watching.checker->watch(watch, made, thresholds(), Status::Unknown, true);
                    if (i % 3 == 0) watching.checker->unwatch(watch);
                    watching.checker->reconfirm(watch, [](Reconfirmed) {});
                    (void)watching.checker->metrics();
                }
            });
        }
    }
    watching.expect(1, Status::Healthy);
}
