#include "tools/failover-lab/report/page.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/report/digest.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

// Beside this file, in "page"; scripts in the order in which they need each other.
constexpr std::string_view part_names[] = {
    "page.html",  "page.css", "ground.js",    "verdicts.js", "ttl.js",    "timeline.js",
    "windows.js", "model.js", "stability.js", "cost.js",     "tables.js", "main.js"};
const std::string d3_path = "/usr/share/nodejs/d3/dist/d3.min.js";

double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

Json since(double fault, std::optional<double> mark) {
    return mark ? Json(rounded(*mark - fault)) : Json(nullptr);
}

Json marks_of(const RunResult& run) {
    const Marks& marks = run.record.marks;
    const double fault = run.fault();
    return {{"detected", since(fault, marks.detected)},
            {"committed", since(fault, marks.committed)},
            {"published", since(fault, marks.published)},
            {"first answer", since(fault, marks.first_answer)},
            {"cache cleared", since(fault, marks.cache_cleared)},
            {"client's view", since(fault, marks.view)},
            {"last failed", since(fault, run.score.last_failed)},
            {"share restored", since(fault, run.score.share_restored)}};
}

Json actions_of(const RunResult& run) {
    Json json = Json::array();
    for (const Action& action : run.record.actions) {
        json.push_back({rounded(action.at - run.fault()), action.what, action.instance});
    }
    return json;
}

Json row_of(const RunResult& run, std::size_t cell) {
    const Score& score = run.score;
    return {{"cell", cell},
            {"number", run.record.number},
            {"folder", run.folder},
            {"phase", rounded(run.record.phase)},
            {"clock", run.record.phase_clock},
            {"bad", rounded(score.bad_seconds)},
            {"error", rounded(score.error_seconds)},
            {"failed", score.failed},
            {"requests", score.requests},
            {"window", rounded(score.window)},
            {"predicted", rounded(run.prediction.window)},
            {"residual", std::round(run.residual_ms)},
            {"p50", rounded(score.p50_ms)},
            {"p99", rounded(score.p99_ms)},
            {"lag", rounded(run.record.lag_p99_ms)},
            {"end", rounded(run.record.end - run.fault())},
            {"invalid", run.invalid},
            {"parts",
             {rounded(run.detection), rounded(run.publication), rounded(run.cache_residual),
              rounded(run.connection_residual)}},
            {"marks", marks_of(run)},
            {"actions", actions_of(run)}};
}

// Half a second and more before the fault shows the steady state; all of it would only be more
// octets.
constexpr double shown_before = 1.0;

Json points_of(const RunResult& run, const std::vector<Request>& requests) {
    Json times = Json::array(), latencies = Json::array(), outcomes = Json::array(),
         instances = Json::array();
    for (const Request& request : requests) {
        const double at = request.intended() - run.fault();
        if (at < -shown_before) continue;
        times.push_back(std::lround(at * 1e3));
        latencies.push_back(std::round(request.latency_us / 10.0) / 100);
        outcomes.push_back(static_cast<int>(request.outcome));
        instances.push_back(request.instance == Request::none ? -1 : request.instance);
    }
    return {{"run", run.record.number},
            {"t", std::move(times)},
            {"l", std::move(latencies)},
            {"o", std::move(outcomes)},
            {"i", std::move(instances)}};
}

// Only cells with a representative have points; a log that has gone since is as good as none.
Json all_points(const Results& results, const std::string& out) {
    Json points = Json::object();
    for (std::size_t n = 0; n < results.cells.size(); ++n) {
        const int index = results.cells[n].representative;
        if (index < 0) continue;
        const RunResult& run = results.runs[static_cast<std::size_t>(index)];
        const auto log = read_file(fmt::format("{}/{}/requests.bin", out, run.folder));
        const auto requests = log ? decode_log(*log) : std::unexpected(log.error());
        if (requests) points[std::to_string(n)] = points_of(run, *requests);
    }
    return points;
}

Json all_runs(const Results& results) {
    Json runs = Json::array();
    for (std::size_t n = 0; n < results.cells.size(); ++n) {
        for (const int index : results.cells[n].runs) {
            runs.push_back(row_of(results.runs[static_cast<std::size_t>(index)], n));
        }
    }
    return runs;
}

