#include "tools/failover-lab/model/run_record.h"

#include "tools/failover-lab/model/json_fields.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

Json json_of_actions(const std::vector<Action>& actions) {
    Json list = Json::array();
    for (const Action& action : actions)
        list.push_back({{"at", action.at}, {"instance", action.instance}, {"what", action.what}});
    return list;
}

void read_actions(JsonFields& fields, const char* name, std::vector<Action>& actions) {
    const Json* list = fields.find(name);
    if (!list) return;
    if (!list->is_array()) return fields.complain(name, "a list of actions");
    for (const Json& json : *list) {
        JsonFields action(json);
        Action& made = actions.emplace_back();
        action.read("at", made.at);
        action.read("instance", made.instance);
        action.read("what", made.what);
        if (const auto read = action.finish(); !read) fields.complain(name, read.error().message);
    }
}

// Calls visit(name, member) for every mark of `marks`.
template <class Of, class Visitor>
void each_mark(Of& marks, Visitor visit) {
    visit("fault", marks.fault);
    visit("detected", marks.detected);
    visit("committed", marks.committed);
    visit("published", marks.published);
    visit("first_answer", marks.first_answer);
    visit("cache_cleared", marks.cache_cleared);
    visit("view", marks.view);
}

Json json_of_phases(const Phases& phases) {
    return {{"wall_start", phases.wall_start},
            {"fault", phases.fault},
            {"plan", json_of_actions(phases.plan)},
            {"probe", json_of(phases.probe)},
            {"probe_interval", phases.probe_interval},
            {"fetches", json_of(phases.fetches)},
            {"victims", phases.victims},
            {"probes", json_of(phases.probes)}};
}

Result<> read_phases(const Json& json, Phases& phases) {
    JsonFields fields(json);
    fields.read("wall_start", phases.wall_start);
    fields.read("fault", phases.fault);
    read_actions(fields, "plan", phases.plan);
    fields.read("probe", phases.probe);
    fields.read("probe_interval", phases.probe_interval);
    fields.read("fetches", phases.fetches);
    fields.read("victims", phases.victims);
    fields.read("probes", phases.probes);
    return fields.finish();
}

Json json_of_marks(const Marks& marks) {
    Json json = Json::object();
    each_mark(marks, [&](const char* name, const auto& mark) { json[name] = json_of(mark); });
    return json;
}

Result<> read_marks(const Json& json, Marks& marks) {
    JsonFields fields(json);
    each_mark(marks, [&](const char* name, auto& mark) { fields.read(name, mark); });
    return fields.finish();
}

}  // namespace

Json to_json(const RunRecord& record) {
    return {{"cell", record.cell},
            {"number", record.number},
            {"setting", to_json(record.setting)},
            {"phase", record.phase},
            {"phase_clock", record.phase_clock},
            {"seed", record.seed},
            {"problem", record.problem},
            {"versions", record.versions},
            {"phases", json_of_phases(record.phases)},
            {"marks", json_of_marks(record.marks)},
            {"actions", json_of_actions(record.actions)},
            {"end", record.end},
            {"lag_p99_ms", record.lag_p99_ms},
            {"started", record.started}};
}

Result<RunRecord> run_record_from_json(const Json& json) {
    RunRecord record;
    JsonFields fields(json);
    fields.read("cell", record.cell);
    fields.read("number", record.number);
    fields.read("phase", record.phase);
    fields.read("phase_clock", record.phase_clock);
    fields.read("seed", record.seed);
    fields.read("problem", record.problem);
    fields.read("versions", record.versions);
    read_actions(fields, "actions", record.actions);
    fields.read("end", record.end);
    fields.read("lag_p99_ms", record.lag_p99_ms);
    fields.read("started", record.started);
    if (const auto read = fields.finish(); !read) return std::unexpected(read.error());

    const Json* setting = fields.find("setting");
    if (!setting) return fail("setting is missing");
    auto made = setting_from_json(*setting);
    if (!made) return in_context("setting", made.error());
    record.setting = std::move(*made);
    if (const Json* phases = fields.find("phases")) {
        if (const auto read = read_phases(*phases, record.phases); !read)
            return in_context("phases", read.error());
    }
    if (const Json* marks = fields.find("marks")) {
        if (const auto read = read_marks(*marks, record.marks); !read)
            return in_context("marks", read.error());
    }
    return record;
}

}  // namespace dnsd::lab
