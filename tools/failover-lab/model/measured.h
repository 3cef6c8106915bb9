// What is measured beside the runs: effective TTLs and costs. Values, and their JSON.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/model.h"

namespace dnsd::lab {

// raw/effective_ttl.<cache>.json
struct EffectiveTtlRecord {
    std::string cache;  // as ViewClock::cache
    std::string title;  // "unbound", "OpenJDK 17"
    std::string version;
    std::string problem;  // not empty: it was not measured, and why
    std::vector<EffectiveTtls::Sample> samples;
};

// A way's cost, measured alone on the machine: raw/cost.<way>.json
struct CostRecord {
    std::string way, title, version, problem;
    double rate = 0;  // requests a second of this way during the measurement
    struct Latency {
        double p50_us = 0, p90_us = 0, p99_us = 0;
    };
    Latency direct, through;  // of interleaved requests: to an instance directly, and on this way
    Latency added;            // of pairs that stood beside each other
    std::map<std::string, double> cpu_us_per_request;  // by part: "proxy", "cache", "dnsd", "agent"
    std::map<std::string, double> memory_octets;       // by part, proportional set size
    double queries_per_second = 0;                     // DNS, at dnsd
    double messages_per_second = 0;  // all packets of discovery and health checks, dnsd's included
    double octets_per_second = 0;
};

nlohmann::json to_json(const EffectiveTtlRecord& record);
Result<EffectiveTtlRecord> effective_ttl_from_json(const nlohmann::json& json);
nlohmann::json to_json(const CostRecord& record);
Result<CostRecord> cost_from_json(const nlohmann::json& json);

}  // namespace dnsd::lab
