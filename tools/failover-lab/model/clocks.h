// The clocks on the path of a request, as a way has them: what the model computes with, and what a
// fault's phase is set against. Pure values.
#pragma once

#include <string>
#include <vector>

namespace dnsd::lab {

// How what a client, or its proxy, believes of the addresses follows what dnsd publishes.
struct ViewClock {
    enum class Kind {
        Ttl,   // a cache; its lifetimes are those that were measured for `cache`
        Poll,  // asks again every `period`, whatever the TTL
        Push,  // is told: `period` is the usual delay
    };
    Kind kind = Kind::Push;
    // Ttl: a name of the table of effective TTLs ("unbound", "cache", "jvm"). Push: the same, where
    // being told empties a cache; without news its TTLs rule. Else empty.
    std::string cache;
    double period = 0;      // Poll: between two; Push: seconds from publication
    double spread = 0;      // Poll: a wait is `period` to `period + spread`, at random
    bool by_agent = false;  // Push: dnsd-agent tells it, so that nobody does when that is dead
    // Push: a primary that holds the zone no more, or an older one, changes nothing.
    bool outlives_the_zone = false;
};

struct Clocks {
    // Own: the chooser's; their next probe begins an interval after the last one's end, as those of
    // Envoy and HAProxy do, while dnsd keeps a fixed cadence.
    enum class Checker { Dnsd, Own, Nobody };
    Checker checker = Checker::Dnsd;  // whose probes take the victim out
    // From dnsd to whoever chooses the instance, the nearest to dnsd first. Without `Dnsd` unused.
    std::vector<ViewClock> views;

    // Passive detection by the chooser: so many failures of an instance in a row put it aside for
    // so long (0 failures: none).
    int ejects_after = 0;
    double ejected_for = 0;

    bool through_proxy = false;  // the client's own connections never reach an instance
};

}  // namespace dnsd::lab
