#include "tools/failover-lab/report/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/failover-lab/report/words.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

constexpr double lag_ms_max = 20, residual_ms_max = 100, invalid_share_max = 0.1;

using Runs = std::vector<const RunResult*>;

template <class Of>
std::vector<double> values_of(const Runs& runs, Of of) {
    std::vector<double> values;
    for (const RunResult* run : runs) values.push_back(of(*run));
    return values;
}

// Of each number the run that counts, if there is one.
std::map<int, const RunResult*> by_number(const CellResult& cell,
                                          const std::vector<RunResult>& runs) {
    std::map<int, const RunResult*> numbers;
    for (const int index : cell.runs) {
        const RunResult& run = runs[static_cast<std::size_t>(index)];
        const RunResult*& chosen = numbers[run.record.number];
        if (run.invalid.empty()) chosen = &run;
    }
    return numbers;
}

// The run in the middle by bad-seconds: what it shows is neither luck nor the lack of it.
int representative_of(const CellResult& cell, const std::vector<RunResult>& runs) {
    std::vector<int> valid;
    for (const int index : cell.runs) {
        if (runs[static_cast<std::size_t>(index)].invalid.empty()) valid.push_back(index);
    }
    if (valid.empty()) return -1;
    std::ranges::stable_sort(valid, {}, [&](int index) {
        return runs[static_cast<std::size_t>(index)].score.bad_seconds;
    });
    return valid[(valid.size() - 1) / 2];
}

std::optional<double> mean_share_after(const Runs& valid) {
    std::vector<double> values;
    for (const RunResult* run : valid) {
        if (!run->share_after) return std::nullopt;
        values.push_back(*run->share_after);
    }
    return mean(values);
}

void take_means(CellResult& cell, const Runs& valid) {
    const auto bad = values_of(valid, [](const auto& run) { return run.score.bad_seconds; });
    const auto errors = values_of(valid, [](const auto& run) { return run.score.error_seconds; });
    const auto windows = values_of(valid, [](const auto& run) { return run.score.window; });
    const auto mean_of = [&](auto of) { return mean(values_of(valid, of)); };

    cell.bad_seconds = mean(bad);
    cell.bad_seconds_interval = confidence_of_mean(bad);
    cell.error_seconds = mean(errors);
    cell.error_seconds_interval = confidence_of_mean(errors);
    cell.window = mean(windows);
    cell.window_interval = confidence_of_mean(windows);
    cell.window_max = std::ranges::max(windows);
    cell.failed = mean_of([](const auto& run) { return static_cast<double>(run.score.failed); });
    cell.detection = mean_of([](const auto& run) { return run.detection; });
    cell.publication = mean_of([](const auto& run) { return run.publication; });
    cell.cache_residual = mean_of([](const auto& run) { return run.cache_residual; });
    cell.connection_residual = mean_of([](const auto& run) { return run.connection_residual; });
    cell.share_after = mean_share_after(valid);
    cell.median_residual_ms =
        median(values_of(valid, [](const auto& run) { return run.residual_ms; }));
    cell.residual_marked = std::abs(cell.median_residual_ms) > residual_ms_max;
}

void judge_ratio(PairResult& result, const std::vector<double>& a, const std::vector<double>& b,
                 double least) {
    result.ratio = paired_ratio(a, b, least);
    const auto& [low, high] = result.ratio.interval;
    const auto numbers = fmt::format("{:.2f} ({:.2f} to {:.2f})", result.ratio.ratio, low, high);
    result.met = result.pairs > 1 && high <= result.pair.ratio_max;
    result.words = result.met ? numbers : "not shown: " + numbers;
}

void judge_failures(PairResult& result) {
    result.met = result.pairs > 0 && result.failed_a == 0 && result.failed_b == 0;
    result.words = result.met ? "no failed request on either side"
                              : fmt::format("not shown: {} against {} failed requests",
                                            result.failed_a, result.failed_b);
}

}  // namespace

