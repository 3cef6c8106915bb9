// One question to a program on this machine, over its unix socket: what control sockets want.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/io/loop.h"
#include "base/result.h"

namespace dnsd::io {

// Connects, sends the question, and gathers what comes until the other side closes. Belongs to its
// loop's thread. Destroying it ends it without a word, also from inside `done`.
class LocalExchange {
  public:
    using Done = std::function<void(Result<std::string> reply)>;
    static constexpr std::size_t reply_octets_max = 64 * 1024 * 1024;

    // `done` is called once, from the loop, never from here; the timeout is of all of it.
    LocalExchange(Loop& loop, const std::string& path, std::string question, Milliseconds timeout,
                  Done done);
    ~LocalExchange();
    LocalExchange(const LocalExchange&) = delete;
    LocalExchange& operator=(const LocalExchange&) = delete;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::io
