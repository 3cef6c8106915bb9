#include "tools/failover-lab/rig/ways/caches.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "tools/failover-lab/rig/sources.h"
#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

constexpr double nscd_sweep = 15;  // CACHE_PRUNE_INTERVAL

// Looks only now and then for what has lapsed, and then fetches it anew by itself. What lapses in
// the very second of a sweep waits for the next one.
ViewClock clock_of_nscd(double ttl) {
    return {.kind = ViewClock::Kind::Poll,
            .cache = {},
            .period = ttl < nscd_sweep ? nscd_sweep : ttl + nscd_sweep};
}

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// Clients get no other resolver before this one answers, so that none of them sees it begin.
Result<> begin_to_use(Scene& scene, const std::string& name) {
    const std::string question = fmt::format("{}.{}", at::service, at::zone);
    Child* child = scene.child(name);
    auto waited = scene.wait_until(fmt::format("{} answers", name), [&] {
        return !child->is_running() || scene.answers(at::cache, question);
    });
    if (!waited) return waited;
    if (!child->is_running()) {
        return fail(fmt::format("{} has ended: {}", name, trimmed(child->last_lines())));
    }
    return scene.resolve_at(at::cache);
}

}  // namespace

Result<> write_alone(Scene& scene, const std::string& path, const std::string& text) {
    if (auto done = scene.own_folder(std::filesystem::path(path).parent_path()); !done) return done;
    return scene.write(path, text);
}

Result<> start_server(Scene& scene, const std::string& name, std::vector<std::string> command,
                      std::string_view pid_file) {
    auto child = scene.spawn(name, "cache", std::move(command));
    if (!child) return std::unexpected(child.error());
    if (!pid_file.empty()) {
        auto written = scene.write(std::string(pid_file), std::to_string((*child)->id()));
        if (!written) return written;
    }
    return begin_to_use(scene, name);
}

void add_clock_of_stub(const Setting& setting, Clocks& clocks) {
    const std::string_view stub = stub_of(setting);
    if (stub == "cache" || stub == "jvm") {
        clocks.views.push_back({.kind = ViewClock::Kind::Ttl, .cache = std::string(stub)});
    }
}

Clocks clocks_of_cache(const Setting& setting, std::string_view cache) {
    Clocks clocks;
    if (cache == "nscd") {
        // A TTL of 0 it does not keep.
        const auto ttl = static_cast<double>(setting.ttl);
        if (ttl > 0) clocks.views.push_back(clock_of_nscd(ttl));
    } else if (!cache.empty()) {
        clocks.views.push_back({.kind = ViewClock::Kind::Ttl, .cache = std::string(cache)});
    }
    add_clock_of_stub(setting, clocks);
    return clocks;
}

Result<> start_forwarder(Scene& scene) {
    auto started =
        scene.start_dnsd("forwarder", {fmt::format("dns.listen=['{}:53']", at::cache),
                                       "api.listen=['127.0.0.53:8053']",
                                       fmt::format("forward.upstreams=['{}']", at::dnsd)});
    if (!started) return started;
    return begin_to_use(scene, "forwarder");
}

Result<> start_unbound_with(Scene& scene, const std::string& sections) {
    scene.versions["unbound"] = version_of(scene, "unbound");
    auto written = write_alone(scene, "/etc/unbound/unbound.conf",
                               fmt::format(R"(server:
    interface: {}
    username: ""
    use-syslog: no
{})",
                                           at::cache, sections));
    if (!written) return written;
    return start_server(scene, "unbound", {"unbound", "-d"});
}

Result<> start_unbound(Scene& scene) {
    return start_unbound_with(scene, fmt::format(R"(stub-zone:
    name: "{}"
    stub-addr: {}
remote-control:
    control-enable: yes
    control-interface: {}
    control-use-cert: no
)",
                                                 at::zone, at::dnsd, unbound_socket));
}

Result<> start_dnsmasq(Scene& scene) {
    scene.versions["dnsmasq"] = version_of(scene, "dnsmasq-base");
    const std::string file = scene.folder() + "/dnsmasq.conf";
    auto written = scene.write(file, fmt::format(R"(listen-address={}
bind-interfaces
no-resolv
server=/{}/{}
)",
                                                 at::cache, at::zone, at::dnsd));
    if (!written) return written;
    // As a daemon it would become a user that is not there where the lab runs without root.
    return start_server(scene, "dnsmasq", {"dnsmasq", "--no-daemon", "--conf-file=" + file},
                        dnsmasq_pid_file);
}