Json curves_of(const Results& results) {
    Json curves = Json::array();
    for (const TtlCurve& curve : ttl_curves(results)) {
        Json points = Json::array();
        for (std::size_t n = 0; n < curve.ttls.size(); ++n) {
            const Expectation& expected = curve.expectations[n];
            points.push_back({{"ttl", curve.ttls[n]},
                              {"bad_seconds", rounded(expected.bad_seconds_mean)},
                              {"bad_seconds_max", rounded(expected.bad_seconds_max)},
                              {"error_seconds", rounded(expected.error_seconds_mean)},
                              {"window", rounded(expected.window_mean)},
                              {"window_max", rounded(expected.window_max)}});
        }
        curves.push_back(
            {{"way", curve.way}, {"fault", curve.fault}, {"points", std::move(points)}});
    }
    return curves;
}

Json fleet_of(const Results& results) {
    const Fleet fleet;
    Json rows = Json::array();
    for (const FleetRow& row : fleet_rows(fleet, results)) {
        rows.push_back({{"title", row.title},
                        {"family", row.family},
                        {"error_seconds", row.result.error_seconds},
                        {"last_node", row.result.last_node},
                        {"queries", row.result.queries_per_second},
                        {"probes", row.result.probes_per_second},
                        {"messages", row.result.messages_per_second},
                        {"per_change", row.result.messages_per_change}});
    }
    return {{"nodes", fleet.nodes},
            {"services", fleet.services},
            {"backends", fleet.backends},
            {"requests_per_node", fleet.requests_per_node},
            {"rows", std::move(rows)}};
}

Json samples_of(const Results& results) {
    Json samples = Json::array();
    for (const auto& record : results.effective_ttls) {
        for (const auto& sample : record.samples) {
            samples.push_back({{"cache", record.cache},
                               {"ttl", sample.ttl},
                               {"phase", rounded(sample.phase)},
                               {"age", rounded(sample.age)}});
        }
    }
    return samples;
}

Json fields() {
    Json json = Json::object();
    for (const SettingField& field : setting_fields()) json[std::string(field.name)] = field.help;
    return json;
}

Json outcomes() {
    Json names = Json::array();
    for (int n = 0; n <= static_cast<int>(Outcome::NoAnswer); ++n) {
        names.push_back(name_of(static_cast<Outcome>(n)));
    }
    return names;
}

// What was put in is not looked through again: data may say "@" as it likes.
std::string filled(std::string_view text, const std::map<std::string, std::string>& parts) {
    std::string out;
    while (!text.empty()) {
        const auto begin = text.find('@');
        const auto end = begin == text.npos ? text.npos : text.find('@', begin + 1);
        if (end == text.npos) break;
        const auto part = parts.find(std::string(text.substr(begin + 1, end - begin - 1)));
        // An "@" that begins no name of ours, as CSS has them, stands for itself.
        out += text.substr(0, part == parts.end() ? end : begin);
        if (part != parts.end()) out += part->second;
        text.remove_prefix(part == parts.end() ? end : end + 1);
    }
    return out += text;
}

std::string escaped_for_html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string escaped_for_script(std::string json) {
    std::string out;
    out.reserve(json.size());
    for (const char c : json) {
        // In JSON "<" stands within text only: "</script" and "<!--" cannot come about.
        if (c == '<')
            out += "\\u003c";
        else
            out += c;
    }
    return out;
}

Json page_data(const Results& results, const std::string& out) {
    Json data = summary_of(results);
    data["runs_all"] = all_runs(results);
    data["points"] = all_points(results, out);
    data["curves"] = curves_of(results);
    data["fleet"] = fleet_of(results);
    data["samples"] = samples_of(results);
    data["fields"] = fields();
    data["outcomes"] = outcomes();
    return data;
}

Result<std::string> page(const Results& results, const std::string& out) {
    std::map<std::string, std::string> parts;
    for (const std::string_view name : part_names) {
        auto text = read_file(fmt::format("{}/report/page/{}", LAB_HOME, name));
        if (!text)
            return in_context("the page's parts are not where they were built", text.error());
        parts[std::string(name.substr(name.find('.') + 1))] += *text;
    }
    auto d3 = read_file(d3_path);
    if (!d3) return in_context("d3 is missing (Debian's package node-d3)", d3.error());
    parts["d3"] = std::move(*d3);
    parts["title"] = escaped_for_html(results.suite);
    parts["data"] = escaped_for_script(
        page_data(results, out).dump(-1, ' ', false, Json::error_handler_t::replace));
    return filled(parts["html"], parts);
}

}  // namespace dnsd::lab
