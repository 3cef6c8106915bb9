#include "base/io/work.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

using namespace dnsd;
using namespace dnsd::io;

TEST_CASE("a job runs beside the loop, and what it returns comes back to it") {
    Loop loop;
    Work work(loop);
    const auto here = std::this_thread::get_id();
    bool was_here = false;
    int got = 0;
    work.run([&] { return std::make_pair(42, std::this_thread::get_id()); },
             [&](std::pair<int, std::thread::id> outcome) {
                 got = outcome.first;
                 was_here = outcome.second == here;
                 CHECK(std::this_thread::get_id() == here);
                 loop.stop();
             });
    CHECK(work.under_way() == 1);
    loop.run();
    CHECK(got == 42);
    CHECK_FALSE(was_here);
    CHECK(work.under_way() == 0);
}

TEST_CASE("who is gone gets no answer, and the loop ends when the job has") {
    std::atomic<bool> begun = false, may_end = false;
    bool answered = false;
    const auto kept = std::make_shared<int>(1);
    {
        Loop loop;
        auto work = std::make_unique<Work>(loop);
        work->run(
            [&, kept] {
                begun = true;
                begun.notify_all();
                may_end.wait(false);
                return *kept;
            },
            [&](int) { answered = true; });
        begun.wait(false);
        work.reset();
        may_end = true;
        may_end.notify_all();
    }
    CHECK_FALSE(answered);
    CHECK(kept.use_count() == 1);
}
