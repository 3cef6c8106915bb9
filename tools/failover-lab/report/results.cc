#include "tools/failover-lab/report/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/report/cells.h"
#include "tools/failover-lab/report/suite_json.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view again = ".again";

Result<Json> read_json(const std::string& path) {
    auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    Json json = Json::parse(*text, nullptr, false);
    if (json.is_discarded()) return fail(path + ": that is not JSON");
    return json;
}

// Names of the folders in it, sorted; none if it is no folder.
std::vector<std::string> folders_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->is_directory(error)) names.push_back(entry->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

struct RunFolder {
    std::uint64_t number = 0;
    bool repeated = false;
    std::string name;
    auto operator<=>(const RunFolder&) const = default;
};

std::vector<RunFolder> run_folders_in(const std::string& path) {
    std::vector<RunFolder> found;
    for (const std::string& name : folders_in(path)) {
        std::string_view digits = name;
        const bool repeated = digits.ends_with(again);
        if (repeated) digits.remove_suffix(again.size());
        if (const auto number = parse_unsigned(digits)) found.push_back({*number, repeated, name});
    }
    std::ranges::sort(found);
    return found;
}

class Loader {
  public:
    explicit Loader(const std::string& out) : out_(out) {}

    Result<Results> load() {
        if (auto suite = load_suite(); !suite) return std::unexpected(suite.error());
        load_effective_ttls();
        load_costs();
        for (const Cell& cell : suite_.cells) load_cell(cell);
        for (const Pair& pair : suite_.pairs) load_pair(pair);
        return std::move(results_);
    }

  private:
    Result<> load_suite();
    void load_effective_ttls();
    void load_costs();
    void load_cell(const Cell& cell);
    void load_pair(const Pair& pair);
    // Nothing: it cannot be read, and a note says why.
    std::optional<RunResult> load_run(const std::string& folder);
    void note(const Error& error) { results_.notes.push_back(error.message); }

    const std::string& out_;
    Suite suite_;
    EffectiveTtls ttls_;
    Results results_;
};

Result<> Loader::load_suite() {
    const auto json = read_json(out_ + "/suite.json");
    if (!json) return in_context("no results here", json.error());
    auto record = suite_record_from_json(*json);
    if (!record) return in_context(out_ + "/suite.json", record.error());
    suite_ = std::move(record->suite);
    results_.suite = suite_.name;
    results_.about = suite_.about;
    results_.skipped = std::move(record->skipped);
    results_.dropped = std::move(record->dropped);
    results_.started = std::move(record->started);
    results_.seconds = record->seconds;
    results_.machine = std::move(record->machine);
    results_.dnsd_version = std::move(record->dnsd_version);
    results_.command = std::move(record->command);
    return {};
}

void Loader::load_effective_ttls() {
    std::vector<EffectiveTtls::Sample> samples;
    const std::string folder = out_ + "/raw/effective_ttl";
    for (const std::string& name : folders_in(folder)) {
        const std::string path = fmt::format("{}/{}/effective_ttl.json", folder, name);
        const auto json = read_json(path);
        auto record = json ? effective_ttl_from_json(*json) : std::unexpected(json.error());
        if (!record) {
            note(record.error());
            continue;
        }
        samples.insert(samples.end(), record->samples.begin(), record->samples.end());
        results_.effective_ttls.push_back(std::move(*record));
    }
    ttls_ = EffectiveTtls(std::move(samples));
}

void Loader::load_costs() {
    const std::string folder = out_ + "/raw/cost";
    for (const std::string& name : folders_in(folder)) {
        const auto json = read_json(fmt::format("{}/{}/cost.json", folder, name));
        auto record = json ? cost_from_json(*json) : std::unexpected(json.error());
        if (record) {
            results_.costs.push_back(std::move(*record));
        } else {
            note(record.error());
        }
    }
}

std::optional<RunResult> Loader::load_run(const std::string& folder) {
    const std::string path = out_ + "/" + folder;
    const auto json = read_json(path + "/run.json");
    auto record = json ? run_record_from_json(*json) : std::unexpected(json.error());
    if (!record) {
        note(record.error());
        return std::nullopt;
    }
    RunResult run;
    run.record = std::move(*record);
    run.folder = folder;

    const Way* way = find_way(run.record.setting.way);
    if (!way) {
        note({fmt::format("{}: there is no way {}", folder, run.record.setting.way)});
        return std::nullopt;
    }
    // Before the log is read: a prediction knows nothing of it.
    const Setting& setting = run.record.setting;
    if (run.record.problem.empty()) {
        run.prediction = predict(setting, way->clocks(setting), run.record.phases, ttls_, Delays{},
                                 run.record.end);
        const auto log = read_file(path + "/requests.bin");
        const auto requests = log ? decode_log(*log) : std::unexpected(log.error());
        if (requests) {
            run.score = score(run.record, *requests);
        } else {
            run.record.problem = requests.error().message;
            note({fmt::format("{}/requests.bin: {}", folder, run.record.problem)});
        }
    }
    run.residual_ms = (run.score.window - run.prediction.window) * 1e3;
    run.invalid = why_invalid(run);
    decompose(run);
    return run;
}

void Loader::load_cell(const Cell& cell) {
    CellResult result;
    result.cell = cell;
    result.name = name_of(cell.setting);
    const std::string folder = "raw/" + result.name;
    for (const RunFolder& each : run_folders_in(out_ + "/" + folder)) {
        auto run = load_run(folder + "/" + each.name);
        if (!run) continue;
        run->record.number = static_cast<int>(each.number);
        result.runs.push_back(static_cast<int>(results_.runs.size()));
        results_.runs.push_back(std::move(*run));
    }
    if (const Way* way = find_way(cell.setting.way)) {
        result.expected = expect(cell.setting, way->clocks(cell.setting), ttls_, Delays{});
    } else {
        note({fmt::format("cell {}: there is no way {}", result.name, cell.setting.way)});
    }
    sum_up(result, results_.runs);
    if (result.valid == 0 && !cell.measured) fill_from_model(result);
    if (result.valid + result.invalid < cell.runs && cell.measured) {
        results_.notes.push_back(fmt::format("cell {}: {} of {} runs are there", result.name,
                                             result.valid + result.invalid, cell.runs));
    }
    results_.cells.push_back(std::move(result));
}

void Loader::load_pair(const Pair& pair) {
    const auto a = std::ranges::find(results_.cells, pair.a, &CellResult::name);
    const auto b = std::ranges::find(results_.cells, pair.b, &CellResult::name);
    if (a != results_.cells.end() && b != results_.cells.end()) {
        results_.pairs.push_back(compare(pair, *a, *b, results_.runs));
        return;
    }
    PairResult result;
    result.pair = pair;
    result.words = "not shown: one of its cells was not run";
    results_.pairs.push_back(std::move(result));
}

}  // namespace

Result<Results> load_results(const std::string& out) { return Loader(out).load(); }

}  // namespace dnsd::lab
