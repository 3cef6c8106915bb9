#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/report/digest.h"
#include "tools/failover-lab/report/page.h"
#include "tools/failover-lab/report/words.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

// RFC 4180: text that has a comma, a quote or a line end stands in quotes.
std::string csv(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

Json or_null(std::optional<double> value) { return value ? Json(*value) : Json(nullptr); }

Json to_json(const Prediction& prediction) {
    return {{"detected", or_null(prediction.detected)},
            {"published", or_null(prediction.published)},
            {"view", or_null(prediction.view)},
            {"window", prediction.window},
            {"bad_seconds", prediction.bad_seconds},
            {"error_seconds", prediction.error_seconds},
            {"detection", prediction.detection},
            {"publication", prediction.publication},
            {"cache_residual", prediction.cache_residual},
            {"connection_residual", prediction.connection_residual},
            {"open_ended", prediction.open_ended}};
}

Json to_json(const Score& score) {
    return {{"requests", score.requests},
            {"failed", score.failed},
            {"bad", score.bad},
            {"error_seconds", score.error_seconds},
            {"bad_seconds", score.bad_seconds},
            {"window", score.window},
            {"last_failed", or_null(score.last_failed)},
            {"share_restored", or_null(score.share_restored)},
            {"p50_ms", score.p50_ms},
            {"p99_ms", score.p99_ms},
            {"failed_before", score.failed_before},
            {"bad_before", score.bad_before}};
}

std::string runs_jsonl(const Results& results) {
    std::string lines;
    for (const RunResult& run : results.runs) {
        Json json = to_json(run.record);
        json["folder"] = run.folder;
        json["prediction"] = to_json(run.prediction);
        json["score"] = to_json(run.score);
        json["measured"] = {{"detection", run.detection},
                            {"publication", run.publication},
                            {"cache_residual", run.cache_residual},
                            {"connection_residual", run.connection_residual},
                            {"share_after", or_null(run.share_after)}};
        json["residual_ms"] = run.residual_ms;
        json["invalid"] = run.invalid;
        lines += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    return lines;
}

std::string cells_csv(const Results& results) {
    std::string lines =
        "cell,title,family,way,fault,preset,ttl,group,source,runs,invalid,bad_seconds,bad_seconds_"
        "low,"
        "bad_seconds_high,error_seconds,error_seconds_low,error_seconds_high,failed,window,window_"
        "low,"
        "window_high,window_max,share_after,detection,publication,cache_residual,connection_"
        "residual,"
        "expected_window,expected_window_max,expected_bad_seconds,median_residual_ms,residual_"
        "marked,"
        "invalid_marked\n";
    for (const CellResult& cell : results.cells) {
        const Setting& setting = cell.cell.setting;
        const char* source = cell.modelled ? "model" : cell.valid > 0 ? "measured" : "nothing";
        lines += fmt::format(
            "{},{},{},{},{},{},{},{},{},{},{},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.2f},{:."
            "4f},"
            "{:.4f},{:.4f},{:.4f},{},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.1f},{:d},{"
            ":d}\n",
            csv(cell.name), csv(title_of(setting)), family_of(setting), csv(setting.way),
            csv(setting.fault), csv(setting.preset), setting.ttl, csv(cell.cell.group), source,
            cell.valid, cell.invalid, cell.bad_seconds, cell.bad_seconds_interval.low,
            cell.bad_seconds_interval.high, cell.error_seconds, cell.error_seconds_interval.low,
            cell.error_seconds_interval.high, cell.failed, cell.window, cell.window_interval.low,
            cell.window_interval.high, cell.window_max,
            cell.share_after ? fmt::format("{:.4f}", *cell.share_after) : "", cell.detection,
            cell.publication, cell.cache_residual, cell.connection_residual,
            cell.expected.window_mean, cell.expected.window_max, cell.expected.bad_seconds_mean,
            cell.median_residual_ms, cell.residual_marked, cell.invalid_marked);
    }
    return lines;
}

std::string effective_ttl_csv(const Results& results) {
    std::string lines = "cache,version,ttl,phase,age,problem\n";
    for (const auto& record : results.effective_ttls) {
        const std::string cache = csv(record.cache), version = csv(record.version);
        for (const auto& sample : record.samples) {
            lines += fmt::format("{},{},{:g},{:.3f},{:.3f},\n", cache, version, sample.ttl,
                                 sample.phase, sample.age);
        }
        if (!record.problem.empty()) {
            lines += fmt::format("{},{},,,,{}\n", cache, version, csv(record.problem));
        }
    }
    return lines;
}

std::string parts_text(const std::map<std::string, double>& parts) {
    std::string text;
    for (const auto& [part, value] : parts) {
        text += fmt::format("{}{} {:.1f}", text.empty() ? "" : "; ", part, value);
    }
    return text;
}

double sum_of(const std::map<std::string, double>& parts) {
    double sum = 0;
    for (const auto& [part, value] : parts) sum += value;
    return sum;
}

std::string cost_csv(const Results& results) {
    std::string lines =
        "way,title,version,rate,direct_p50_us,direct_p90_us,direct_p99_us,through_p50_us,"
        "through_p90_us,through_p99_us,added_p50_us,added_p90_us,added_p99_us,cpu_us_per_request,"
        "cpu_us_by_part,memory_octets,memory_by_part,queries_per_second,messages_per_second,"
        "octets_per_second,problem\n";
    const auto latency = [](const CostRecord::Latency& of) {
        return fmt::format("{:.1f},{:.1f},{:.1f}", of.p50_us, of.p90_us, of.p99_us);
    };
    for (const CostRecord& record : results.costs) {
        lines += fmt::format(
            "{},{},{},{:g},{},{},{},{:.2f},{},{:.0f},{},{:.2f},{:.2f},{:.1f},{}\n", csv(record.way),
            csv(record.title), csv(record.version), record.rate, latency(record.direct),
            latency(record.through), latency(record.added), sum_of(record.cpu_us_per_request),
            csv(parts_text(record.cpu_us_per_request)), sum_of(record.memory_octets),
            csv(parts_text(record.memory_octets)), record.queries_per_second,
            record.messages_per_second, record.octets_per_second, csv(record.problem));
    }
    return lines;
}

}  // namespace

Result<> write_outputs(const Results& results, const std::string& out) {
    const auto write = [&](const char* name, const std::string& text) {
        return replace_file(out + "/" + name, text);
    };
    const auto summary = summary_of(results).dump(1, ' ', false, Json::error_handler_t::replace);
    if (auto done = write("runs.jsonl", runs_jsonl(results)); !done) return done;
    if (auto done = write("cells.csv", cells_csv(results)); !done) return done;
    if (auto done = write("effective_ttl.csv", effective_ttl_csv(results)); !done) return done;
    if (auto done = write("cost.csv", cost_csv(results)); !done) return done;
    if (auto done = write("summary.json", summary + "\n"); !done) return done;
    // Last: what it lacks (d3) costs none of the others.
    auto html = page(results, out);
    if (!html) return in_context("report.html", html.error());
    return write("report.html", *html);
}

}  // namespace dnsd::lab
