#include "zone/tree/zone.h"

#include <doctest/doctest.h>

#include <set>

#include "base/random.h"
#include "tests/support/zones.h"
#include "zone/tree/zone_set.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;
using test::rrset;
using wire::RrType;

TEST_CASE("RFC 8020: a name exists while it has data, is held, or has a name below it") {
    ZoneEdit edit(Zone::make(name("example.org")));
    edit.set(name("a.b.example.org"), rrset(RrType::A));
    REQUIRE(edit.finish()->find(name("b.example.org")) != nullptr);
    CHECK(edit.finish()->find(name("b.example.org"))->is_empty());
    CHECK(edit.finish()->node_count() == 3);

    edit.hold(name("b.example.org"));
    edit.remove(name("a.b.example.org"), RrType::A);
    CHECK(edit.finish()->find(name("a.b.example.org")) == nullptr);
    CHECK(edit.finish()->find(name("b.example.org")) != nullptr);
    edit.release(name("b.example.org"));
    CHECK(edit.finish()->find(name("b.example.org")) == nullptr);
    CHECK(edit.finish()->find(name("example.org")) != nullptr);
    CHECK(edit.finish()->node_count() == 1);
}

TEST_CASE("a published zone does not change, and shares its untouched nodes with the next") {
    ZoneEdit edit(Zone::make(name("example.org")));
    edit.set(name("a.example.org"), rrset(RrType::A));
    edit.set(name("b.example.org"), rrset(RrType::A));
    const auto before = edit.finish();
    edit.set(name("b.example.org"), rrset(RrType::A, {192, 0, 2, 9}));
    const auto after = edit.finish();
    CHECK(before->find(name("a.example.org")) == after->find(name("a.example.org")));
    CHECK(before->find(name("b.example.org"))->find(RrType::A)->rdata(0)[3] == 1);
    CHECK(after->find(name("b.example.org"))->find(RrType::A)->rdata(0)[3] == 9);
}

TEST_CASE("RFC 4343: names are found in any case, and keep the spelling they came with") {
    ZoneEdit edit(Zone::make(name("Example.org")));
    edit.set(name("WWW.example.ORG"), rrset(RrType::A));
    const auto zone = edit.finish();
    REQUIRE(zone->find(name("www.EXAMPLE.org")) != nullptr);
    CHECK(zone->find(name("www.example.org"))->owner().print() == "WWW.example.ORG");

    // An empty non-terminal came with a name below it; its own RRsets tell its spelling.
    edit.set(name("a.b.example.org"), rrset(RrType::A));
    edit.set(name("B.example.org"), rrset(RrType::A));
    edit.set(name("b.example.org"), rrset(RrType::AAAA));
    CHECK(edit.finish()->find(name("b.example.org"))->owner().print() == "B.example.org");
}

TEST_CASE("any order of edits that ends in the same names ends in the same zone") {
    Random random(7);
    ZoneEdit edit(Zone::make(name("example.org")));
    std::set<std::string> model;
    for (int i = 0; i < 20'000; ++i) {
        const std::string owner = "h" + std::to_string(draw_below(random, 300)) + ".d" +
                                  std::to_string(draw_below(random, 20)) + ".example.org";
        if (draw_below(random, 2) == 0) {
            edit.set(name(owner), rrset(RrType::A));
            model.insert(owner);
        } else {
            edit.remove(name(owner), RrType::A);
            model.erase(owner);
        }
    }
    const auto zone = edit.finish();
    std::set<std::string> held, domains;
    for (const std::string& owner : model) domains.insert(owner.substr(owner.find('.') + 1));
    wire::Name last;
    zone->for_each([&](const Node& node) {
        CHECK((node.owner() == zone->apex() || last < node.owner()));
        last = node.owner();
        if (!node.is_empty()) held.insert(node.owner().print());
    });
    CHECK(held == model);
    CHECK(zone->node_count() == model.size() + domains.size() + 1);
}

TEST_CASE("of nested zones the one with the longest apex is asked") {
    ZoneSet none;
    const auto zones =
        none.with(Zone::make(name("example.org")))->with(Zone::make(name("sub.example.org")));
    CHECK(zones->find(name("www.sub.example.org"))->apex() == name("sub.example.org"));
    CHECK(zones->find(name("SUB.example.org"))->apex() == name("sub.example.org"));
    CHECK(zones->find(name("www.example.org"))->apex() == name("example.org"));
    CHECK(zones->find(name("example.net")) == nullptr);
    CHECK(zones->without(name("sub.example.org"))->find(name("www.sub.example.org"))->apex() ==
          name("example.org"));
    CHECK(zones->zones().size() == 2);
    CHECK(none.with(Zone::make(wire::Name()))->find(name("anything"))->apex().is_root());
}

TEST_CASE("RFC 8020: the apexes of a set, and all names above them, exist while their zones do") {
    const auto has = [](const ZoneSet& set, std::string_view text) {
        return set.has_at_or_below(name(text).octets());
    };
    auto set = ZoneSet().with(Zone::make(name("a.B.example.org")));
    set = set->with(Zone::make(name("c.b.example.org")));
    for (const char* above : {"a.b.example.org", "A.b.example.org", "b.example.org", "org", "."})
        CHECK(has(*set, above));
    CHECK_FALSE(has(*set, "d.b.example.org"));
    set = set->with(Zone::make(name("a.b.example.org")));  // replaced, not added
    set = set->without(name("a.b.example.org"));
    CHECK_FALSE(has(*set, "a.b.example.org"));
    CHECK(has(*set, "b.example.org"));
    set = set->without(name("nothing.example.org"))->without(name("c.b.example.org"));
    CHECK_FALSE(has(*set, "."));
}
