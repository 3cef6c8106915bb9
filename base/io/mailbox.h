// How threads talk: work posted by any thread, run by the loop's thread, in order.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/io/loop.h"

namespace dnsd::io {

// A bounded queue and a uv_async_t. Made and destroyed on the loop's thread (or before it runs);
// post() from any thread while it lives. Letters still unread when it is destroyed are dropped.
class Mailbox {
  public:
    using Letter = std::move_only_function<void()>;

    Mailbox(Loop& loop, std::size_t letters_max);
    ~Mailbox();
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // False if the queue is full: the letter was not taken, and the sender says so to whoever
    // asked.
    [[nodiscard]] bool post(Letter letter);

    // Called on the loop's thread after each batch of letters: a place to commit what they asked
    // for.
    void after_batch(std::function<void()> action);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace dnsd::io
