#include "tools/failover-lab/rig/ways/haproxy.h"

#include <fmt/format.h>

#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways/proxies.h"

namespace dnsd::lab {
namespace {

constexpr double resolve_default = 1;
constexpr int observed_failures = 5;
// HAProxy's defaults for probes, in seconds: those that bring back what was marked down.
constexpr double recovery_interval = 2;
constexpr int recovery_rise = 2;

double resolve_of(const Setting& setting) {
    return setting.poll > 0 ? setting.poll : resolve_default;
}

std::string socket_of(int proxy) { return fmt::format("/run/haproxy-{}.sock", proxy); }

std::string_view balance_of(const Setting& setting) {
    // `random` alone would draw two, and take the one with less to do.
    return setting.balance == "random" ? "balance random(1)" : "balance roundrobin";
}

// All but the backend, which is called as the service is.
std::string common(const Setting& setting, int proxy) {
    const ProxyTimes times = times_of_proxy(setting);
    std::string text = fmt::format(R"(global
    stats socket {} level admin
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
    timeout connect {}
    timeout server {}
    retries {}
)",
                                   socket_of(proxy), milliseconds(times.per_try),
                                   milliseconds(times.per_try), setting.proxy_retries);
    text += keeps_connections(setting) ? "    http-reuse always\n"
                                       : "    http-reuse never\n    option http-server-close\n";
    if (setting.proxy_retries > 0) {
        text += "    option redispatch 1\n    retry-on all-retryable-errors\n";
    }
    return text + fmt::format(R"(frontend all
    bind {}:{}
    default_backend {}
)",
                              at::proxy(proxy), at::proxy_port, asked_service(setting));
}

Result<> launch(Scene& scene, int proxy, const std::string& config,
                const std::vector<std::string>& more_files = {}) {
    const std::string file = fmt::format("/run/haproxy-{}.cfg", proxy);
    if (auto written = scene.write(file, config); !written) return written;
    std::vector<std::string> command{"haproxy", "-db", "-f", file};
    for (const std::string& more : more_files) {
        command.emplace_back("-f");
        command.push_back(more);
    }
    auto child = scene.spawn(fmt::format("haproxy-{}", proxy), "proxy", std::move(command));
    if (!child) return std::unexpected(child.error());
    return {};
}

using MakeBackend = std::function<std::string(const Setting& setting)>;

Result<> start(Scene& scene, const MakeBackend& make_backend) {
    scene.versions["HAProxy"] = version_of(scene, "haproxy");
    return start_proxies(scene, [&](int proxy) {
        return launch(scene, proxy, common(scene.setting(), proxy) + make_backend(scene.setting()));
    });
}

Result<> launch_driven(Scene& scene, int proxy) {
    const std::string servers = fmt::format("/run/haproxy-{}-servers.cfg", proxy);
    const std::string service = asked_service(scene.setting());
    auto started =
        scene.start_agent(fmt::format("agent-{}", proxy),
                          {fmt::format("haproxy.socket='{}'", socket_of(proxy)),
                           fmt::format("haproxy.file='{}'", servers),
                           fmt::format("haproxy.backends=['{}={}/{}']", service, at::zone, service),
                           fmt::format("haproxy.backend_lines=['{}']", balance_of(scene.setting())),
                           // Servers that the agent adds have none of the defaults; without this no
                           // connection to them is kept.
                           "haproxy.server_options='pool-max-conn -1 pool-purge-delay 5s'"});
    if (!started) return started;
    return launch(scene, proxy, common(scene.setting(), proxy), {servers});
}

std::string srv_backend(const Setting& setting) {
    // Over TCP, since HAProxy uses nothing of an answer that was cut short.
    return fmt::format(R"(resolvers dnsd
    nameserver dnsd tcp@{}:53
    accepted_payload_size 8192
    timeout resolve {}
backend {}
    {}
    server-template i 1-{} _{}._tcp.{} resolvers dnsd init-addr none
)",
                       at::dnsd, milliseconds(resolve_of(setting)), asked_service(setting),
                       balance_of(setting), setting.instances + 4, asked_service(setting),
                       at::zone);
}

