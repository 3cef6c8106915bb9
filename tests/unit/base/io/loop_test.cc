#include "base/io/loop.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <memory>

using namespace dnsd;
using namespace dnsd::io;

TEST_CASE("a timer may be destroyed by its own callback") {
    Loop loop;
    std::unique_ptr<Timer> timer;
    bool fired = false;
    timer = std::make_unique<Timer>(loop, [&] {
        timer.reset();
        fired = true;
        loop.stop();
    });
    timer->start(Milliseconds(0));
    loop.run();
    CHECK(fired);
}

TEST_CASE("a timer that repeats goes on until it is stopped") {
    Loop loop;
    int times = 0;
    Timer timer(loop, [&] {
        if (++times < 3) return;
        timer.stop();
        loop.stop();
    });
    timer.repeat(Milliseconds(1));
    loop.run();
    CHECK(times == 3);
}

TEST_CASE("a descriptor that can be read is said to be readable") {
    Loop loop;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    unsigned seen = 0;
    {
        Poll poll(loop, ends[0], [&](unsigned events) {
            seen = events;
            loop.stop();
        });
        poll.watch(Poll::Readable);
        REQUIRE(write(ends[1], "x", 1) == 1);
        loop.run();
    }
    close(ends[0]);
    close(ends[1]);
    CHECK(seen == Poll::Readable);
}

TEST_CASE("a signal arrives on the loop") {
    Loop loop;
    bool arrived = false;
    Signal signal(loop, SIGUSR1, [&] {
        arrived = true;
        loop.stop();
    });
    raise(SIGUSR1);
    loop.run();
    CHECK(arrived);
}
