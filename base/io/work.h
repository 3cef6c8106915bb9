// Work that takes long, done beside the loop: libuv's thread pool, which all loops share.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/io/loop.h"

namespace dnsd::io {

// Belongs to its loop's thread. Destroying it lets go of what waits and of the answers of what
// runs; the loop's own end waits for what runs.
class Work {
  public:
    using Step = std::move_only_function<void()>;

    explicit Work(Loop& loop);
    ~Work();
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

    // `job` runs on a thread of the pool, so that what it touches must be its own or immutable;
    // then `done` on the loop, with what it returned.
    template <class Job, class Done>
    void run(Job job, Done done) {
        using Outcome = std::invoke_result_t<Job&>;
        auto outcome = std::make_shared<std::unique_ptr<Outcome>>();
        start([outcome,
               job = std::move(job)]() mutable { *outcome = std::make_unique<Outcome>(job()); },
              [outcome, done = std::move(done)]() mutable { done(std::move(**outcome)); });
    }
    std::size_t under_way() const noexcept;  // waiting ones included

  private:
    struct Job;
    struct State;
    void start(Step job, Step done);

    std::shared_ptr<State> state_;
};

}  // namespace dnsd::io
