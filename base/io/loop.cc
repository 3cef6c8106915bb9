#include "base/io/loop.h"

#include <uv.h>

#include "base/assert.h"
#include "base/io/handle.h"

namespace dnsd::io {

Loop::Loop() : loop_(std::make_unique<uv_loop_t>()) {
    const int status = uv_loop_init(loop_.get());
    DNSD_ASSERT(status == 0);
}

Loop::~Loop() {
    uv_run(loop_.get(), UV_RUN_NOWAIT);  // the close callbacks that still wait
    // What runs in the thread pool is waited for: it comes back here.
    while (loop_->active_reqs.count > 0) uv_run(loop_.get(), UV_RUN_ONCE);
    const int status = uv_loop_close(loop_.get());
    DNSD_ASSERT(status == 0);
}

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }

void Loop::stop() noexcept { uv_stop(loop_.get()); }

SteadyTime Loop::now() const { return SteadyTime(Milliseconds(uv_now(loop_.get()))); }

struct Timer::State : Handle<uv_timer_t> {
    std::function<void()> on_time;
};

Timer::Timer(Loop& loop, std::function<void()> on_time) : state_(new State) {
    state_->on_time = std::move(on_time);
    const int status = uv_timer_init(loop.raw(), state_->handle());
    DNSD_ASSERT(status == 0);
    state_->point_at(state_);
}

Timer::~Timer() { close(state_); }

void Timer::start(Milliseconds after) {
    uv_update_time(state_->handle()->loop);  // else the time counts from when this turn began
    uv_timer_start(
        state_->handle(), [](uv_timer_t* timer) { call(state_of<State>(timer)->on_time); },
        after.count() < 0 ? 0 : static_cast<std::uint64_t>(after.count()), 0);
}

void Timer::repeat(Milliseconds interval) {
    DNSD_ASSERT(interval.count() > 0);
    const auto every = static_cast<std::uint64_t>(interval.count());
    uv_update_time(state_->handle()->loop);
    uv_timer_start(
        state_->handle(), [](uv_timer_t* timer) { call(state_of<State>(timer)->on_time); }, every,
        every);
}

void Timer::stop() noexcept { uv_timer_stop(state_->handle()); }

struct Poll::State : Handle<uv_poll_t> {
    std::function<void(unsigned)> on_ready;
    unsigned watched = 0;
};

Poll::Poll(Loop& loop, int descriptor, std::function<void(unsigned)> on_ready) : state_(new State) {
    state_->on_ready = std::move(on_ready);
    const int status = uv_poll_init(loop.raw(), state_->handle(), descriptor);
    DNSD_ASSERT(status == 0);
    state_->point_at(state_);
}

Poll::~Poll() { close(state_); }

void Poll::watch(unsigned events) {
    if (events == state_->watched) return;  // libuv would tell the kernel all over again
    state_->watched = events;
    if (events == 0) {
        uv_poll_stop(state_->handle());
        return;
    }
    const int wanted =
        ((events & Readable) != 0 ? UV_READABLE : 0) | ((events & Writable) != 0 ? UV_WRITABLE : 0);
    const int status =
        uv_poll_start(state_->handle(), wanted, [](uv_poll_t* poll, int error, int ready) {
            unsigned there = ((ready & UV_READABLE) != 0 ? unsigned{Readable} : 0U) |
                             ((ready & UV_WRITABLE) != 0 ? unsigned{Writable} : 0U);
            auto* state = state_of<State>(poll);
            if (error != 0) {  // libuv has stopped
                there = Readable | Writable;
                state->watched = 0;
            }
            call(state->on_ready, there);
        });
    DNSD_ASSERT(status == 0);
}

struct Signal::State : Handle<uv_signal_t> {
    std::function<void()> on_signal;
};

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal) : state_(new State) {
    state_->on_signal = std::move(on_signal);
    int status = uv_signal_init(loop.raw(), state_->handle());
    DNSD_ASSERT(status == 0);
    state_->point_at(state_);
    status = uv_signal_start(
        state_->handle(),
        [](uv_signal_t* signal, int) { call(state_of<State>(signal)->on_signal); }, number);
    DNSD_ASSERT(status == 0);
}

Signal::~Signal() { close(state_); }

}  // namespace dnsd::io
