// Feeds a registry from another dnsd's change stream, so that it answers as that one does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "zone/registry/registry.h"

namespace dnsd::replica {

// A thread with a loop of its own. Functions are for any thread.
class Follower {
  public:
    struct Options {
        std::vector<std::string> centres;  // "http://192.0.2.1:8053"; one is followed at a time
        std::string token;                 // empty: none
        std::string ca_file;               // PEM: the roots for https; empty: the system's
        Milliseconds silence_max{5'000};   // then the next centre is tried
        // A reconnection waits a random part of this, doubled each time up to the maximum: a
        // thousand that lost their centre together do not come back together.
        Milliseconds reconnect_first{200}, reconnect_max{10'000};
    };
    struct Status {
        bool is_connected = false;
        std::string centre;
        std::string trouble;  // empty: none
    };

    // Follows at once, from the state that the registry has. `registry` must outlive it, and takes
    // no other changes.
    static std::unique_ptr<Follower> make(Options options, registry::Registry& registry,
                                          const Clock& clock);
    virtual ~Follower() = default;

    virtual Status status() const = 0;
    // Since the centre was last heard, if all that it said has been taken over; since the start,
    // if it never was.
    virtual Milliseconds silent_for() const noexcept = 0;
    virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace dnsd::replica