void decompose(RunResult& run) {
    const Marks& marks = run.record.marks;
    double rest = run.score.window;
    // No part is longer than what is left: bad requests may end before a mark, if luck, retries or
    // passive checks end them.
    const auto take = [&](double part) {
        part = std::clamp(part, 0.0, rest);
        rest -= part;
        return part;
    };
    // Without a mark of dnsd, or with checks of the proxy's own, somebody else decided: when, the
    // log alone tells.
    const Setting& setting = run.record.setting;
    const Way* way = find_way(setting.way);
    const bool by_dnsd = way != nullptr && way->clocks(setting).checker == Clocks::Checker::Dnsd;
    run.detection = take(marks.detected && by_dnsd ? *marks.detected - run.fault() : rest);
    run.publication =
        marks.published && marks.detected ? take(*marks.published - *marks.detected) : 0;
    if (marks.published) {
        const auto view = marks.view ? marks.view : marks.cache_cleared;
        run.cache_residual = take(view ? *view - *marks.published : rest);
    }
    run.connection_residual = rest;

    for (const Action& action : run.record.actions) {
        const bool returns = action.what == "well" || action.what == "register";
        if (returns && run.score.share_restored) {
            run.share_after = *run.score.share_restored - action.at;
        }
    }
}

std::string why_invalid(const RunResult& run) {
    if (!run.record.problem.empty()) return run.record.problem;
    if (run.record.lag_p99_ms > lag_ms_max) {
        return fmt::format("the generator lagged by {:.0f} ms (p99)", run.record.lag_p99_ms);
    }
    if (run.score.failed_before > 0) {
        return fmt::format("{} requests failed before the fault", run.score.failed_before);
    }
    return run.score.requests == 0 ? "no request after the fault" : "";
}

void sum_up(CellResult& cell, const std::vector<RunResult>& runs) {
    Runs valid;
    for (const auto& [number, run] : by_number(cell, runs)) {
        if (run) valid.push_back(run);
        (run ? cell.valid : cell.invalid)++;
    }
    cell.invalid_marked =
        cell.invalid > invalid_share_max * static_cast<double>(cell.valid + cell.invalid);
    cell.representative = representative_of(cell, runs);
    if (!valid.empty()) take_means(cell, valid);
}

void fill_from_model(CellResult& cell) {
    const Expectation& expected = cell.expected;
    cell.modelled = true;
    cell.bad_seconds = expected.bad_seconds_mean;
    cell.error_seconds = expected.error_seconds_mean;
    cell.failed = expected.error_seconds_mean * cell.cell.setting.rate;
    cell.window = expected.window_mean;
    cell.window_max = expected.window_max;
    cell.bad_seconds_interval = {cell.bad_seconds, cell.bad_seconds};
    cell.error_seconds_interval = {cell.error_seconds, cell.error_seconds};
    cell.window_interval = {cell.window, cell.window};
    cell.detection = expected.detection;
    cell.publication = expected.publication;
    cell.cache_residual = expected.cache_residual;
    cell.connection_residual = expected.connection_residual;
}

PairResult compare(const Pair& pair, const CellResult& a, const CellResult& b,
                   const std::vector<RunResult>& runs) {
    PairResult result;
    result.pair = pair;
    std::vector<double> ours, theirs;
    const auto others = by_number(b, runs);
    for (const auto& [number, run] : by_number(a, runs)) {
        const auto other = others.find(number);
        if (!run || other == others.end() || !other->second) continue;
        ++result.pairs;
        result.failed_a += run->score.failed;
        result.failed_b += other->second->score.failed;
        ours.push_back(run->score.bad_seconds);
        theirs.push_back(other->second->score.bad_seconds);
    }
    if (result.pairs == 0) {
        result.words = "not shown: no pair of runs that count";
    } else if (pair.goal == Pair::Goal::Ratio) {
        judge_ratio(result, ours, theirs, 1 / a.cell.setting.rate);
    } else {
        judge_failures(result);
    }
    return result;
}

}  // namespace dnsd::lab
