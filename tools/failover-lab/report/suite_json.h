// suite.json: what was to be run, and what the run says of itself. The run writes it, the report
// reads it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

// A suite as it was run. Every field beside the suite may be missing from the file: a run that was
// interrupted has not taken its seconds yet.
struct SuiteRecord {
    Suite suite;
    std::vector<std::string> skipped;  // "way envoy-xds: Envoy is not installed"
    std::vector<std::string> dropped;  // names of cells, for the budget
    std::string started;               // RFC 3339
    double seconds = 0;                // that it took
    std::string machine;               // "2 cores, 8 GB, Debian 12, Linux 6.1"
    std::string dnsd_version;
    std::string command;  // the command line that makes it again
};

nlohmann::json to_json(const Suite& suite);
Result<Suite> suite_from_json(const nlohmann::json& json);

nlohmann::json to_json(const SuiteRecord& record);
Result<SuiteRecord> suite_record_from_json(const nlohmann::json& json);

}  // namespace dnsd::lab