Result<> start_resolved(Scene& scene) {
    scene.versions["systemd-resolved"] = version_of(scene, "systemd-resolved");
    // It becomes this user, which its package would have made. Here that is root.
    for (const auto& [path, entry] : {std::pair<std::string, std::string>{
                                          "/etc/passwd", "systemd-resolve:x:0:0::/:/bin/false\n"},
                                      {"/etc/group", "systemd-resolve:x:0:\n"}}) {
        if (auto done = scene.own_file(path, contents(path) + entry); !done) return done;
    }
    if (auto done = scene.own_folder("/run/systemd"); !done) return done;
    auto written = write_alone(scene, "/run/systemd/resolved.conf.d/lab.conf",
                               fmt::format("[Resolve]\nDNS={}\nDomains=~{}\n", at::dnsd, at::zone));
    if (!written) return written;
    return start_server(
        scene, "resolved",
        {scene.equipment().unpacked + "/systemd-resolved/lib/systemd/systemd-resolved"},
        resolved_pid_file);
}

Result<> start_bind(Scene& scene) {
    scene.versions["bind9"] = version_of(scene, "bind9");
    if (auto done = scene.own_folder("/var/cache/bind"); !done) return done;
    // named and rndc both look for the key in this folder, and then agree on port 953.
    auto written = write_alone(scene, "/etc/bind/named.conf",
                               fmt::format(R"(options {{
    directory "/var/cache/bind";
    listen-on {{ {}; }};
    listen-on-v6 {{ none; }};
    dnssec-validation no;
}};
zone "{}" {{
    type forward;
    forward only;
    forwarders {{ {}; }};
}};
)",
                                           at::cache, at::zone, at::dnsd));
    if (!written) return written;
    auto key = scene.run({"rndc-confgen", "-a", "-c", std::string(bind_key_file)});
    if (!key) return std::unexpected(key.error());
    return start_server(scene, "named", {"named", "-g", "-c", "/etc/bind/named.conf"});
}

std::string nscd_program(const Equipment& equipment) {
    return equipment.unpacked + "/nscd/usr/sbin/nscd";
}

Result<> start_nscd_alone(Scene& scene) {
    scene.versions["nscd"] = version_of(scene, "nscd");
    for (const char* folder : {"/run/nscd", "/var/cache/nscd"}) {
        if (auto done = scene.own_folder(folder); !done) return done;
    }
    auto child = scene.spawn("nscd", "cache",
                             {nscd_program(scene.equipment()), "--foreground", "--config-file",
                              scene.equipment().unpacked + "/nscd/etc/nscd.conf"});
    if (!child) return std::unexpected(child.error());
    auto waited = scene.wait_until("nscd listens", [&] {
        return !(*child)->is_running() || std::filesystem::exists("/run/nscd/socket");
    });
    if (waited && !(*child)->is_running()) {
        return fail(fmt::format("nscd has ended: {}", trimmed((*child)->last_lines())));
    }
    return waited;
}

Result<> start_nscd(Scene& scene) {
    const auto began = std::chrono::steady_clock::now();
    if (auto started = start_nscd_alone(scene); !started) return started;
    auto command = stub_command("glibc", scene.equipment());
    if (!command) return std::unexpected(command.error());
    ChildOptions options;
    options.pipes = true;
    auto first = scene.spawn("first-client", "client", std::move(*command), options);
    if (!first) return std::unexpected(first.error());
    if (auto told = (*first)->tell(fmt::format("1 {}.{}", at::service, at::zone)); !told)
        return told;
    // It looks at its table of hosts, the third one, after 15 + 2 s for the first time, sometimes a
    // second sooner.
    const auto ttl = static_cast<double>(scene.setting().ttl);
    const double first_sweep = 17 + nscd_sweep * std::max(0.0, std::ceil((ttl - 16) / nscd_sweep));
    auto waited = scene.wait_until(
        "nscd has fetched anew what had lapsed",
        [&] {
            return std::chrono::steady_clock::now() - began >
                   std::chrono::duration<double>(first_sweep + 0.3);
        },
        first_sweep + 5);
    (*first)->kill();
    return waited;
}

}  // namespace dnsd::lab
