#include "tools/failover-lab/rig/ways/nginx.h"

#include <fmt/format.h>

#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways/proxies.h"

namespace dnsd::lab {
namespace {

constexpr int max_fails = 1;
constexpr double fail_timeout = 10;

// What stands in `location`, beside where to.
std::string request_lines(const Setting& setting) {
    const ProxyTimes times = times_of_proxy(setting);
    std::string text;
    for (const std::string_view kind : {"connect", "send", "read"}) {
        text +=
            fmt::format("            proxy_{}_timeout {};\n", kind, milliseconds(times.per_try));
    }
    text += "            proxy_set_header Host $host;\n";
    if (setting.proxy_retries == 0) return text + "            proxy_next_upstream off;\n";
    return text + fmt::format(
                      "            proxy_next_upstream error timeout http_502 http_503 http_504;\n"
                      "            proxy_next_upstream_tries {};\n"
                      "            proxy_next_upstream_timeout {};\n",
                      setting.proxy_retries + 1, milliseconds(times.total));
}

std::string config(const Setting& setting, int proxy, const std::string& http_lines,
                   const std::string& location_lines) {
    return fmt::format(R"(user root;
daemon off;
worker_processes 1;
pid /run/nginx-{0}.pid;
error_log stderr crit;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    keepalive_requests 1000000;
{1}    server {{
        listen {2}:{3};
        location / {{
{4}{5}        }}
    }}
}}
)",
                       proxy, http_lines, at::proxy(proxy), at::proxy_port, request_lines(setting),
                       location_lines);
}

Result<> start(Scene& scene, const std::string& http_lines, const std::string& location_lines) {
    scene.versions["nginx"] = version_of(scene, "nginx");
    // Where it keeps bodies that are long is built in.
    if (auto owned = scene.own_folder("/var/lib/nginx"); !owned) return owned;
    return start_proxies(scene, [&](int proxy) -> Result<> {
        const std::string file = fmt::format("/run/nginx-{}.conf", proxy);
        const std::string text = config(scene.setting(), proxy, http_lines, location_lines);
        if (auto written = scene.write(file, text); !written) return written;
        auto child = scene.spawn(fmt::format("nginx-{}", proxy), "proxy",
                                 {"nginx", "-e", "stderr", "-c", file});
        if (!child) return std::unexpected(child.error());
        return {};
    });
}

std::string upstream(const Setting& setting) {
    std::string text = fmt::format("    upstream {} {{\n", at::service);
    if (setting.balance == "random") text += "        random;\n";
    for (int n = 0; n < setting.instances; ++n) {
        text += fmt::format("        server {}:{} max_fails={} fail_timeout={}s;\n",
                            at::instance(n), at::instance_port, max_fails, fail_timeout);
    }
    if (keeps_connections(setting)) {
        text += fmt::format("        keepalive {};\n        keepalive_requests 1000000;\n",
                            setting.pool * setting.clients);
        if (setting.connections == "maxage") {
            text += fmt::format("        keepalive_time {};\n", milliseconds(setting.max_age));
        }
    }
    return text + "    }\n";
}

}  // namespace

Result<> start_nginx_dns(Scene& scene) {
    return start(scene,
                 fmt::format("    resolver {} ipv6=off;\n    resolver_timeout 1s;\n", at::dnsd),
                 fmt::format("            set $instances {};\n"
                             "            proxy_pass http://$instances:{};\n",
                             asked_name(scene.setting()), at::instance_port));
}

Clocks clocks_of_nginx_dns(const Setting&) {
    return clocks_through_proxy(Clocks::Checker::Dnsd,
                                {{.kind = ViewClock::Kind::Ttl, .cache = "nginx"}});
}

Result<> start_nginx_passive(Scene& scene) {
    std::string lines = fmt::format("            proxy_pass http://{};\n", at::service);
    if (keeps_connections(scene.setting())) {
        lines +=
            "            proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n";
    }
    return start(scene, upstream(scene.setting()), lines);
}

Clocks clocks_of_nginx_passive(const Setting& setting) {
    Clocks clocks = clocks_through_proxy(Clocks::Checker::Nobody, {});
    // A bad status counts only where it is one to try the next instance for; a late answer that
    // still comes in time is a good one.
    const bool counts = setting.fault == "gray"   ? setting.proxy_retries > 0
                        : setting.fault == "slow" ? times_of_proxy(setting).per_try < 0.4
                                                  : true;
    clocks.ejects_after = counts ? max_fails : 0;
    clocks.ejected_for = counts ? fail_timeout : 0;
    return clocks;
}

}  // namespace dnsd::lab
