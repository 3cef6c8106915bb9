// A program that is run for what it does, and for whether it succeeded.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/io/loop.h"
#include "base/result.h"

namespace dnsd::io {

// Runs a command, found in PATH, with nothing to read and nobody to read what it prints. Belongs to
// its loop's thread. Destroying it kills the program.
class Process {
  public:
    using Done = std::function<void(Result<>)>;

    // `done` is called once, from the loop, never from here; one that outlives the timeout is
    // killed. REQUIRES: a command that is not empty.
    Process(Loop& loop, const std::vector<std::string>& command, Milliseconds timeout, Done done);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
    Timer timer_;
};

}  // namespace dnsd::io
