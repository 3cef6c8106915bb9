// What results say, in short: for the verdict, the summary and the page. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/failover-lab/model/fleet.h"
#include "tools/failover-lab/report/results.h"

namespace dnsd::lab {

// Who is held against whom under one fault: without retries, and by the same checks. Null: was not
// run.
struct FaultDigest {
    const Fault* fault = nullptr;
    const CellResult* centre = nullptr;  // direct DNS, TTL 1
    const CellResult* push = nullptr;  // of DNS with push, of sidecars, of central proxies the one
    const CellResult* sidecar = nullptr;  // with the fewest bad-seconds
    const CellResult* central = nullptr;
    int cells = 0;         // under this fault, in all
    std::string sentence;  // what came of it, for people
};
// In the order of the table of faults; those without cells are left out. Points into `results`.
std::vector<FaultDigest> digest_faults(const Results& results);

// Ages at replacement of one cache, with one TTL.
struct TtlDigest {
    double ttl = 0, least = 0, mean = 0, most = 0;
    int samples = 0;
    bool surprising() const noexcept;  // it is not the TTL, by a quarter of a second and more
};
std::vector<TtlDigest> digest_ttls(const EffectiveTtlRecord& record);

// The model's curve of one way over the TTL.
struct TtlCurve {
    std::string way, fault;
    std::vector<double> ttls;
    std::vector<Expectation> expectations;
};
// Of the ways and faults that were run with several TTLs.
std::vector<TtlCurve> ttl_curves(const Results& results);

struct FleetRow {
    std::string title, family;
    FleetResult result;
};
std::vector<FleetRow> fleet_rows(const Fleet& fleet, const Results& results);

// Of all that took part in any run or measurement.
std::map<std::string, std::string> versions_of(const Results& results);

}  // namespace dnsd::lab
