// Keeps HAProxy's servers those of the services behind its backends: at once when they change, and
// by looking again and again, which mends what a restart, a reload or a person has undone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/io/local.h"
#include "base/io/loop.h"
#include "tools/agent/config.h"
#include "tools/agent/haproxy_plan.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class HaProxy {
  public:
    struct Options {
        std::string socket, file;
        std::vector<Binding> bindings;
        std::vector<std::string> backend_lines;
        std::string server_options;
        Milliseconds interval, timeout, shutdown_after;
    };
    // A used instance that HAProxy sees down, each time that it is seen.
    using OnDown = std::function<void(const ServiceKey& service, const std::string& id)>;

    HaProxy(io::Loop& loop, Options options, OnDown on_down);

    void set_members(const ServiceKey& service, const Members& members);

    struct Counts {
        std::uint64_t looks = 0, commands = 0, failures = 0;
    };
    const Counts& counts() const noexcept { return counts_; }
    bool is_well() const noexcept { return well_; }

  private:
    void write_file();
    void look();
    void plan(const std::string& state);
    // Servers of instances that died so long ago that what waits for them is cut off.
    std::set<std::string> overdue(const Binding& binding, const std::vector<HaServer>& present,
                                  const Members& members);
    void report_down(const Binding& binding, const std::vector<HaServer>& present,
                     const Members& members);
    void next_command();
    void rest(bool soon);
    void fail_with(const std::string& reason);
    void ask(const std::string& question, std::function<void(const std::string&)> on_reply);

    // Connections of a server that is to go, and commands that met another process, are over soon.
    static constexpr Milliseconds soon_again{250};

    io::Loop& loop_;
    const Options options_;
    const OnDown on_down_;
    std::map<ServiceKey, Members> members_;  // of the services that are known
    std::map<std::pair<std::string, std::string>, SteadyTime> dead_since_;  // by backend and server
    std::string written_, last_file_failure_, last_complaint_;

    bool busy_ = false, changed_ = false, well_ = true;
    std::vector<HaCommand> commands_;
    std::size_t at_ = 0;
    bool unfinished_ = false;  // a command of this round was not done
    std::unique_ptr<io::LocalExchange> exchange_;
    Counts counts_;
    io::Timer next_look_;
};

}  // namespace dnsd::agent
