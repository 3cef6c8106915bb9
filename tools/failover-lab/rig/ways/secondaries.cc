#include "tools/failover-lab/rig/ways/secondaries.h"

#include <fmt/format.h>

#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways/caches.h"

namespace dnsd::lab {
namespace {

// NOTIFY, the SOA, the IXFR over a new connection, and the new zone in place.
constexpr double transfer_seconds = 0.003;

}  // namespace

Clocks clocks_of_secondary(const Setting& setting) {
    Clocks clocks;
    clocks.views.push_back({.kind = ViewClock::Kind::Push,
                            .cache = {},
                            .period = transfer_seconds,
                            .outlives_the_zone = true});
    add_clock_of_stub(setting, clocks);
    return clocks;
}

Result<> start_secondary_knot(Scene& scene) {
    scene.versions["knot"] = version_of(scene, "knot");
    if (auto done = scene.own_folder("/var/lib/knot"); !done) return done;
    auto written = write_alone(scene, "/etc/knot/knot.conf",
                               fmt::format(R"(server:
    rundir: /run
    listen: {}@53
log:
  - target: stderr
    any: info
remote:
  - id: dnsd
    address: {}@53
acl:
  - id: notify
    address: [127.0.0.0/8, {}]
    action: notify
zone:
  - domain: {}
    master: dnsd
    acl: notify
    zonefile-load: none
    zonefile-sync: -1
    journal-content: none
)",
                                           at::cache, at::dnsd, at::dnsd, at::zone));
    if (!written) return written;
    return start_server(scene, "knotd", {"knotd", "--config", "/etc/knot/knot.conf"});
}

Result<> start_secondary_unbound(Scene& scene) {
    return start_unbound_with(scene, fmt::format(R"(auth-zone:
    name: "{}"
    primary: {}
    allow-notify: 127.0.0.0/8
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
)",
                                                 at::zone, at::dnsd));
}

}  // namespace dnsd::lab
