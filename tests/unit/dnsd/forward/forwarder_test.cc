// Forwarders that ask nobody, one that is closed, and each other; with real upstreams they are
// tested in tests/integration/forward_test.py.
#include "dnsd/forward/forwarder.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>

#include "base/io/udp.h"
#include "tests/support/messages.h"

using namespace dnsd;
using namespace dnsd::forward;
using test::asked;

namespace {

const IpAddress client = Ipv4{{127, 0, 0, 1}};

wire::AgedResponse resolve(Forwarder& forwarder, const wire::RecursiveQuestion& question) {
    std::promise<wire::AgedResponse> promise;
    forwarder.resolve(question, client, [&](wire::AgedResponse aged) { promise.set_value(aged); });
    return promise.get_future().get();
}

// Bound and never answered.
struct Silent {
    io::UdpSocket socket = *io::UdpSocket::bind({Ipv4{{127, 0, 0, 1}}, 0}, false);
    Forwarder::Route route() const { return {wire::Name(), {socket.address()}}; }
};

}  // namespace

TEST_CASE("a name without an upstream is refused") {
    const auto forwarder = Forwarder::make({}, machine_clock());
    const auto aged = resolve(*forwarder, asked("www.example.org"));
    CHECK(aged.response->rcode() == wire::Rcode::Refused);
    CHECK(forwarder->cache().totals().entries == 0);
}

TEST_CASE("an upstream that is silent makes a failure, which is kept for a moment") {
    const Silent silent;
    const auto forwarder = Forwarder::make(
        {.routes = {silent.route()}, .tries = 2, .upstream = {.timeout = Milliseconds(20)}},
        machine_clock());
    const auto aged = resolve(*forwarder, asked("www.example.org"));
    CHECK(aged.response->rcode() == wire::Rcode::ServFail);
    CHECK(aged.response->is_failure());
    CHECK(forwarder->find(asked("www.example.org")));
}

TEST_CASE("whoever waits when it ends is told") {
    const Silent silent;
    std::atomic<int> told = 0;
    auto forwarder =
        Forwarder::make({.routes = {silent.route()}, .upstream = {.timeout = Milliseconds(60'000)}},
                        machine_clock());
    for (const char* name : {"a.example.org", "b.example.org", "a.example.org"})
        forwarder->resolve(asked(name), client, [&](const auto&) { ++told; });
    // The letters are read in order: these are under way now.
    forwarder->set_routes({silent.route()});
    while (forwarder->upstreams().empty() || forwarder->upstreams()[0].upstream.queries < 2)
        std::this_thread::yield();
    forwarder.reset();
    CHECK(told == 3);
}

TEST_CASE("an upstream that goes while it is asked gives way to the next") {
    const Silent first;
    const auto forwarder =
        Forwarder::make({.routes = {first.route()}, .upstream = {.timeout = Milliseconds(60'000)}},
                        machine_clock());
    std::promise<wire::AgedResponse> promise;
    forwarder->resolve(asked("www.example.org"), client,
                       [&](wire::AgedResponse aged) { promise.set_value(aged); });
    forwarder->set_routes({});
    CHECK(promise.get_future().get().response->rcode() == wire::Rcode::Refused);
}

TEST_CASE("a client has so many questions under way, and others theirs") {
    const Silent silent;
    const auto forwarder = Forwarder::make({.routes = {silent.route()},
                                            .in_flight_per_client_max = 2,
                                            .upstream = {.timeout = Milliseconds(60'000)}},
                                           machine_clock());
    for (const char* name : {"a.example.org", "b.example.org"})
        forwarder->resolve(asked(name), client, [](const auto&) {});
    const auto aged = resolve(*forwarder, asked("c.example.org"));
    CHECK(aged.response->why() == wire::ExtendedError::NotReady);
}
