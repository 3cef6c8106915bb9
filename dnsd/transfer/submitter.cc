#include "dnsd/transfer/submitter.h"

#include <mutex>
#include <utility>

#include "base/assert.h"

namespace dnsd::transfer {

// What a change that was submitted finds when it is answered. The mutex keeps the mailbox there
// while the registry's thread posts to it.
struct Submitter::Shared {
    std::mutex mutex;
    io::Mailbox* mailbox;  // null once the submitter is gone
};

Submitter::Submitter(io::Loop& loop, registry::Registry& registry, std::size_t waiting_max)
    : registry_(registry),
      waiting_max_(waiting_max),
      mailbox_(loop, waiting_max),
      shared_(std::make_shared<Shared>()) {
    shared_->mailbox = &mailbox_;
}

Submitter::~Submitter() {
    const std::lock_guard lock(shared_->mutex);
    shared_->mailbox = nullptr;
}

bool Submitter::submit(registry::Change change, Done done) {
    if (waiting_ == waiting_max_) return false;
    ++waiting_;
    registry_.submit(std::move(change), [this, shared = shared_, done = std::move(done)](
                                            registry::Outcome outcome) mutable {
        const std::lock_guard lock(shared->mutex);
        if (shared->mailbox == nullptr) return;
        const bool taken = shared->mailbox->post(
            [this, done = std::move(done), outcome = std::move(outcome)]() mutable {
                --waiting_;
                done(outcome);
            });
        DNSD_ASSERT(taken);  // there is a place for each that waits
    });
    return true;
}

}  // namespace dnsd::transfer
