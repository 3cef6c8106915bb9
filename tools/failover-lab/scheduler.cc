#include "tools/failover-lab/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/model/measured.h"
#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/progress.h"
#include "tools/failover-lab/report/cells.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

volatile std::sig_atomic_t stop_asked = 0;
extern "C" void ask_to_stop(int) { stop_asked = 1; }

// SIGINT and SIGTERM only leave word, as long as it lives.
class StopSignals {
  public:
    StopSignals() {
        stop_asked = 0;
        struct sigaction action{};
        action.sa_handler = ask_to_stop;
        ::sigaction(SIGINT, &action, &interrupt_);
        ::sigaction(SIGTERM, &action, &terminate_);
        ::sigaction(SIGHUP, &action, &hang_up_);
    }
    ~StopSignals() {
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGTERM, &terminate_, nullptr);
        ::sigaction(SIGHUP, &hang_up_, nullptr);
    }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

  private:
    struct sigaction interrupt_{}, terminate_{}, hang_up_{};
};

double seconds_since(Clock::time_point time) {
    return std::chrono::duration<double>(Clock::now() - time).count();
}

// A machine that is busy is slow; a job that is lost takes for ever.
double limit_of(const Job& job) { return 2 * job.seconds + 30; }

// What a run takes on disk, at the most: its log of requests, dnsd's store and what parts say.
constexpr std::uintmax_t octets_wanted = 64 << 20;

// Why what a run left does not count; empty: it does.
std::string why_not_counted(const std::string& folder) {
    const auto text = read_file(folder + "/run.json");
    if (!text) return text.error().message;
    auto record = run_record_from_json(Json::parse(*text, nullptr, false));
    if (!record) return record.error().message;
    RunResult run;
    run.record = *std::move(record);
    if (!run.record.problem.empty()) return run.record.problem;
    const auto log = read_file(folder + "/requests.bin");
    const auto requests = log ? decode_log(*log) : std::unexpected(log.error());
    if (!requests) return requests.error().message;
    run.score = score(run.record, *requests);
    return why_invalid(run);
}

// Why what stands there did not come about; empty: it did.
std::string problem_of(const Job& job, const std::string& folder) {
    const auto text = read_file(folder + "/" + job.leaves);
    if (!text) return text.error().message;
    const Json json = Json::parse(*text, nullptr, false);
    if (!json.is_object()) return job.leaves + " is no JSON object";
    const auto problem = json.find("problem");
    return problem != json.end() && problem->is_string() ? problem->get<std::string>() : "";
}

// dnsd's store is most of what a run leaves, and nobody reads it again.
void remove_stores(const std::string& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.find(".db") != std::string::npos) fs::remove(entry.path(), ignored);
    }
}

// What a job leaves that could not leave anything by itself.
Json record_of_failure(const Job& job, const std::string& problem) {
    if (job.order.kind == Order::Kind::EffectiveTtl) {
        EffectiveTtlRecord record;
        record.cache = record.title = job.order.cache;
        record.problem = problem;
        return to_json(record);
    }
    if (job.order.kind == Order::Kind::Cost) {
        CostRecord record;
        record.way = record.title = job.order.setting.way;
        record.problem = problem;
        return to_json(record);
    }
    RunRecord record;
    record.cell = job.order.cell;
    record.number = job.order.number;
    record.setting = job.order.setting;
    record.phase = job.order.phase;
    record.seed = job.order.seed;
    record.problem = problem;
    return to_json(record);
}

class Scheduler {
  public:
    explicit Scheduler(const ScheduleOptions& options)
        : options_(options), work_(options.out + "/work") {}

    Result<ScheduleOutcome> carry_out(const Plan& plan);

  private:
    struct Running {
        Job job;
        std::string folder;
        Worker worker;
        Clock::time_point since;
    };

    void queue(const Job& job, std::deque<Job>& jobs);
    Result<> work_through(std::deque<Job> jobs, int at_once, const std::deque<Job>& afterwards);
    Result<> launch(Job job);
    Result<> reap(std::deque<Job>& jobs);
    Result<> finish(Running& running, const std::string& problem, std::deque<Job>& jobs);
    Result<> leave_something(const Running& running, const std::string& problem) const;
    Result<> check_room() const;
    void stop();
    void show(const std::deque<Job>& jobs, int at_once, const std::deque<Job>& afterwards);

