#include "zone/tree/look_ahead.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/zones.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;
using test::rrset;
using wire::RrType;

namespace {

// Zones inside each other, and names on all of their levels: labels of a few letters, in any case.
std::string drawn_name(Random& random) {
    static const std::vector<std::string> labels = {"a", "b", "A", "c", "example", "org", "test"};
    std::string text;
    for (std::uint32_t left = draw_below(random, 5); left > 0; --left)
        text += labels[draw_below(random, static_cast<std::uint32_t>(labels.size()))] + ".";
    const std::vector<std::string> ends = {"example.org", "a.example.org", "B.a.example.org",
                                           "test"};
    return text + ends[draw_below(random, static_cast<std::uint32_t>(ends.size()))];
}

std::shared_ptr<const ZoneSet> drawn_zones(Random& random) {
    auto zones = std::make_shared<const ZoneSet>();
    for (const char* apex : {"example.org", "b.a.example.org", "org"}) {
        if (draw_below(random, 3) == 0) continue;
        ZoneEdit edit(Zone::make(name(apex)));
        for (int i = 0; i < 200; ++i) {
            const wire::Name owner = name(drawn_name(random));
            if (owner.is_at_or_below(name(apex))) edit.set(owner, rrset(RrType::A));
        }
        zones = zones->with(edit.finish());
    }
    return zones;
}

}  // namespace

TEST_CASE("what is found ahead is what is found one by one") {
    Random random(7);
    for (int round = 0; round < 50; ++round) {
        const auto zones = drawn_zones(random);
        std::vector<wire::Name> names;
        for (std::size_t i = 0; i < LookAhead::names_max; ++i)
            names.push_back(name(drawn_name(random)));
        LookAhead ahead;
        for (const wire::Name& one : names) ahead.add(*zones, one.octets(), RrType::A);
        ahead.fetch();
        for (std::size_t i = 0; i < names.size(); ++i) {
            const Zone* zone = zones->find(names[i]);
            REQUIRE(ahead[i]);
            CHECK(ahead[i]->zone == zone);
            CHECK(ahead[i]->node == (zone ? zone->find(names[i]) : nullptr));
        }
        ahead.clear();
        ahead.add_nothing();
        ahead.fetch();
        CHECK_FALSE(ahead[0]);
    }
}

TEST_CASE("a zone that is likely is not taken for a better one") {
    Random random(8);
    for (int round = 0; round < 50; ++round) {
        const auto zones = drawn_zones(random);
        for (int i = 0; i < 100; ++i) {
            const wire::Name asked = name(drawn_name(random));
            for (const auto& likely : zones->zones())
                CHECK(zones->find(asked.octets(), likely.get()) == zones->find(asked));
            CHECK(zones->find(asked.octets(), nullptr) == zones->find(asked));
        }
    }
}
