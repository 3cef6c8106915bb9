#include "tools/failover-lab/rig/ways.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways/caches.h"
#include "tools/failover-lab/rig/ways/envoy.h"
#include "tools/failover-lab/rig/ways/haproxy.h"
#include "tools/failover-lab/rig/ways/nginx.h"
#include "tools/failover-lab/rig/ways/push.h"
#include "tools/failover-lab/rig/ways/secondaries.h"

namespace dnsd::lab {
namespace {

template <const char* Cache>
Clocks behind(const Setting& setting) {
    return clocks_of_cache(setting, Cache);
}

constexpr char nothing[] = "", forwarder[] = "forwarder", unbound[] = "unbound",
               dnsmasq[] = "dnsmasq", resolved[] = "resolved", bind[] = "bind", nscd[] = "nscd";

template <const char* Cache>
Clocks emptied(const Setting& setting) {
    return clocks_of_agent(setting, Cache);
}

template <int Seconds>
Clocks polled(const Setting& setting) {
    const double period = setting.poll > 0 ? setting.poll : Seconds;
    return {.views = {{ViewClock::Kind::Poll, "", period, 0}}};
}

// What a client without a proxy cannot have, and what one with a proxy decides nothing about.
const std::vector<std::string_view> no_proxy{"proxy_retries", "topology"};
const std::vector<std::string_view> no_stub{"stub", "reconfirm"};

const std::vector<Way> table{
    {"dns", "DNS, straight to dnsd", Family::Dns, "cache", {}, behind<nothing>, nullptr, no_proxy},
    {"forwarder",
     "DNS by a second dnsd as forwarder",
     Family::Dns,
     "glibc",
     {},
     behind<forwarder>,
     start_forwarder,
     no_proxy},
    {"unbound",
     "DNS by unbound",
     Family::Dns,
     "glibc",
     {"unbound"},
     behind<unbound>,
     start_unbound,
     no_proxy},
    {"dnsmasq",
     "DNS by dnsmasq",
     Family::Dns,
     "glibc",
     {"dnsmasq-base"},
     behind<dnsmasq>,
     start_dnsmasq,
     no_proxy},
    {"resolved",
     "DNS by systemd-resolved",
     Family::Dns,
     "glibc",
     {"systemd-resolved"},
     behind<resolved>,
     start_resolved,
     no_proxy},
    {"bind", "DNS by BIND", Family::Dns, "glibc", {"bind9"}, behind<bind>, start_bind, no_proxy},
    {"nscd", "DNS with nscd", Family::Dns, "glibc", {"nscd"}, behind<nscd>, start_nscd, no_proxy},

    {"replica",
     "DNS with push: a replica on the node",
     Family::Push,
     "glibc",
     {},
     clocks_of_replica,
     start_replica,
     no_proxy},
    {"agent-unbound",
     "DNS with push: unbound and dnsd-agent",
     Family::Push,
     "glibc",
     {"unbound", "dnsd-agent"},
     emptied<unbound>,
     start_agent_unbound,
     no_proxy},
    {"agent-dnsmasq",
     "DNS with push: dnsmasq and dnsd-agent",
     Family::Push,
     "glibc",
     {"dnsmasq-base", "dnsd-agent"},
     emptied<dnsmasq>,
     start_agent_dnsmasq,
     no_proxy},
    {"agent-resolved",
     "DNS with push: systemd-resolved and dnsd-agent",
     Family::Push,
     "glibc",
     {"systemd-resolved", "dnsd-agent"},
     emptied<resolved>,
     start_agent_resolved,
     no_proxy},
    {"agent-bind",
     "DNS with push: BIND and dnsd-agent",
     Family::Push,
     "glibc",
     {"bind9", "dnsd-agent"},
     emptied<bind>,
     start_agent_bind,
     no_proxy},
    {"agent-nscd",
     "DNS with push: nscd and dnsd-agent",
     Family::Push,
     "glibc",
     {"nscd", "dnsd-agent"},
     emptied<nscd>,
     start_agent_nscd,
     no_proxy},

    {"secondary-knot",
     "DNS with push: Knot as a secondary on the node",
     Family::Push,
     "glibc",
     {"knot"},
     clocks_of_secondary,
     start_secondary_knot,
     no_proxy,
     true},
    {"secondary-unbound",
     "DNS with push: unbound's auth-zone as a secondary on the node",
     Family::Push,
     "glibc",
     {"unbound"},
     clocks_of_secondary,
     start_secondary_unbound,
     no_proxy,
     true},

    {"envoy-xds",
     "Envoy by dnsd's xDS",
     Family::Proxy,
     "",
     {"envoy"},
     clocks_of_envoy_xds,
     start_envoy_xds,
     no_stub},
    {"envoy-xds-polled",
     "Envoy by dnsd's xDS, polled",
     Family::Proxy,
     "",
     {"envoy"},
     clocks_of_envoy_xds_polled,
     start_envoy_xds_polled,
     no_stub},
    {"envoy-dns",
     "Envoy by DNS (STRICT_DNS)",
     Family::Proxy,
     "",
     {"envoy"},
     clocks_of_envoy_dns,
     start_envoy_dns,
     no_stub},
    {"envoy-checks",
     "Envoy with checks of its own",
     Family::Proxy,
     "",
     {"envoy"},
     clocks_of_envoy_checks,
     start_envoy_checks,
     no_stub},
    {"envoy-outlier",
     "Envoy by xDS, with outlier detection",
     Family::Proxy,
     "",
     {"envoy"},
     clocks_of_envoy_outlier,
     start_envoy_outlier,
     no_stub},
    {"haproxy-agent",
     "HAProxy by dnsd-agent",
     Family::Proxy,
     "",
     {"haproxy", "dnsd-agent"},
     clocks_of_haproxy_agent,
     start_haproxy_agent,
     no_stub},
    {"haproxy-srv",
     "HAProxy by DNS (SRV)",
     Family::Proxy,
     "",
     {"haproxy"},
     clocks_of_haproxy_srv,
     start_haproxy_srv,
     no_stub},
    {"haproxy-checks",
     "HAProxy with checks of its own",
     Family::Proxy,
     "",
     {"haproxy"},
     clocks_of_haproxy_checks,
     start_haproxy_checks,
     no_stub},
    {"haproxy-observe",
     "HAProxy, passive (observe)",
     Family::Proxy,
     "",
     {"haproxy"},
     clocks_of_haproxy_observe,
     start_haproxy_observe,
     no_stub},
    {"nginx-dns",
     "nginx by DNS",
     Family::Proxy,
     "",
     {"nginx-light"},
     clocks_of_nginx_dns,
     start_nginx_dns,
     no_stub},
    {"nginx-passive",
     "nginx, passive",
     Family::Proxy,
     "",
     {"nginx-light"},
     clocks_of_nginx_passive,
     start_nginx_passive,
     no_stub},

    {"poll-30",
     "A client that polls the API every 30 s",
     Family::Polling,
     "poller",
     {},
     polled<30>,
     nullptr,
     no_proxy},
    {"poll-1",
     "A client that polls the API every second",
     Family::Polling,
     "poller",
     {},
     polled<1>,
     nullptr,
     no_proxy},
};

bool is_there(std::string_view need, const Equipment& equipment) {
    if (need == "envoy") return !equipment.envoy.empty();
    if (need == "dnsd-agent") return !equipment.agent.empty();
    if (need == "nscd") return ::access((equipment.unpacked + "/nscd").c_str(), R_OK) == 0;
    if (need == "systemd-resolved") {
        return ::access((equipment.unpacked + "/systemd-resolved").c_str(), R_OK) == 0;
    }
    // Debian keeps a list of files for each package that is installed.
    const std::string list = fmt::format("/var/lib/dpkg/info/{}.list", need);
    return ::access(list.c_str(), R_OK) == 0;
}

}  // namespace

std::span<const Way> ways() { return table; }

const Way* find_way(std::string_view name) noexcept {
    const auto row = std::ranges::find(table, name, &Way::name);
    return row == table.end() ? nullptr : &*row;
}

std::string_view stub_of(const Setting& setting) noexcept {
    if (!setting.stub.empty()) return setting.stub;
    const Way* way = find_way(setting.way);
    return way == nullptr ? std::string_view() : way->stub;
}

std::string missing_for(const Way& way, const Equipment& equipment) {
    if (equipment.dnsd.empty()) return "dnsd is not built";
    for (const std::string_view need : way.needs) {
        if (!is_there(need, equipment)) return fmt::format("{} is not installed", need);
    }
    return "";
}

}  // namespace dnsd::lab
