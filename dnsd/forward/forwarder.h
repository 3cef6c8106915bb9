// Answers for names that are not ours, from upstreams and from what they said before.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "dnsd/forward/cache.h"
#include "dnsd/forward/upstream.h"
#include "zone/wire/response.h"

namespace dnsd::forward {

// A thread with a loop of its own, which talks to the upstreams. Equal questions under way are
// asked once. Functions are for any thread unless they say otherwise.
class Forwarder {
  public:
    // The servers for a domain; of several domains that hold a name, the longest is asked.
    struct Route {
        wire::Name domain;  // the root: everything else
        std::vector<SocketAddress> upstreams;
        bool operator==(const Route&) const = default;
    };
    struct Options {
        std::vector<Route> routes;
        unsigned tries = 4;                            // of one question, over all its upstreams
        std::size_t in_flight_max = 10'000;            // questions, and clients that wait
        std::size_t in_flight_per_client_max = 1'000;  // of these, for one IP address
        Milliseconds stale_after{1'800};  // a client that could have a stale answer waits so long
        std::uint32_t failure_ttl = 1;    // seconds for which a failure is kept (RFC 9520 §3.2)
        bool trust_ad = false;            // the upstreams validate, and the way to them is safe
        UpstreamOptions upstream = {};
        CacheOptions cache = {};
    };
    using Done = std::function<void(AgedResponse)>;

    static std::unique_ptr<Forwarder> make(Options options, const Clock& clock);
    virtual ~Forwarder() = default;  // whoever waits is told SERVFAIL

    // What may be answered without asking. Near its end it is asked for again, beside the answer.
    virtual std::optional<AgedResponse> find(const wire::RecursiveQuestion& question) = 0;
    // Asks; `done` is called once, on the forwarder's thread or, where there is no room, at once.
    virtual void resolve(const wire::RecursiveQuestion& question, const IpAddress& client,
                         Done done) = 0;

    // Replaces the upstreams; those that stay keep what is known of them. What is under way with
    // one that goes fails, and is asked elsewhere.
    virtual void set_routes(std::vector<Route> routes) = 0;
    virtual bool has_upstreams() const noexcept = 0;
    virtual Cache& cache() noexcept = 0;
    struct Listed {
        wire::Name domain;
        UpstreamState upstream;
    };
    virtual std::vector<Listed> upstreams() const = 0;
    virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace dnsd::forward
