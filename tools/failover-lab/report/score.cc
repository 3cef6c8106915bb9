#include <algorithm>
#include <cmath>

#include "tools/failover-lab/report/results.h"

namespace dnsd::lab {
namespace {

// Some of a usual request's latencies, and what a valid generator may lag.
constexpr double under_way = 0.020;

// The first second, from `since` on, in which the instance answered at least `least` requests.
// REQUIRES: times are those of its answers, sorted.
std::optional<double> first_busy_second(const std::vector<double>& times, double since,
                                        std::size_t least) {
    const auto begin = std::ranges::lower_bound(times, since);
    for (auto first = begin; times.end() - first >= static_cast<std::ptrdiff_t>(least); ++first) {
        if (first[static_cast<std::ptrdiff_t>(least) - 1] < *first + 1) return *first;
    }
    return std::nullopt;
}

// When the last of the victims had at least half of its fair share again.
std::optional<double> share_restored(const RunRecord& record,
                                     const std::vector<Request>& requests) {
    std::optional<double> since;
    for (const Action& action : record.actions) {
        if (action.what == "well" || action.what == "register") since = action.at;
    }
    if (!since || record.phases.victims.empty()) return std::nullopt;

    const auto& setting = record.setting;
    const auto instances =
        static_cast<double>(setting.instances + (setting.fault == "add" ? 1 : 0));
    const auto least =
        static_cast<std::size_t>(std::max(1.0, std::ceil(setting.rate / instances / 2)));
    double last = *since;
    for (const int victim : record.phases.victims) {
        std::vector<double> times;
        for (const Request& request : requests) {
            if (request.instance == victim && !request.failed())
                times.push_back(request.intended());
        }
        std::ranges::sort(times);
        const auto restored = first_busy_second(times, *since, least);
        if (!restored) return std::nullopt;
        last = std::max(last, *restored);
    }
    return last;
}

}  // namespace

double RunResult::fault() const noexcept {
    return record.marks.fault.value_or(record.phases.fault);
}

Score score(const RunRecord& record, const std::vector<Request>& requests) {
    Score score;
    const double fault = record.marks.fault.value_or(record.phases.fault);
    std::vector<double> before;
    for (const Request& request : requests) {
        const double intended = request.intended();
        const bool counts = intended >= fault || (intended >= fault - under_way && request.bad());
        if (!counts) {
            before.push_back(request.latency_us / 1e3);
            score.failed_before += request.failed();
            score.bad_before += request.bad();
            continue;
        }
        ++score.requests;
        if (request.failed()) {
            ++score.failed;
            score.last_failed = std::max(score.last_failed.value_or(intended), intended);
        }
        if (request.bad()) {
            ++score.bad;
            score.window = std::max(score.window, intended - fault);
        }
    }
    score.error_seconds = score.failed / record.setting.rate;
    score.bad_seconds = score.bad / record.setting.rate;
    score.share_restored = share_restored(record, requests);
    if (!before.empty()) {
        score.p50_ms = quantile(before, 0.5);
        score.p99_ms = quantile(before, 0.99);
    }
    return score;
}

}  // namespace dnsd::lab
