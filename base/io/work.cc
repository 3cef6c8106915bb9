#include "base/io/work.h"

#include <uv.h>

#include <unordered_set>

#include "base/assert.h"

namespace dnsd::io {

struct Work::State {
    uv_loop_t* loop = nullptr;
    std::unordered_set<Job*> jobs;
    bool is_over = false;  // the owner is gone, and nobody wants answers
};

// Freed by the callback that libuv makes on the loop for each, done or cancelled.
struct Work::Job {
    uv_work_t raw{};
    std::shared_ptr<State> state;
    Step job, done;
};

Work::Work(Loop& loop) : state_(std::make_shared<State>()) { state_->loop = loop.raw(); }

Work::~Work() {
    state_->is_over = true;
    for (Job* job : state_->jobs) uv_cancel(reinterpret_cast<uv_req_t*>(&job->raw));
}

void Work::start(Step job, Step done) {
    auto* made = new Job{{}, state_, std::move(job), std::move(done)};
    made->raw.data = made;
    state_->jobs.insert(made);
    const int status = uv_queue_work(
        state_->loop, &made->raw, [](uv_work_t* raw) { static_cast<Job*>(raw->data)->job(); },
        [](uv_work_t* raw, int) {
            const std::unique_ptr<Job> ended(static_cast<Job*>(raw->data));
            ended->state->jobs.erase(ended.get());
            ended->job = nullptr;
            if (!ended->state->is_over) ended->done();
        });
    DNSD_ASSERT(status == 0);
}

std::size_t Work::under_way() const noexcept { return state_->jobs.size(); }

}  // namespace dnsd::io
