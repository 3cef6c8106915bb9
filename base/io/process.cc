#include "base/io/process.h"

#include <fmt/format.h>
#include <uv.h>

#include <csignal>

#include "base/assert.h"
#include "base/io/handle.h"

namespace dnsd::io {

struct Process::State : Handle<uv_process_t> {
    bool runs = false;
    std::string failure;  // known before it ended
    Done done;
};

Process::Process(Loop& loop, const std::vector<std::string>& command, Milliseconds timeout,
                 Done done)
    : state_(new State), timer_(loop, [this] {
          if (state_->runs) {
              state_->failure = "no end in time";
              uv_process_kill(state_->handle(), SIGKILL);
          } else {  // it never began
              call(state_->done, fail(state_->failure));
          }
      }) {
    DNSD_ASSERT(!command.empty());
    state_->done = std::move(done);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    uv_process_options_t options{};
    options.file = arguments.front();
    options.args = arguments.data();
    options.exit_cb = [](uv_process_t* process, std::int64_t status, int signal) {
        auto* state = state_of<State>(process);
        state->runs = false;
        if (!state->failure.empty()) {
            call(state->done, fail(state->failure));
        } else if (signal != 0) {
            call(state->done, fail(fmt::format("it was ended by signal {}", signal)));
        } else if (status != 0) {
            call(state->done, fail(fmt::format("it ended with {}", status)));
        } else {
            call(state->done, Result<>());
        }
    };
    state_->point_at(state_);
    const int status = uv_spawn(loop.raw(), state_->handle(), &options);
    state_->point_at(state_);
    state_->runs = status == 0;
    if (status != 0) {
        state_->failure = fmt::format("{}: {}", command.front(), uv_strerror(status));
        timeout = Milliseconds(0);
    }
    timer_.start(timeout);
}

Process::~Process() {
    if (state_->runs) uv_process_kill(state_->handle(), SIGKILL);
    close(state_);
}

}  // namespace dnsd::io
