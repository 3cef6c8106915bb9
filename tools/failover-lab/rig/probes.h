// Who probed which instance when, as the instances themselves tell it.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace dnsd::lab {

// Reads what instances print, on a thread of its own; the rest may be called by any thread.
class ProbeLog {
  public:
    ProbeLog();
    ~ProbeLog();
    ProbeLog(const ProbeLog&) = delete;
    ProbeLog& operator=(const ProbeLog&) = delete;

    // The output of the instance's process; replaces an earlier one. The descriptor stays whose it
    // is, and is let go of when it ends.
    void watch(int instance, int descriptor);
    bool is_ready(int instance) const;  // it has said that it listens
    // Times of the probes of "dnsd", or "proxy", in order.
    std::vector<SteadyTime> probes(int instance, const std::string& by) const;

  private:
    struct Output {
        int descriptor = -1;
        std::string pending;
        bool ready = false;
        std::map<std::string, std::vector<SteadyTime>> probes;
    };
    void run();
    void take(Output& output, std::string_view line);

    mutable std::mutex mutex_;  // of all that the thread finds
    std::map<int, Output> outputs_;
    std::atomic<bool> ends_ = false;
    std::thread thread_;
};

}  // namespace dnsd::lab
