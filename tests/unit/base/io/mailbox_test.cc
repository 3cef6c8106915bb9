#include "base/io/mailbox.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using namespace dnsd;
using namespace dnsd::io;

TEST_CASE("letters of one sender are read in their order, none is lost, and a batch has an end") {
    constexpr int senders = 3, letters = 2'000;
    Loop loop;
    Mailbox mailbox(loop, senders * letters);
    std::vector<int> last(senders, -1);
    int read = 0;
    bool ordered = true;
    int batches = 0;
    mailbox.after_batch([&] {
        ++batches;
        if (read == senders * letters) loop.stop();
    });
    std::vector<std::thread> threads;
    for (int s = 0; s < senders; ++s) {
        threads.emplace_back([&, s] {
            for (int i = 0; i < letters; ++i) {
                const bool taken = mailbox.post([&, s, i] {
                    ordered &= last[static_cast<std::size_t>(s)] == i - 1;
                    last[static_cast<std::size_t>(s)] = i;
                    ++read;
                });
                if (!taken) std::abort();
            }
        });
    }
    loop.run();
    for (std::thread& thread : threads) thread.join();
    CHECK(ordered);
    CHECK(read == senders * letters);
    CHECK(batches >= 1);
}

TEST_CASE("a full mailbox takes no letter, and says so") {
    Loop loop;
    Mailbox mailbox(loop, 2);
    CHECK(mailbox.post([] {}));
    CHECK(mailbox.post([] {}));
    CHECK_FALSE(mailbox.post([] {}));
}

TEST_CASE("letters that were never read are dropped with the mailbox") {
    Loop loop;
    auto held = std::make_shared<int>(1);
    {
        Mailbox mailbox(loop, 1);
        CHECK(mailbox.post([held] {}));
        CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
}
