// The daemon: builds the rooms, introduces them to each other, and stops them in reverse order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/options.h"
#include "base/result.h"

namespace dnsd {

// How dnsd was called.
struct Invocation {
    std::string config_file;               // empty: the defaults
    std::vector<std::string> assignments;  // --set, after the file
    std::string ready_file;                // empty: none
};

// The options as called for, checked as a whole.
Result<Options> read_options(const Invocation& invocation);

// Belongs to the main thread.
class Daemon {
  public:
    // Answers and listens when this returns. `options` came from `invocation`, which SIGHUP reads
    // again.
    static Result<std::unique_ptr<Daemon>> start(const Invocation& invocation,
                                                 const Options& options);
    virtual ~Daemon() = default;  // finishes what was acknowledged, then closes

    // Tells that it is ready, and waits for SIGTERM or SIGINT.
    virtual Result<> run() = 0;
};

}  // namespace dnsd
