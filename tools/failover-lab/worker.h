// A process in namespaces of its own: how one is made on this machine, and how it is ended.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace dnsd::lab {

// What stands before a command that is to run in namespaces of its own (network, mount, PID).
struct Isolation {
    std::vector<std::string> command;  // empty: they cannot be made here
    std::string problem;               // and why
};
// Tries it: as root, and otherwise as the root of a user namespace.
Isolation find_isolation();

// A program that we wait for. It has a session of its own, is killed with us, whatever ends us, and
// takes with it all that it started: the first process of a PID namespace ends the rest.
class Worker {
  public:
    // What it says goes to the end of `log`.
    static Result<Worker> launch(const std::vector<std::string>& command, const std::string& log);

    pid_t id() const noexcept { return id_; }
    // Its exit status once it has ended, and then again and again; 128 and the number of a signal.
    std::optional<int> ended() noexcept;
    void kill() noexcept;

  private:
    explicit Worker(pid_t id) : id_(id) {}

    pid_t id_;
    std::optional<int> status_;
};

// Orphans of those that were killed come to us, so that we can tell when they are gone.
void adopt_orphans() noexcept;
void wait_for_orphans() noexcept;  // REQUIRES: every worker has been killed or has ended

// Runs a program to its end and returns what it prints; other ends than 0 are errors that quote it.
Result<std::string> output_of(const std::vector<std::string>& command);

}  // namespace dnsd::lab
