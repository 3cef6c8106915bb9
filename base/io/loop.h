// One event loop per thread, over libuv. Objects made for a loop belong to its thread.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/result.h"

struct uv_loop_s;

namespace dnsd::io {

// Owns a uv_loop_t. Made by any thread, then used by the one that calls run(), until run()
// returned. Everything made for it must be destroyed before it is.
class Loop {
  public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();              // until stop()
    void stop() noexcept;    // from the loop's own thread
    SteadyTime now() const;  // when this turn of the loop began

    uv_loop_s* raw() noexcept { return loop_.get(); }

  private:
    std::unique_ptr<uv_loop_s> loop_;
};

// Calls back once or repeatedly. Destroying it cancels it, also from inside its own callback.
class Timer {
  public:
    Timer(Loop& loop, std::function<void()> on_time);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void start(Milliseconds after);      // once; replaces what was started before
    void repeat(Milliseconds interval);  // first after one interval
    void stop() noexcept;

  private:
    struct State;
    State* state_;  // freed by libuv's close callback
};

// Watches a descriptor that someone else owns, for libraries that bring their own sockets.
class Poll {
  public:
    enum Events : unsigned { Readable = 1, Writable = 2 };
    // on_ready gets the events that are there; an error on the descriptor shows as both.
    Poll(Loop& loop, int descriptor, std::function<void(unsigned events)> on_ready);
    ~Poll();
    Poll(const Poll&) = delete;
    Poll& operator=(const Poll&) = delete;

    void watch(unsigned events);  // 0: nothing

  private:
    struct State;
    State* state_;
};

// A signal, delivered on the loop.
class Signal {
  public:
    Signal(Loop& loop, int number, std::function<void()> on_signal);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

  private:
    struct State;
    State* state_;
};

}  // namespace dnsd::io
