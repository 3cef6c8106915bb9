// One probe on its way: a connection, perhaps a request, and what came of it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/http/client.h"
#include "base/io/loop.h"
#include "healthcheck/checker.h"

namespace dnsd::health {

struct Outcome {
    bool success = false;
    std::string words;  // "connected", "connection refused", "status 503", "timeout"
};

// Belongs to its loop's thread. Destroying it gives up; its socket leaves no TIME_WAIT behind.
class Attempt {
  public:
    using Done = std::function<void(Outcome)>;

    // `done` is called once, from the loop and never from within start(). It may destroy the
    // attempt. Timeouts are the caller's to keep. REQUIRES: a target that is probed.
    static std::unique_ptr<Attempt> start(io::Loop& loop, http::Client& client,
                                          const Target& target, Done done);
    virtual ~Attempt() = default;

    virtual bool is_connected() const noexcept = 0;
};

}  // namespace dnsd::health
