// `failover-lab run`: carries out a suite, several runs at once, each in namespaces of its own, and
// then reports. What is done is kept: the same command with the same folder goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/failover-lab/rig/scene.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

struct RunOptions {
    std::string suite;  // smoke, standard, full, or a TOML file; empty: that of `out`, or standard
    std::string out;    // empty: var/lab/<suite>-<date> in the repository
    double budget = 0;  // seconds; 0: as long as it takes
    std::string only;   // a part of a cell's name or group, or a pattern (*, ?); empty: all
    std::uint64_t seed = 1;
    bool list = false;    // say what would be run, and how long it would take
    int jobs = 0;         // runs at once; 0: what the machine carries
    std::string command;  // the command line, for the record
    Equipment equipment;
};

// Talks on standard error meanwhile, prints the verdict on standard output. An error is for a
// person: what is wrong, and what to do. Runs that fail are no error; the report shows them.
Result<> run_suite(const RunOptions& options);

// `failover-lab report`: the outputs and the verdict of what is in the folder.
Result<> report_on(const std::string& out);

// "5m", "90s", "90", "1h30m": seconds; nothing: it is no such thing.
std::optional<double> parse_duration(std::string_view text);

}  // namespace dnsd::lab
