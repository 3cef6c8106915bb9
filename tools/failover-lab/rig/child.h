// A program of a run, and what can be done to it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace dnsd::lab {

struct ChildOptions {
    std::vector<std::string> environment;  // "NAME=value", beside PATH, LANG and HOME
    bool pipes = false;                    // we write to its input and read its output
    std::string directory;                 // empty: the run's folder
};

// Runs in a session of its own. Destroying it kills it and what it started.
class Child {
  public:
    // `log` takes what it says; with pipes, only its complaints.
    static Result<std::unique_ptr<Child>> start(std::string name, std::string part,
                                                std::vector<std::string> command,
                                                const std::string& log, ChildOptions options);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    const std::string& name() const noexcept { return name_; }
    const std::string& part() const noexcept { return part_; }
    pid_t id() const noexcept { return id_; }
    bool is_running() noexcept;        // reaps it if it has ended
    void signal(int number) noexcept;  // to it and to what it started
    void kill() noexcept;              // SIGKILL, and waits
    // Its exit status, 128 and the signal's number if that ended it; nothing: it runs after that
    // time.
    std::optional<int> wait(std::chrono::steady_clock::time_point deadline);
    Result<> start_again();  // REQUIRES: it has ended

    int input() const noexcept { return input_; }  // with pipes; else -1
    int output() const noexcept { return output_; }
    Result<> tell(const std::string& line);  // a line into its input

    double cpu_seconds() const;      // of it and all that it started, that live
    double memory_octets() const;    // proportional set size of the same
    std::string last_lines() const;  // of its log

  private:
    Child() = default;
    Result<> launch();

    std::string name_, part_, log_;
    std::vector<std::string> command_;
    ChildOptions options_;
    pid_t id_ = -1;
    int input_ = -1, output_ = -1;
};

}  // namespace dnsd::lab
