// A file that holds a service's members, and a command that makes a program read it again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/io/loop.h"
#include "base/io/process.h"
#include "tools/agent/config.h"
#include "tools/agent/service.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class Output {
  public:
    Output(io::Loop& loop, OutputRule rule, Milliseconds command_timeout);

    // Writes the file if its text is another one, and then runs the command: one at a time, and
    // once more if there was a change meanwhile.
    void set_members(const Members& members);

    const OutputRule& rule() const noexcept { return rule_; }
    struct Counts {
        std::uint64_t writes = 0, commands = 0, failures = 0;
    };
    const Counts& counts() const noexcept { return counts_; }

  private:
    Result<std::string> render(const Members& members) const;
    void update();
    void run_command();
    void say(const Result<>& outcome);

    io::Loop& loop_;
    const OutputRule rule_;
    const Milliseconds command_timeout_;
    Members members_;
    std::unique_ptr<io::Process> process_;
    bool command_due_ = false;
    std::string last_failure_;
    Counts counts_;
    io::Timer again_;  // what failed is tried again
};

}  // namespace dnsd::agent
