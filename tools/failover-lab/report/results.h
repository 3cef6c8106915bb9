// All of a suite's runs, predicted, then scored, then summed up: what every output is made of. A
// pure function of the folder that the runs left.
//
//   <out>/suite.json                        what was to be run
//   <out>/raw/<cell>/<number>/run.json      a run; requests.bin beside it, and logs
//   <out>/raw/<cell>/<number>.again/        its repetition, where the first did not count
//   <out>/raw/effective_ttl/<cache>/effective_ttl.json
//   <out>/raw/cost/<way>/cost.json
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/measured.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/model/stats.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

// What a log says of a run, counted from the fault. A request that was intended up to 20 ms before
// it may still be under way and meet it: if it is bad it counts as one after the fault, at 0.
struct Score {
    int requests = 0, failed = 0, bad = 0;
    double error_seconds = 0, bad_seconds = 0;  // requests over the rate
    double window = 0;  // from the fault to the last bad one's intended time
    std::optional<double> last_failed, share_restored;  // on the run's clock
    double p50_ms = 0, p99_ms = 0;                      // before the fault
    int failed_before = 0, bad_before = 0;
};
Score score(const RunRecord& record, const std::vector<Request>& requests);

struct RunResult {
    RunRecord record;
    std::string folder;  // below <out>
    Prediction prediction;
    Score score;
    double residual_ms = 0;  // measured minus predicted window
    std::string invalid;     // why it does not count; empty: it does

    double detection = 0, publication = 0, cache_residual = 0, connection_residual = 0;  // measured
    std::optional<double> share_after;  // from the last return or registration to the fair share
    double fault() const noexcept;      // on the run's clock: when it happened, or else was due
};

struct CellResult {
    Cell cell;
    std::string name;
    std::vector<int> runs;       // indices of RunResults, in the order of their numbers
    int valid = 0, invalid = 0;  // numbers that have a run that counts, and that have none
    bool modelled = false;  // nothing was measured, as the suite wants it: means are the model's
    double bad_seconds = 0, error_seconds = 0, failed = 0, window = 0;  // means of the valid ones
    Interval bad_seconds_interval, error_seconds_interval, window_interval;
    double window_max = 0;
    std::optional<double>
        share_after;  // mean; nothing: in some run it never came, or was not asked
    double detection = 0, publication = 0, cache_residual = 0,
           connection_residual = 0;  // measured, means
    Expectation expected;
    double median_residual_ms = 0;
    bool residual_marked = false;  // over 100 ms
    bool invalid_marked = false;   // over 10 % of its runs were invalid
    int representative = -1;       // index of the run whose points the report shows
};

struct PairResult {
    Pair pair;
    int pairs = 0;
    PairedRatio ratio;
    int failed_a = 0, failed_b = 0;  // requests
    bool met = false;
    std::string words;  // "0.98 (0.95 to 1.01)", "not shown: 1.07 (0.93 to 1.21)"
};

struct Results {
    std::string suite, about, machine, started, dnsd_version, command;
    double seconds = 0;  // that the suite took
    std::vector<RunResult> runs;
    std::vector<CellResult> cells;
    std::vector<PairResult> pairs;
    std::vector<EffectiveTtlRecord> effective_ttls;
    std::vector<CostRecord> costs;
    std::vector<std::string> skipped;  // "way envoy-xds: Envoy is not installed"
    std::vector<std::string> dropped;  // cells, for the budget
    std::vector<std::string> notes;    // files that could not be read, and why
};

Result<Results> load_results(const std::string& out);

// The verdict: a dozen lines for the terminal, one per fault and one per pair.
std::vector<std::string> verdict(const Results& results);

// runs.jsonl, cells.csv, effective_ttl.csv, cost.csv, summary.json, report.html; each replaced
// whole.
Result<> write_outputs(const Results& results, const std::string& out);
nlohmann::json summary_of(const Results& results);

}  // namespace dnsd::lab
