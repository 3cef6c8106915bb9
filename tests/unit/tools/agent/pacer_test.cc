#include "tools/agent/pacer.h"

#include <doctest/doctest.h>

#include "tests/support/manual_clock.h"

using namespace dnsd;
using agent::Pacer;
using agent::Stale;

namespace {

constexpr Milliseconds interval(100), repeat(250);

Stale one(const std::string& name) {
    Stale stale;
    stale.add_name("example.org", name);
    return stale;
}

Stale both(const std::string& a, const std::string& b) {
    Stale stale = one(a);
    stale.add(one(b));
    return stale;
}

struct Scene {
    test::ManualClock clock;
    Pacer pacer{interval, repeat};

    Stale take() { return pacer.take(clock.steady()); }
    void wait(int milliseconds) { clock.advance(Milliseconds(milliseconds)); }
};

}  // namespace

TEST_CASE("where it was quiet, the first change is due at once, and once more after the repeat") {
    Scene scene;
    CHECK(scene.take().empty());
    CHECK(!scene.pacer.next());
    scene.pacer.add(one("a"));
    CHECK(scene.take() == one("a"));
    CHECK(scene.pacer.has_taken_all());
    scene.wait(249);
    CHECK(scene.take().empty());
    scene.wait(1);
    CHECK(scene.take() == one("a"));
    CHECK(!scene.pacer.next());
}

TEST_CASE("changes within the interval wait for its end, together; the last is always followed") {
    Scene scene;
    scene.pacer.add(one("a"));
    scene.take();
    scene.wait(1);
    scene.pacer.add(one("b"));
    CHECK(scene.take().empty());
    CHECK(!scene.pacer.has_taken_all());
    scene.wait(50);
    scene.pacer.add(one("c"));
    CHECK(scene.take().empty());
    CHECK(*scene.pacer.next() - scene.clock.steady() == Milliseconds(49));
    scene.wait(49);
    CHECK(scene.take() == both("b", "c"));
}

TEST_CASE("a repeat keeps the interval too, and goes with what is fresh") {
    Scene scene;
    scene.pacer.add(one("a"));
    scene.take();
    scene.wait(200);
    scene.pacer.add(one("b"));
    CHECK(scene.take() == one("b"));
    scene.wait(50);  // a is to be repeated, 50 ms after b
    CHECK(scene.take().empty());
    scene.pacer.add(one("c"));
    scene.wait(50);
    CHECK(scene.take() == both("a", "c"));
}

TEST_CASE("without a repeat nothing is done twice") {
    Pacer pacer(interval, Milliseconds(0));
    test::ManualClock clock;
    pacer.add(one("a"));
    CHECK(pacer.take(clock.steady()) == one("a"));
    CHECK(!pacer.next());
}

TEST_CASE("of a zone with too many changed names everything is stale") {
    Stale stale;
    for (std::size_t i = 0; i <= Stale::names_max; ++i)
        stale.add_name("example.org", std::to_string(i) + ".example.org");
    CHECK(stale.names.empty());
    CHECK(stale.zones.contains("example.org"));
    stale.add_name("example.org", "a.example.org");
    CHECK(stale.names.empty());
}