    std::string place_of(const Job& job) const { return options_.out + "/" + job.place; }
    bool has_room_for_second(const Job& job) const {
        return job.order.kind == Order::Kind::Run && !job.place.ends_with(".again");
    }

    const ScheduleOptions& options_;
    const std::string work_;
    std::vector<Running> running_;  // the oldest first
    int launched_ = 0;
    Clock::time_point last_launch_{};
    double expected_ = 0, taken_ = 0;  // seconds, of those that ended
    ScheduleOutcome outcome_;
    Progress progress_;
};

// An earlier run of the suite may have left it, or its first try only.
void Scheduler::queue(const Job& job, std::deque<Job>& jobs) {
    const std::string place = place_of(job);
    const std::string second = place_of(again(job));
    ++outcome_.all;
    std::error_code ignored;
    const bool tried_twice = fs::exists(second, ignored);
    if (!fs::exists(place, ignored) || !problem_of(job, tried_twice ? second : place).empty()) {
        fs::remove_all(place, ignored);
        fs::remove_all(second, ignored);
        jobs.push_back(job);
    } else if (has_room_for_second(job) && !tried_twice && !why_not_counted(place).empty()) {
        jobs.push_back(again(job));
    } else {
        ++outcome_.kept;
    }
}

Result<ScheduleOutcome> Scheduler::carry_out(const Plan& plan) {
    const StopSignals signals;
    adopt_orphans();
    std::error_code problem;
    fs::remove_all(work_, problem);
    fs::create_directories(work_, problem);
    if (problem) return fail(fmt::format("{} cannot be made: {}", work_, problem.message()));

    std::deque<Job> together, alone;
    for (const Job& job : plan.together) queue(job, together);
    for (const Job& job : plan.alone) queue(job, alone);
    auto worked = work_through(std::move(together), options_.jobs, alone);
    if (worked && stop_asked == 0) worked = work_through(std::move(alone), 1, {});
    outcome_.interrupted = stop_asked != 0;
    stop();
    fs::remove_all(work_, problem);
    if (!worked) return std::unexpected(worked.error());
    return outcome_;
}

Result<> Scheduler::work_through(std::deque<Job> jobs, int at_once,
                                 const std::deque<Job>& afterwards) {
    while (stop_asked == 0 && (!jobs.empty() || !running_.empty())) {
        // Starting costs the most: not all at the same moment.
        const bool may_start = running_.size() < static_cast<std::size_t>(at_once) &&
                               Clock::now() - last_launch_ > (at_once > 1 ? 200ms : 0ms);
        if (!jobs.empty() && may_start) {
            Job job = std::move(jobs.front());
            jobs.pop_front();
            if (auto launched = launch(std::move(job)); !launched) return launched;
        }
        if (auto reaped = reap(jobs); !reaped) return reaped;
        show(jobs, at_once, afterwards);
        std::this_thread::sleep_for(20ms);
    }
    return {};
}

Result<> Scheduler::check_room() const {
    std::error_code problem;
    const auto space = fs::space(options_.out, problem);
    if (problem) return fail(fmt::format("{}: {}", options_.out, problem.message()));
    if (space.available >= octets_wanted) return {};
    return fail(
        fmt::format("{} has {} MB left on its disk, and {} MB are wanted; what is done is kept, "
                    "and failover-lab run --out {} goes on once there is room",
                    options_.out, space.available >> 20, octets_wanted >> 20, options_.out));
}

Result<> Scheduler::launch(Job job) {
    if (auto room = check_room(); !room) return room;
    last_launch_ = Clock::now();
    const std::string folder = fmt::format("{}/{}", work_, launched_++);
    std::error_code problem;
    fs::create_directory(folder, problem);
    if (problem) return fail(fmt::format("{} cannot be made: {}", folder, problem.message()));
    job.order.folder = folder;
    const std::string order = folder + "/order.json";
    if (auto written = replace_file(order, to_json(job.order).dump(1)); !written) return written;
    std::vector<std::string> command = options_.isolation.command;
    command.insert(command.end(), {job.order.equipment.self, "inside", "--order", order});
    auto worker = Worker::launch(command, folder + "/inside.log");
    if (!worker) return std::unexpected(worker.error());
    running_.push_back({std::move(job), folder, std::move(*worker), Clock::now()});
    return {};
}

