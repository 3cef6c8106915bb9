#include "base/snapshot.h"

#include <doctest/doctest.h>

#include <thread>

using namespace dnsd;

TEST_CASE("a view that asks after a publication sees it, on any thread") {
    Snapshot<int> snapshot(std::make_shared<const int>(0));
    std::atomic<int> published{0};
    std::atomic<bool> stale{false};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            SnapshotView<int> view(snapshot);
            for (int seen = 0; seen < 10'000;) {
                const int least = published.load();
                seen = view.latest();
                if (seen < least) stale = true;
            }
        });
    }
    for (int i = 1; i <= 10'000; ++i) {
        snapshot.publish(std::make_shared<const int>(i));
        published.store(i);
    }
    for (std::thread& reader : readers) reader.join();
    CHECK_FALSE(stale);
}

TEST_CASE("a version that nobody reads is freed at the next publication, by the writer") {
    struct Noted {
        std::thread::id* freed_by;
        ~Noted() { *freed_by = std::this_thread::get_id(); }
    };
    std::thread::id freed[3];
    Snapshot<Noted> snapshot(std::make_shared<const Noted>(&freed[0]));
    {
        SnapshotView<Noted> view(snapshot);
        view.latest();
        snapshot.publish(std::make_shared<const Noted>(&freed[1]));
        std::thread([&] { view.latest(); }).join();
        CHECK(freed[0] == std::thread::id());
        snapshot.publish(std::make_shared<const Noted>(&freed[2]));
        CHECK(freed[0] == std::this_thread::get_id());
    }
}