// `options` stand behind each server.
std::string static_servers(const Setting& setting, const std::string& options) {
    std::string text;
    for (int n = 0; n < setting.instances; ++n) {
        text += fmt::format("    server i-{} {}:{} {}\n", n + 1, at::instance(n), at::instance_port,
                            options);
    }
    return text;
}

std::string check_lines(const Setting& setting) {
    if (setting.check == "tcp") return "";
    return fmt::format("    option httpchk GET {}\n    http-check expect status 200\n",
                       proxy_health_path);
}

std::string checked_backend(const Setting& setting) {
    const std::string timeout = milliseconds(setting.check_timeout());
    // Probes stand in a backend of their own, since `timeout connect` is that of probes too.
    std::string text = fmt::format("backend checks\n    timeout connect {}\n    timeout check {}\n",
                                   timeout, timeout);
    text += check_lines(setting);
    text += static_servers(
        setting, fmt::format("check inter {} fall {} rise {}", milliseconds(setting.interval),
                             setting.fall, setting.rise));
    text += fmt::format("backend {}\n    {}\n", asked_service(setting), balance_of(setting));
    for (int n = 0; n < setting.instances; ++n) {
        text += fmt::format("    server i-{0} {1}:{2} track checks/i-{0}\n", n + 1, at::instance(n),
                            at::instance_port);
    }
    return text;
}

std::string observed_backend(const Setting& setting) {
    // Probes alone never mark anyone down: nobody fails so many in a row within a run.
    const std::string servers = static_servers(
        setting, fmt::format("check inter {} fall 100000 rise {} observe layer7 error-limit {} "
                             "on-error mark-down",
                             milliseconds(recovery_interval), recovery_rise, observed_failures));
    return fmt::format("backend {}\n    {}\n", asked_service(setting), balance_of(setting)) +
           check_lines(setting) + servers;
}

}  // namespace

Result<> start_haproxy_agent(Scene& scene) {
    scene.versions["HAProxy"] = version_of(scene, "haproxy");
    return start_proxies(scene, [&](int proxy) { return launch_driven(scene, proxy); });
}

Clocks clocks_of_haproxy_agent(const Setting&) {
    return clocks_through_proxy(
        Clocks::Checker::Dnsd,
        {{.kind = ViewClock::Kind::Push, .cache = {}, .period = 0.002, .by_agent = true}});
}

Result<> start_haproxy_srv(Scene& scene) { return start(scene, srv_backend); }

Clocks clocks_of_haproxy_srv(const Setting& setting) {
    return clocks_through_proxy(
        Clocks::Checker::Dnsd,
        {{.kind = ViewClock::Kind::Poll, .cache = {}, .period = resolve_of(setting)}});
}

Result<> start_haproxy_checks(Scene& scene) { return start(scene, checked_backend); }

Clocks clocks_of_haproxy_checks(const Setting&) {
    return clocks_through_proxy(Clocks::Checker::Own, {});
}

Result<> start_haproxy_observe(Scene& scene) { return start(scene, observed_backend); }

Clocks clocks_of_haproxy_observe(const Setting& setting) {
    Clocks clocks = clocks_through_proxy(Clocks::Checker::Nobody, {});
    // Only connections that do not come about are counted before a request is tried again.
    const bool connects =
        setting.fault == "stop" || setting.fault == "gray" || setting.fault == "slow";
    const bool is_late_only = setting.fault == "slow";
    if ((connects && setting.proxy_retries > 0) || is_late_only) return clocks;
    clocks.ejects_after = observed_failures;
    // Whoever fails probes as well as requests stays down until it is well.
    constexpr double for_good = 1e6;
    clocks.ejected_for =
        setting.fault == "gray" ? recovery_interval * (recovery_rise - 0.5) : for_good;
    return clocks;
}

}  // namespace dnsd::lab