Result<> Scheduler::reap(std::deque<Job>& jobs) {
    for (std::size_t i = 0; i < running_.size();) {
        Running& running = running_[i];
        const auto status = running.worker.ended();
        std::string problem;
        if (!status) {
            const double limit = limit_of(running.job);
            if (seconds_since(running.since) < limit) {
                ++i;
                continue;
            }
            running.worker.kill();
            problem = fmt::format("it was ended after {:.0f} s, which is too long", limit);
        } else if (*status != 0) {
            problem = fmt::format("its process ended with {}", *status);
        }
        Running ended = std::move(running);
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        if (auto finished = finish(ended, problem, jobs); !finished) return finished;
    }
    return {};
}

Result<> Scheduler::finish(Running& running, const std::string& problem, std::deque<Job>& jobs) {
    const Job& job = running.job;
    if (auto left = leave_something(running, problem); !left) return left;
    remove_stores(running.folder);
    const std::string place = place_of(job);
    std::error_code failed;
    fs::create_directories(fs::path(place).parent_path(), failed);
    if (!failed) fs::rename(running.folder, place, failed);
    if (failed) {
        return fail(
            fmt::format("{} cannot be moved to {}: {}", running.folder, place, failed.message()));
    }
    taken_ += seconds_since(running.since);
    expected_ += job.seconds;
    ++outcome_.done;

    const bool is_run = job.order.kind == Order::Kind::Run;
    const std::string wrong = is_run ? why_not_counted(place) : problem_of(job, place);
    if (wrong.empty()) return {};
    const bool repeated = has_room_for_second(job);
    progress_.say(
        fmt::format("{}: {}{}", job.title, trimmed(wrong), repeated ? "; it is repeated" : ""));
    if (repeated) {
        jobs.push_front(again(job));
        ++outcome_.all;
    }
    return {};
}

// What it could not write itself, because it was ended or never began.
Result<> Scheduler::leave_something(const Running& running, const std::string& problem) const {
    const std::string made = running.folder + "/" + running.job.leaves;
    std::error_code ignored;
    if (fs::exists(made, ignored)) return {};
    std::string words = problem.empty() ? "it left nothing" : problem;
    const auto log = read_file(running.folder + "/inside.log");
    if (log && !log->empty()) {
        words += ": " + log->substr(log->size() - std::min<std::size_t>(log->size(), 400));
    }
    const Json record = record_of_failure(running.job, std::string(trimmed(words)));
    return replace_file(made, record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Scheduler::stop() {
    for (Running& running : running_) running.worker.kill();
    running_.clear();
    wait_for_orphans();
}

// By how long those took that ended, against what was expected of them.
void Scheduler::show(const std::deque<Job>& jobs, int at_once, const std::deque<Job>& afterwards) {
    double left = 0, alone = 0, longest = 0;
    for (const Job& job : jobs) {
        left += job.seconds;
        longest = std::max(longest, job.seconds);
    }
    for (const Job& job : afterwards) alone += job.seconds;
    std::vector<std::string> titles;
    for (const Running& running : running_) {
        const double rest = std::max(0.0, running.job.seconds - seconds_since(running.since));
        left += rest;
        longest = std::max(longest, rest);
        titles.push_back(running.job.title);
    }
    const double factor = expected_ > 0 ? std::clamp(taken_ / expected_, 0.5, 2.0) : 1;
    progress_.show(outcome_.kept + outcome_.done, outcome_.all,
                   factor * std::max(left / at_once, longest) + alone, titles);
}

}  // namespace

Result<ScheduleOutcome> carry_out(const Plan& plan, const ScheduleOptions& options) {
    return Scheduler(options).carry_out(plan);
}

}  // namespace dnsd::lab
