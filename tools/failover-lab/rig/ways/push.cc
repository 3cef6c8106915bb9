#include "tools/failover-lab/rig/ways/push.h"

#include <fmt/format.h>

#include "tools/failover-lab/rig/ways/caches.h"

namespace dnsd::lab {
namespace {

// docs/agent.md has the measurements: the stream and a word to a socket or a signal, and what it
// takes to run rndc or nscd for that instead.
constexpr double stream_seconds = 0.003, rndc_seconds = 0.022, nscd_seconds = 0.003;

// A stock cache, and the agent that empties it as `cache` of its option says.
Result<> start_emptied(Scene& scene, Result<> (*start)(Scene&), const std::string& cache) {
    if (auto started = start(scene); !started) return started;
    return scene.start_agent("agent", {fmt::format("caches=['{}']", cache)});
}

}  // namespace

Clocks clocks_of_replica(const Setting& setting) {
    Clocks clocks;
    clocks.views.push_back({.kind = ViewClock::Kind::Push, .cache = {}, .period = stream_seconds});
    add_clock_of_stub(setting, clocks);
    return clocks;
}

Clocks clocks_of_agent(const Setting& setting, std::string_view cache) {
    const double command = cache == "bind" ? rndc_seconds : cache == "nscd" ? nscd_seconds : 0;
    Clocks clocks;
    clocks.views.push_back({.kind = ViewClock::Kind::Push,
                            .cache = std::string(cache),
                            .period = stream_seconds + command,
                            .by_agent = true});
    add_clock_of_stub(setting, clocks);
    return clocks;
}

Result<> start_replica(Scene& scene) {
    auto started =
        scene.start_dnsd("replica", {fmt::format("dns.listen=['{}:53']", at::cache),
                                     "api.listen=['127.0.0.53:8053']", "forward.resolv_conf=''",
                                     fmt::format("replica.follow=['http://{}']", at::api)});
    if (!started) return started;
    const std::string question = fmt::format("{}.{}", at::service, at::zone);
    auto waited =
        scene.wait_until("the replica answers", [&] { return scene.answers(at::cache, question); });
    if (!waited) return waited;
    return scene.resolve_at(at::cache);
}

Result<> start_agent_unbound(Scene& scene) {
    return start_emptied(scene, start_unbound, fmt::format("unbound={}", unbound_socket));
}

Result<> start_agent_dnsmasq(Scene& scene) {
    return start_emptied(scene, start_dnsmasq, fmt::format("dnsmasq={}", dnsmasq_pid_file));
}

Result<> start_agent_resolved(Scene& scene) {
    return start_emptied(scene, start_resolved,
                         fmt::format("systemd-resolved={}", resolved_pid_file));
}

Result<> start_agent_bind(Scene& scene) {
    return start_emptied(scene, start_bind, fmt::format("bind=rndc -k {}", bind_key_file));
}

Result<> start_agent_nscd(Scene& scene) {
    return start_emptied(scene, start_nscd_alone,
                         fmt::format("nscd={}", nscd_program(scene.equipment())));
}

}  // namespace dnsd::lab
