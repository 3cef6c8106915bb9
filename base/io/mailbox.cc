#include "base/io/mailbox.h"

#include <uv.h>

#include <deque>
#include <mutex>

#include "base/assert.h"
#include "base/io/handle.h"

namespace dnsd::io {

struct Mailbox::State {
    struct Bell : Handle<uv_async_t> {
        std::weak_ptr<State> state;  // empty once the mailbox is gone
    };

    const std::size_t letters_max;
    std::mutex mutex;  // guards letters and bell
    std::deque<Letter> letters;
    Bell* bell = nullptr;  // null once the mailbox is gone
    std::function<void()> after_batch;

    explicit State(std::size_t max) : letters_max(max) {}

    // The loop's thread. Letters that arrive meanwhile ring again.
    void deliver() {
        std::deque<Letter> batch;
        {
            const std::lock_guard lock(mutex);
            batch.swap(letters);
        }
        for (Letter& letter : batch) letter();
        if (!batch.empty() && after_batch) after_batch();
    }
};

Mailbox::Mailbox(Loop& loop, std::size_t letters_max)
    : state_(std::make_shared<State>(letters_max)) {
    auto* bell = new State::Bell;
    bell->state = state_;
    const int status = uv_async_init(loop.raw(), bell->handle(), [](uv_async_t* async) {
        if (const auto state = state_of<State::Bell>(async)->state.lock()) state->deliver();
    });
    DNSD_ASSERT(status == 0);
    bell->point_at(bell);
    state_->bell = bell;
}

Mailbox::~Mailbox() {
    State::Bell* bell = nullptr;
    std::deque<Letter> unread;
    {
        const std::lock_guard lock(state_->mutex);
        std::swap(bell, state_->bell);
        unread.swap(state_->letters);
    }
    close(bell);
}

bool Mailbox::post(Letter letter) {
    const std::lock_guard lock(state_->mutex);
    if (state_->bell == nullptr || state_->letters.size() >= state_->letters_max) return false;
    state_->letters.push_back(std::move(letter));
    if (state_->letters.size() == 1) uv_async_send(state_->bell->handle());
    return true;
}

void Mailbox::after_batch(std::function<void()> action) { state_->after_batch = std::move(action); }

}  // namespace dnsd::io
