// The agent: follows dnsd, and tells caches, HAProxy and files what has changed. One loop, one
// thread.
#pragma once

#include <memory>

#include "base/options.h"
#include "base/result.h"

namespace dnsd::agent {

class Agent {
  public:
    // REQUIRES: check(options) passed.
    static std::unique_ptr<Agent> make(const Options& options);
    virtual ~Agent() = default;

    // Until SIGTERM or SIGINT. SIGUSR1 logs the counts.
    virtual void run() = 0;
};

}  // namespace dnsd::agent
