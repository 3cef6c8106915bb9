// Where the lab's programs and files are on this machine.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// What a person said of it; empty: to be found.
struct EquipmentOptions {
    std::string dnsd, agent, envoy, unpacked;
};

// dnsd and dnsd-agent are looked for beside our own program, then in PATH; Envoy where tools/envoy
// puts it, then in PATH. What is nowhere stays empty.
Equipment find_equipment(const EquipmentOptions& options = {});

// Whether dnsd is there, and what else a person named. The error says what to do.
Result<> check(const Equipment& equipment);

// The folder with suites/ and rig/runtimes/: above our own program, or above where we are. Empty:
// there is none.
std::string source_folder();

// A program in PATH, and where Debian keeps those of root; empty: there is none.
std::string find_program(const std::string& name);

// What a stub, or a cache whose effective TTL is to be measured, lacks here; empty: nothing.
std::string missing_for_stub(std::string_view stub, const Equipment& equipment);
std::string missing_for_cache(std::string_view cache, const Equipment& equipment);

// "2 cores (AMD EPYC), 24 GB, Debian GNU/Linux 12 (bookworm), Linux 6.1.0"
std::string describe_machine();

}  // namespace dnsd::lab
