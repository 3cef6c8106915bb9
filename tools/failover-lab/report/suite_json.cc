#include "tools/failover-lab/report/suite_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

Json to_json(const Cell& cell) {
    return {{"setting", to_json(cell.setting)},
            {"runs", cell.runs},
            {"value", cell.value},
            {"group", cell.group},
            {"measured", cell.measured}};
}

Json to_json(const Pair& pair) {
    return {{"title", pair.title},
            {"a", pair.a},
            {"b", pair.b},
            {"goal", pair.goal == Pair::Goal::Ratio ? "ratio" : "no failures"},
            {"ratio_max", pair.ratio_max}};
}

Result<Cell> cell_from_json(const Json& json) {
    auto setting = setting_from_json(json.at("setting"));
    if (!setting) return std::unexpected(setting.error());
    Cell cell;
    cell.setting = std::move(*setting);
    cell.runs = json.value("runs", cell.runs);
    cell.value = json.value("value", cell.value);
    cell.group = json.value("group", cell.group);
    cell.measured = json.value("measured", cell.measured);
    return cell;
}

Pair pair_from_json(const Json& json) {
    Pair pair;
    pair.title = json.at("title");
    pair.a = json.at("a");
    pair.b = json.at("b");
    if (json.value("goal", "ratio") == "no failures") pair.goal = Pair::Goal::NoFailures;
    pair.ratio_max = json.value("ratio_max", pair.ratio_max);
    return pair;
}

Result<Suite> read(const Json& json) {
    Suite suite;
    suite.name = json.at("name");
    suite.about = json.value("about", "");
    for (const Json& each : json.at("cells")) {
        auto cell = cell_from_json(each);
        if (!cell) return in_context(fmt::format("cell {}", suite.cells.size() + 1), cell.error());
        suite.cells.push_back(std::move(*cell));
    }
    for (const Json& each : json.value("pairs", Json::array())) {
        suite.pairs.push_back(pair_from_json(each));
    }
    suite.effective_ttls = json.value("effective_ttls", suite.effective_ttls);
    suite.effective_ttl_seconds = json.value("effective_ttl_seconds", suite.effective_ttl_seconds);
    suite.costs = json.value("costs", suite.costs);
    return suite;
}

}  // namespace

Json to_json(const Suite& suite) {
    Json cells = Json::array(), pairs = Json::array();
    for (const Cell& cell : suite.cells) cells.push_back(to_json(cell));
    for (const Pair& pair : suite.pairs) pairs.push_back(to_json(pair));
    return {{"name", suite.name},
            {"about", suite.about},
            {"cells", std::move(cells)},
            {"pairs", std::move(pairs)},
            {"effective_ttls", suite.effective_ttls},
            {"effective_ttl_seconds", suite.effective_ttl_seconds},
            {"costs", suite.costs}};
}

Result<Suite> suite_from_json(const Json& json) {
    try {
        return read(json);
    } catch (const Json::exception& error) {
        return fail(error.what());
    }
}

Json to_json(const SuiteRecord& record) {
    Json json = to_json(record.suite);
    json["skipped"] = record.skipped;
    json["dropped"] = record.dropped;
    json["started"] = record.started;
    json["seconds"] = record.seconds;
    json["machine"] = record.machine;
    json["dnsd_version"] = record.dnsd_version;
    json["command"] = record.command;
    return json;
}

Result<SuiteRecord> suite_record_from_json(const Json& json) {
    auto suite = suite_from_json(json);
    if (!suite) return std::unexpected(suite.error());
    SuiteRecord record;
    record.suite = std::move(*suite);
    try {
        record.skipped = json.value("skipped", record.skipped);
        record.dropped = json.value("dropped", record.dropped);
        record.started = json.value("started", record.started);
        record.seconds = json.value("seconds", record.seconds);
        record.machine = json.value("machine", record.machine);
        record.dnsd_version = json.value("dnsd_version", record.dnsd_version);
        record.command = json.value("command", record.command);
    } catch (const Json::exception& error) {
        return fail(error.what());
    }
    return record;
}

}  // namespace dnsd::lab
