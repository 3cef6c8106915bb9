// The way from other threads to the API's: a mailbox that may be gone already when they write.
#pragma once

#include <mutex>

#include "base/assert.h"
#include "base/io/mailbox.h"

namespace dnsd::api {

// Shared by the API's thread, which opens and closes it, and whoever answers it later.
class Courier {
  public:
    // Any thread. After close() letters are dropped unread.
    void post(io::Mailbox::Letter letter) {
        const std::lock_guard lock(mutex_);  // so that close() waits for who writes
        const bool taken = !mailbox_ || mailbox_->post(std::move(letter));
        DNSD_ASSERT(taken);  // the bound is one that only a defect can reach
    }
    void open(io::Mailbox& mailbox) {
        const std::lock_guard lock(mutex_);
        mailbox_ = &mailbox;
    }
    void close() {
        const std::lock_guard lock(mutex_);
        mailbox_ = nullptr;
    }

  private:
    mutable std::mutex mutex_;  // guards mailbox_
    io::Mailbox* mailbox_ = nullptr;
};

}  // namespace dnsd::api
