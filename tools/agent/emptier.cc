#include "tools/agent/emptier.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/log.h"
#include "base/text.h"

namespace dnsd::agent {

namespace {

constexpr Milliseconds back_off_least(250), back_off_most(8000);

Result<> send_signal(const Kill& kill) {
    std::ifstream file(kill.pid_file);
    std::string word;
    if (!(file >> word)) return fail(fmt::format("{}: there is no process id", kill.pid_file));
    const auto pid = parse_unsigned(word);
    // 0 and 1 would be a group of processes, and init.
    if (!pid || *pid < 2 || *pid > INT32_MAX)
        return fail(fmt::format("{}: that is no process id", kill.pid_file));
    if (::kill(static_cast<pid_t>(*pid), kill.signal) != 0)
        return fail(fmt::format("process {}: {}", *pid, std::strerror(errno)));
    return {};
}

}  // namespace

Emptier::Emptier(io::Loop& loop, Cache cache, Milliseconds timeout, std::function<void()> on_idle)
    : loop_(loop),
      cache_(std::move(cache)),
      timeout_(timeout),
      on_idle_(std::move(on_idle)),
      back_off_(back_off_least),
      again_(loop, [this] {
          if (!busy_ && !waiting_.empty()) begin();
      }) {}

void Emptier::forget(const Stale& stale) {
    waiting_.add(stale);
    if (!busy_) begin();
}

void Emptier::begin() {
    busy_ = true;
    again_.stop();
    doing_ = std::move(waiting_);
    waiting_ = {};
    steps_ = cache_.steps(doing_);
    step_ = 0;
    next_step();
}

void Emptier::next_step() {
    // Signals take no time: one after the other without a turn of the loop.
    while (step_ < steps_.size()) {
        const Step& step = steps_[step_++];
        if (const auto* kill = std::get_if<Kill>(&step)) {
            if (const auto sent = send_signal(*kill); !sent) return fail_with(sent.error().message);
        } else if (const auto* ask = std::get_if<Ask>(&step)) {
            return perform(*ask);
        } else {
            return perform(std::get<Run>(step));
        }
    }
    succeed();
}

void Emptier::perform(const Ask& ask) {
    under_way_ = std::make_unique<io::LocalExchange>(
        loop_, ask.socket, ask.question, timeout_, [this](const Result<std::string>& reply) {
            if (!reply) return ended(std::unexpected(reply.error()));
            // "ok", and with flush_zone also what was removed.
            if (!reply->starts_with("ok"))
                return ended(fail(fmt::format("it answered '{}'", trimmed(*reply))));
            ended({});
        });
}

void Emptier::perform(const Run& run) {
    under_way_ = std::make_unique<io::Process>(loop_, run.command, timeout_,
                                               [this](const Result<>& outcome) { ended(outcome); });
}

void Emptier::ended(const Result<>& outcome) {
    under_way_ = std::monostate();
    if (!outcome) return fail_with(outcome.error().message);
    next_step();
}

void Emptier::succeed() {
    ++counts_.flushes;
    log::debug("cache emptied cache={} zones={} steps={}", cache_.word(), doing_.zones.size(),
               steps_.size());
    if (!well_) log::info("cache is emptied again cache={}", cache_.word());
    well_ = true;
    back_off_ = back_off_least;
    if (!waiting_.empty()) return begin();
    finish();
}

void Emptier::fail_with(const std::string& reason) {
    ++counts_.failures;
    if (well_)
        log::warn("cache is not emptied cache={} where={} reason={}", cache_.word(),
                  log::quoted(cache_.where), log::quoted(reason));
    well_ = false;
    waiting_.add(doing_);
    again_.start(back_off_);
    back_off_ = std::min(2 * back_off_, back_off_most);
    finish();
}

void Emptier::finish() {
    busy_ = false;
    doing_ = {};
    on_idle_();
}

}  // namespace dnsd::agent
