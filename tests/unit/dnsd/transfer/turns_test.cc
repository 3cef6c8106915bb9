#include "dnsd/transfer/turns.h"

#include <doctest/doctest.h>

#include <vector>

using dnsd::transfer::Turns;

namespace {

struct Visitors {
    std::vector<int> came;
    int ids[10'000] = {};

    const void* id(int i) const { return &ids[i]; }
    void enter(Turns& turns, int i) {
        turns.enter(id(i), [this, i] { came.push_back(i); });
    }
};

}  // namespace

TEST_CASE("so many go on at a time, the others in their order") {
    Visitors visitors;
    Turns turns(2);
    for (int i = 0; i < 5; ++i) visitors.enter(turns, i);
    CHECK(visitors.came == std::vector{0, 1});
    turns.leave(visitors.id(1));
    CHECK(visitors.came == std::vector{0, 1, 2});
    turns.leave(visitors.id(3));  // it does not wait any more
    turns.leave(visitors.id(0));
    CHECK(visitors.came == std::vector{0, 1, 2, 4});
    turns.leave(visitors.id(0));  // it is not in there
    CHECK(turns.inside() == 2);
}

TEST_CASE("a thousand that leave in their own turn do not fill the stack") {
    Visitors visitors;
    Turns turns(1);
    visitors.enter(turns, 0);
    int left = 0;
    for (int i = 1; i < 10'000; ++i) {
        turns.enter(visitors.id(i), [&, i] {
            ++left;
            turns.leave(visitors.id(i));
        });
    }
    turns.leave(visitors.id(0));
    CHECK(left == 9'999);
    CHECK(turns.inside() == 0);
}

TEST_CASE("nobody's turn comes after the end") {
    Visitors visitors;
    Turns turns(1);
    visitors.enter(turns, 0);
    visitors.enter(turns, 1);
    turns.close();
    turns.leave(visitors.id(0));
    CHECK(visitors.came == std::vector{0});
}
