#include "tools/failover-lab/run.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/io/tcp.h"
#include "base/text.h"
#include "tools/failover-lab/catalogue.h"
#include "tools/failover-lab/equipment.h"
#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/plan.h"
#include "tools/failover-lab/report/results.h"
#include "tools/failover-lab/report/suite_json.h"
#include "tools/failover-lab/rig/ways.h"
#include "tools/failover-lab/scheduler.h"
#include "tools/failover-lab/timing.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A run mostly waits: with six for each core the generators still lag less than 5 ms at p99.
int jobs_that_fit() {
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return std::clamp(6 * cores, 4, 48);
}

std::string minutes(double seconds) {
    const auto whole = static_cast<int>(std::lround(seconds));
    return fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

std::string date(const char* format) {
    return fmt::format(fmt::runtime(fmt::format("{{:{}}}", format)),
                       fmt::localtime(std::time(nullptr)));
}

double seconds_of(const Plan& plan, int jobs) {
    double together = 0, longest = 0, alone = 0;
    for (const Job& job : plan.together) {
        together += job.seconds;
        longest = std::max(longest, job.seconds);
    }
    for (const Job& job : plan.alone) alone += job.seconds;
    return std::max(together / jobs, longest) + alone;
}

void print_cells(const Suite& suite, const std::vector<std::string>& dropped, int jobs) {
    int runs = 0;
    for (const Cell& cell : suite.cells) {
        const double seconds = seconds_of(cell);
        if (cell.measured) runs += cell.runs;
        fmt::print("{:>4}  {:>6}  {:>5}  {:<12} {}\n",
                   cell.measured ? fmt::format("{}x", cell.runs) : "-",
                   cell.measured ? fmt::format("{:.1f} s", seconds) : "model", cell.value,
                   cell.group, name_of(cell.setting));
    }
    for (const Pair& pair : suite.pairs)
        fmt::print("pair  {}: {} | {}\n", pair.title, pair.a, pair.b);
    for (const std::string& cache : suite.effective_ttls)
        fmt::print("effective TTL of {}\n", cache);
    for (const std::string& way : suite.costs) fmt::print("cost of {}\n", way);
    for (const std::string& name : dropped) fmt::print("dropped for the budget: {}\n", name);
    fmt::print("{} cells, {} runs, about {} with {} at once\n", suite.cells.size(), runs,
               minutes(seconds_of(suite, jobs)), jobs);
}

Result<std::optional<SuiteRecord>> record_in(const std::string& out) {
    const std::string path = out + "/suite.json";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return std::nullopt;
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    const Json json = Json::parse(*text, nullptr, false);
    if (json.is_discarded())
        return fail(path + ": that is not JSON; remove it, or take another --out");
    auto record = suite_record_from_json(json);
    if (!record) return in_context(path, record.error());
    for (const Cell& cell : record->suite.cells) {
        if (find_way(cell.setting.way) != nullptr && find_fault(cell.setting.fault) != nullptr)
            continue;
        return fail(
            fmt::format("{}: there is no way or fault any more as in '{}'; take another --out",
                        path, name_of(cell.setting)));
    }
    return std::optional(*std::move(record));
}

bool is_empty(const Suite& suite) {
    return suite.cells.empty() && suite.effective_ttls.empty() && suite.costs.empty();
}

class SuiteRun {
  public:
    explicit SuiteRun(const RunOptions& options)
        : options_(options), jobs_(options.jobs > 0 ? options.jobs : jobs_that_fit()) {}

    Result<> run();

  private:
    Result<> find();
    Result<> prepare_folder();
    std::string default_folder() const;
    Result<> work();
    Result<> write_record() {
        return replace_file(out_ + "/suite.json", to_json(record_).dump(1) + "\n");
    }
    void say_before(const Plan& plan) const;

    const RunOptions& options_;
    const int jobs_;
    io::Descriptor lock_;  // held as long as we work in the folder
    SuiteRecord record_;
    std::string out_;  // absolute
};

// The suite as it is to be run: what was asked for, without what the options leave out.
Result<> SuiteRun::find() {
    if (options_.suite.empty() && !options_.out.empty()) {
        auto there = record_in(options_.out);
        if (!there) return std::unexpected(there.error());
        if (*there) {
            record_.suite = (*there)->suite;
            record_.dropped = (*there)->dropped;
        }
    }
    if (record_.suite.name.empty()) {
        auto suite = find_suite(options_.suite.empty() ? "standard" : options_.suite);
        if (!suite) return std::unexpected(suite.error());
        record_.suite = *std::move(suite);
    }
    select(record_.suite, options_.only);
    if (is_empty(record_.suite)) {
        return fail(fmt::format("nothing of the suite {} is called '{}'; --list shows its cells",
                                record_.suite.name, options_.only));
    }
    if (options_.budget <= 0) return {};
    for (std::string& name : drop_for_budget(record_.suite, options_.budget, jobs_)) {
        record_.dropped.push_back(std::move(name));
    }
    if (!is_empty(record_.suite)) return {};
    return fail(fmt::format("a budget of {} is too little for anything of the suite {}",
                            minutes(options_.budget), record_.suite.name));
}

// In the repository, where git ignores it; where there is none, below where we are.
std::string SuiteRun::default_folder() const {
    const fs::path source = source_folder();
    const fs::path root = source.empty() ? "." : source.parent_path().parent_path();
    const std::string name = fmt::format("{}-{}", record_.suite.name, date("%Y%m%d-%H%M%S"));
    return (root / "var/lab" / name).string();
}

Result<> SuiteRun::prepare_folder() {
    const std::string out = options_.out.empty() ? default_folder() : options_.out;
    std::error_code problem;
    fs::create_directories(out, problem);
    if (problem) return fail(fmt::format("{} cannot be made: {}", out, problem.message()));
    out_ = fs::canonical(out, problem).string();
    lock_ = io::Descriptor(::open((out_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (lock_.number() < 0) return fail(fmt::format("{}/lock: {}", out_, std::strerror(errno)));
    if (::flock(lock_.number(), LOCK_EX | LOCK_NB) != 0) {
        return fail(out_ + ": another failover-lab is at work in it");
    }

    auto there = record_in(out_);
    if (!there) return std::unexpected(there.error());
    if (*there) {
        if (to_json((*there)->suite) != to_json(record_.suite)) {
            return fail(
                fmt::format("{} holds runs of another suite ({}), or of this one with other "
                            "options or cells; give another --out, or --out alone to go on",
                            out, (*there)->suite.name));
        }
        record_.started = (*there)->started;
        record_.seconds = (*there)->seconds;
    } else {
        record_.started = date("%Y-%m-%dT%H:%M:%S%z");
    }
    record_.machine = describe_machine();
    record_.command = options_.command;
    auto version = output_of({options_.equipment.dnsd, "--version"});
    if (!version) return in_context("dnsd does not run", version.error());
    record_.dnsd_version = *std::move(version);
    return write_record();
}

void SuiteRun::say_before(const Plan& plan) const {
    fmt::print(stderr, "suite {}: {} runs and {} measurements alone, about {}, into {}\n",
               record_.suite.name, plan.together.size(), plan.alone.size(),
               minutes(seconds_of(plan, jobs_)), out_);
    for (const std::string& name : record_.dropped) {
        fmt::print(stderr, "dropped for the budget: {}\n", name);
    }
    for (const std::string& words : record_.skipped) fmt::print(stderr, "skipped: {}\n", words);
}

Result<> SuiteRun::work() {
    Plan plan = plan_of(record_.suite, options_.equipment, options_.seed);
    const Isolation isolation = find_isolation();
    if (isolation.command.empty()) {
        plan.together.clear();
        plan.alone.clear();
        plan.skipped = {fmt::format(
            "every run: there are no namespaces to be had here ({}). Run it as root, or allow user "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1); what follows is the model's",
            isolation.problem)};
    }
    record_.skipped = plan.skipped;
    if (auto written = write_record(); !written) return written;
    say_before(plan);

    const auto begun = std::chrono::steady_clock::now();
    auto outcome = carry_out(plan, {out_, jobs_, isolation});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
    record_.seconds += taken.count();
    if (auto written = write_record(); outcome && !written) return written;
    if (!outcome) return std::unexpected(outcome.error());
    if (outcome->interrupted) {
        return fail(fmt::format(
            "interrupted after {} of {} runs, which are kept: failover-lab run --out {} "
            "goes on, and failover-lab report {} shows what there is",
            outcome->kept + outcome->done, outcome->all, out_, out_));
    }
    return {};
}

Result<> SuiteRun::run() {
    if (auto found = find(); !found) return found;
    if (options_.list) {
        print_cells(record_.suite, record_.dropped, jobs_);
        return {};
    }
    if (auto checked = check(options_.equipment); !checked) return checked;
    if (auto prepared = prepare_folder(); !prepared) return prepared;
    if (auto worked = work(); !worked) return worked;
    return report_on(out_);
}

}  // namespace

Result<> run_suite(const RunOptions& options) { return SuiteRun(options).run(); }

Result<> report_on(const std::string& out) {
    auto results = load_results(out);
    if (!results) return std::unexpected(results.error());
    if (auto written = write_outputs(*results, out); !written) return written;
    for (const std::string& line : verdict(*results)) fmt::print("{}\n", line);
    fmt::print("\n{}/report.html\n", out);
    return {};
}

std::optional<double> parse_duration(std::string_view text) {
    double sum = 0;
    std::string_view rest = text;
    if (rest.empty()) return std::nullopt;
    while (!rest.empty()) {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const auto number = parse_unsigned(rest.substr(0, digits));
        if (!number || *number > 1'000'000) return std::nullopt;
        const bool has_unit = digits < rest.size();
        const char unit = has_unit ? rest[digits] : 's';
        if (unit != 's' && unit != 'm' && unit != 'h') return std::nullopt;
        sum += static_cast<double>(*number) * (unit == 'h' ? 3600 : unit == 'm' ? 60 : 1);
        rest.remove_prefix(digits + (has_unit ? 1 : 0));
    }
    return sum;
}

}  // namespace dnsd::lab
