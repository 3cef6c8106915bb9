// libuv closes later: a handle's memory must outlive the close callback, whoever let go of it.
#pragma once

#include <uv.h>

#include <utility>

namespace dnsd::io {

// A libuv handle and what belongs to it, on the heap; freed by its close callback.
template <class T>
struct Handle {
    T raw;

    T* handle() noexcept { return &raw; }
    template <class State>
    void point_at(State* state) noexcept {
        raw.data = state;
    }
};

// The State that a handle points at, seen from libuv's callback.
template <class State, class T>
State* state_of(T* raw) noexcept {
    return static_cast<State*>(raw->data);
}

template <class State>
void close(State* state) noexcept {
    uv_close(reinterpret_cast<uv_handle_t*>(state->handle()),
             [](uv_handle_t* closed) { delete static_cast<State*>(closed->data); });
}

// Calls a copy: the function may destroy its owner, and with it itself. The State itself lives
// until the loop's next turn.
template <class Function, class... Args>
void call(const Function& function, Args&&... args) {
    const Function copy = function;
    copy(std::forward<Args>(args)...);
}

}  // namespace dnsd::io
