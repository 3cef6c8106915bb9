// failover-lab: DNS, caches, pushes and proxies under the same faults.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/failover-lab/doctor.h"
#include "tools/failover-lab/equipment.h"
#include "tools/failover-lab/list.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/model_command.h"
#include "tools/failover-lab/report/results.h"
#include "tools/failover-lab/rig/instance.h"
#include "tools/failover-lab/rig/order.h"
#include "tools/failover-lab/rig/sources.h"
#include "tools/failover-lab/rig/ways.h"
#include "tools/failover-lab/run.h"

namespace dnsd::lab {
namespace {

struct Words {
    RunOptions run;
    EquipmentOptions equipment;
    std::string budget, folder;
    std::vector<std::string> assignments;
    // Of the lab's own processes.
    std::string order, address, name, stub;
    std::uint16_t port = 0;
};

Result<> carry_out_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_discarded()) return fail(path + " is no JSON");
    auto order = order_from_json(json);
    if (!order) return in_context(path, order.error());
    return carry_out(*order);
}

// "ttl=30": the value as JSON writes it; a bare word is text.
Result<> assign(Setting& setting, const std::string& assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos) return fail(fmt::format("'{}' is not NAME=VALUE", assignment));
    const std::string text = assignment.substr(equals + 1);
    auto value = nlohmann::json::parse(text, nullptr, false);
    if (value.is_discarded()) value = text;
    return assign(setting, assignment.substr(0, equals), value);
}

Result<> print_model_of(const Words& words) {
    Setting setting;
    for (const std::string& assignment : words.assignments) {
        if (auto done = assign(setting, assignment); !done) return done;
    }
    const Way* way = find_way(setting.way);
    if (way == nullptr || find_fault(setting.fault) == nullptr) {
        return fail("there is no such way or fault; `failover-lab list` has them");
    }
    EffectiveTtls ttls;
    if (!words.folder.empty()) {
        auto results = load_results(words.folder);
        if (!results) return std::unexpected(results.error());
        std::vector<EffectiveTtls::Sample> samples;
        for (const EffectiveTtlRecord& record : results->effective_ttls) {
            samples.insert(samples.end(), record.samples.begin(), record.samples.end());
        }
        ttls = EffectiveTtls(std::move(samples));
    }
    fmt::print("{}", print_model(setting, way->clocks(setting), ttls));
    return {};
}

Result<> run_lab(Words& words) {
    if (!words.budget.empty()) {
        const auto seconds = parse_duration(words.budget);
        if (!seconds) {
            return fail(
                fmt::format("--budget '{}' is no duration such as 5m or 90s", words.budget));
        }
        words.run.budget = *seconds;
    }
    words.run.equipment = find_equipment(words.equipment);
    return run_suite(words.run);
}

int said(const Result<>& done) {
    if (done) return 0;
    fmt::print(stderr, "failover-lab: {}\n", done.error().message);
    return 1;
}

void add_equipment_options(CLI::App& command, EquipmentOptions& equipment) {
    command.add_option("--dnsd", equipment.dnsd, "The dnsd under test; else the one beside this");
    command.add_option("--agent", equipment.agent, "dnsd-agent; else the one beside this");
    command.add_option("--envoy", equipment.envoy, "Envoy; else where tools/envoy puts it");
    command.add_option("--unpacked", equipment.unpacked,
                       "The folder with nscd and systemd-resolved");
}

void add_commands(CLI::App& app, Words& words, int& status) {
    auto* run = app.add_subcommand("run", "Carries out a suite, and reports");
    run->add_option("suite", words.run.suite,
                    "smoke, standard (if none is named), full, or a TOML file");
    run->add_option("--out", words.run.out,
                    "Where all goes; what is there already is not run again");
    run->add_option("--budget", words.budget, "5m: leaves out the least valuable cells");
    run->add_option("--only", words.run.only,
                    "Cells whose name or group holds this, or matches it");
    run->add_option("--seed", words.run.seed, "Of all that is drawn");
    run->add_option("--jobs", words.run.jobs, "Runs at once");
    run->add_flag("--list", words.run.list, "Only says what would be run, and for how long");
    add_equipment_options(*run, words.equipment);
    run->callback([&] { status = said(run_lab(words)); });

    auto* report = app.add_subcommand("report", "Writes the outputs of a folder of runs anew");
    report->add_option("folder", words.folder, "What `run --out` was given")->required();
    report->callback([&] { status = said(report_on(words.folder)); });

    auto* model =
        app.add_subcommand("model", "Computes the error window of a setting, and of fleets");
    model->add_option("settings", words.assignments, "NAME=VALUE, as in way=unbound ttl=30");
    model->add_option("--measured", words.folder, "Takes effective TTLs from this folder of runs");
    model->callback([&] { status = said(print_model_of(words)); });

    auto* list =
        app.add_subcommand("list", "Ways, faults, presets, suites, and fields of settings");
    list->callback([] { fmt::print("{}", print_list()); });

    auto* doctor =
        app.add_subcommand("doctor", "What is here, what is missing, and what that costs");
    add_equipment_options(*doctor, words.equipment);
    doctor->callback([&] { fmt::print("{}", print_doctor(find_equipment(words.equipment))); });
}

// What the lab's own processes are: nobody calls these by hand.
void add_inner_commands(CLI::App& app, Words& words, int& status) {
    auto* inside = app.add_subcommand("inside", "Carries out one order")->group("");
    inside->add_option("--order", words.order)->required();
    inside->callback([&] { status = said(carry_out_file(words.order)); });

    auto* backend = app.add_subcommand("backend", "An instance")->group("");
    backend->add_option("address", words.address)->required();
    backend->add_option("port", words.port)->required();
    backend->add_option("name", words.name)->required();
    backend->callback(
        [&] { status = said(serve_instance(words.address, words.port, words.name)); });

    auto* resolve = app.add_subcommand("resolve", "A stub resolver")->group("");
    resolve->add_option("stub", words.stub)->required();
    resolve->callback([&] { status = said(serve_stub(words.stub)); });
}

int run(int argc, char** argv) {
    CLI::App app("DNS, caches, pushes and proxies under the same faults.", "failover-lab");
    app.set_version_flag("--version", DNSD_VERSION);
    app.require_subcommand(1);
    Words words;
    for (int n = 0; n < argc; ++n) words.run.command += (n == 0 ? "" : " ") + std::string(argv[n]);
    int status = 0;
    add_commands(app, words, status);
    add_inner_commands(app, words, status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem);
    }
    return status;
}

}  // namespace
}  // namespace dnsd::lab

int main(int argc, char** argv) { return dnsd::lab::run(argc, argv); }
