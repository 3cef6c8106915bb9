// summary.json, whose keys stay as they are; new ones may come. Times are seconds unless the key
// says otherwise; "bad_seconds", "error_seconds" and "window" are {mean, low, high} with the
// interval of 95 %.
//
//   suite about machine started seconds dnsd_version command
//   faults[]  name title about of_discovery sentence cells; centre push sidecar central: each the
//   name
//             of a cell, or null
//   cells[]   cell title way way_title family fault ttl stub preset group setting{what differs from
//   the
//             defaults} plain; measured modelled runs invalid; bad_seconds error_seconds window{,
//             max} failed share_after; parts{detection publication cache_residual
//             connection_residual}; expected{window_mean window_max bad_seconds_mean
//             bad_seconds_max error_seconds_mean parts open_ended}; median_residual_ms
//             residual_marked explanation invalid_marked
//   pairs[]   title a b goal ("ratio" or "no failures") ratio_max pairs ratio low high failed_a
//   failed_b
//             met words
//   effective_ttls[]  cache title version problem ttls[]{ttl least mean most samples}
//   costs[]   as in raw/cost/<way>/cost.json
//   versions{}  skipped[] dropped[] notes[]
#include <nlohmann/json.hpp>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/report/digest.h"
#include "tools/failover-lab/report/explained.h"
#include "tools/failover-lab/report/words.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

Json spread(double mean, Interval interval) {
    return {{"mean", mean}, {"low", interval.low}, {"high", interval.high}};
}

template <class Parts>
Json parts_of(const Parts& parts) {
    return {{"detection", parts.detection},
            {"publication", parts.publication},
            {"cache_residual", parts.cache_residual},
            {"connection_residual", parts.connection_residual}};
}

Json name_or_null(const CellResult* cell) { return cell ? Json(cell->name) : Json(nullptr); }

Json summary_of(const FaultDigest& digest) {
    return {{"name", digest.fault->name},
            {"title", digest.fault->title},
            {"about", digest.fault->about},
            {"of_discovery", digest.fault->of_discovery},
            {"sentence", digest.sentence},
            {"cells", digest.cells},
            {"centre", name_or_null(digest.centre)},
            {"push", name_or_null(digest.push)},
            {"sidecar", name_or_null(digest.sidecar)},
            {"central", name_or_null(digest.central)}};
}

Json summary_of(const Expectation& expected) {
    return {{"window_mean", expected.window_mean},
            {"window_max", expected.window_max},
            {"bad_seconds_mean", expected.bad_seconds_mean},
            {"bad_seconds_max", expected.bad_seconds_max},
            {"error_seconds_mean", expected.error_seconds_mean},
            {"parts", parts_of(expected)},
            {"open_ended", expected.open_ended}};
}

Json summary_of(const CellResult& cell) {
    const Setting& setting = cell.cell.setting;
    Json json{{"cell", cell.name},
              {"title", title_of(setting)},
              {"way", setting.way},
              {"way_title", way_title(setting)},
              {"family", family_of(setting)},
              {"fault", setting.fault},
              {"ttl", setting.ttl},
              {"stub", stub_of(setting)},
              {"preset", setting.preset},
              {"group", cell.cell.group},
              {"setting", to_json(setting)},
              {"plain", is_plain(setting)},
              {"measured", cell.cell.measured},
              {"modelled", cell.modelled},
              {"runs", cell.valid},
              {"invalid", cell.invalid}};
    json["bad_seconds"] = spread(cell.bad_seconds, cell.bad_seconds_interval);
    json["error_seconds"] = spread(cell.error_seconds, cell.error_seconds_interval);
    json["window"] = spread(cell.window, cell.window_interval);
    json["window"]["max"] = cell.window_max;
    json["failed"] = cell.failed;
    json["share_after"] = cell.share_after ? Json(*cell.share_after) : Json(nullptr);
    json["parts"] = parts_of(cell);
    json["expected"] = summary_of(cell.expected);
    json["median_residual_ms"] = cell.median_residual_ms;
    json["residual_marked"] = cell.residual_marked;
    json["explanation"] = cell.residual_marked ? explanation_of(setting) : "";
    json["invalid_marked"] = cell.invalid_marked;
    return json;
}

Json summary_of(const PairResult& result) {
    const Pair& pair = result.pair;
    return {{"title", pair.title},
            {"a", pair.a},
            {"b", pair.b},
            {"goal", pair.goal == Pair::Goal::Ratio ? "ratio" : "no failures"},
            {"ratio_max", pair.ratio_max},
            {"pairs", result.pairs},
            {"ratio", result.ratio.ratio},
            {"low", result.ratio.interval.low},
            {"high", result.ratio.interval.high},
            {"failed_a", result.failed_a},
            {"failed_b", result.failed_b},
            {"met", result.met},
            {"words", result.words}};
}

Json summary_of(const EffectiveTtlRecord& record) {
    Json ttls = Json::array();
    for (const TtlDigest& digest : digest_ttls(record)) {
        ttls.push_back({{"ttl", digest.ttl},
                        {"least", digest.least},
                        {"mean", digest.mean},
                        {"most", digest.most},
                        {"samples", digest.samples}});
    }
    return {{"cache", record.cache},
            {"title", record.title},
            {"version", record.version},
            {"problem", record.problem},
            {"ttls", std::move(ttls)}};
}

template <class Each>
Json summaries_of(const std::vector<Each>& all) {
    Json json = Json::array();
    for (const Each& each : all) json.push_back(summary_of(each));
    return json;
}

}  // namespace

Json summary_of(const Results& results) {
    Json costs = Json::array();
    for (const CostRecord& record : results.costs) costs.push_back(to_json(record));
    return {{"suite", results.suite},
            {"about", results.about},
            {"machine", results.machine},
            {"started", results.started},
            {"seconds", results.seconds},
            {"dnsd_version", results.dnsd_version},
            {"command", results.command},
            {"faults", summaries_of(digest_faults(results))},
            {"cells", summaries_of(results.cells)},
            {"pairs", summaries_of(results.pairs)},
            {"effective_ttls", summaries_of(results.effective_ttls)},
            {"costs", std::move(costs)},
            {"versions", versions_of(results)},
            {"skipped", results.skipped},
            {"dropped", results.dropped},
            {"notes", results.notes}};
}

}  // namespace dnsd::lab
