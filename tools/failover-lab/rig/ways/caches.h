// DNS caches between clients and dnsd: stock software, configured as docs/clients.md shows it, on
// 127.0.0.53. Each has the way in by which dnsd-agent can empty it; nobody uses it here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// dnsd's checks, then `cache` (empty: none), then what the client's own stub keeps, if it does.
Clocks clocks_of_cache(const Setting& setting, std::string_view cache);
// The stub's clock behind whatever `clocks` has; glibc, c-ares and Node keep nothing.
void add_clock_of_stub(const Setting& setting, Clocks& clocks);

// Each starts it, records its version, and returns once it answers and resolv.conf names it.
// REQUIRES: somebody answers web.lab.internal on at::dnsd.
Result<> start_forwarder(Scene& scene);  // a second dnsd
Result<> start_unbound(Scene& scene);
Result<> start_dnsmasq(Scene& scene);
Result<> start_resolved(Scene& scene);
Result<> start_bind(Scene& scene);
// resolv.conf goes on naming at::dnsd: glibc asks nscd first. It takes 17 s and more: somebody asks
// for web.lab.internal until nscd has fetched it by itself for the first time, for only then its
// clock is known (clocks_of_cache() calls it a poller). start_nscd_alone() returns once it listens.
Result<> start_nscd(Scene& scene);
Result<> start_nscd_alone(Scene& scene);

// What others on the node are started with too. A stock program whose only file is `path`, in a
// folder that is emptied of the machine's.
Result<> write_alone(Scene& scene, const std::string& path, const std::string& text);
// unbound on at::cache, with these sections of its configuration besides.
Result<> start_unbound_with(Scene& scene, const std::string& sections);
// Starts a name server on at::cache and returns once it answers and resolv.conf names it. With a
// file its number is left there, for who would send it a signal.
Result<> start_server(Scene& scene, const std::string& name, std::vector<std::string> command,
                      std::string_view pid_file = {});

// Where dnsd-agent finds the way into them, as its option `caches` says it.
inline constexpr std::string_view unbound_socket = "/run/unbound.ctl";
inline constexpr std::string_view dnsmasq_pid_file = "/run/dnsmasq.pid";
inline constexpr std::string_view resolved_pid_file = "/run/resolved.pid";
inline constexpr std::string_view bind_key_file = "/etc/bind/rndc.key";
std::string nscd_program(const Equipment& equipment);

}  // namespace dnsd::lab
