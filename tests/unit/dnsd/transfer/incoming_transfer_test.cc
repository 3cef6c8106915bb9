#include "dnsd/transfer/incoming_transfer.h"

#include <doctest/doctest.h>

#include <initializer_list>

#include "dnsd/transfer/secondary_timers.h"
#include "tests/support/messages.h"
#include "tests/unit/dnsd/transfer/still_registry.h"
#include "zone/tree/difference.h"

using namespace dnsd;
using namespace dnsd::transfer;
using dnsd::test::asked;
using dnsd::test::Line;
using dnsd::test::name;
using wire::RrType;
using Kind = IncomingTransfer::Kind;
using Progress = IncomingTransfer::Progress;
using Octets = std::vector<std::uint8_t>;

namespace {

// "www.example.org A 192.0.2.1", with a TTL of 300; "SOA 5" is the zone's SOA with that serial.
struct Text {
    std::string owner, type, data;
    std::uint32_t ttl = 300;
};
Text soa(std::uint32_t serial) {
    return {
        "example.org", "SOA",
        "ns.example.org. hostmaster.example.org. " + std::to_string(serial) + " 3600 600 86400 60"};
}
Text a(std::string owner, std::string address, std::uint32_t ttl = 300) {
    return {std::move(owner), "A", std::move(address), ttl};
}
const Text ns{"example.org", "NS", "ns.example.org."};

Octets message(RrType qtype, const std::vector<Text>& texts,
               wire::Rcode rcode = wire::Rcode::NoError) {
    std::vector<Line> lines;
    for (const Text& text : texts)
        lines.push_back(
            {wire::Section::Answer, text.owner, text.ttl, *wire::parse_type(text.type), text.data});
    return dnsd::test::message(asked("example.org", qtype), lines, rcode);
}

using Messages = std::vector<std::vector<Text>>;

Result<IncomingTransfer::Outcome, TransferFailure> assembled(
    const std::vector<Octets>& messages, std::shared_ptr<const tree::Zone> current,
    IncomingTransfer::Limits limits = {}) {
    IncomingTransfer incoming(name("example.org"), 0, std::move(current), limits);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto progress = incoming.take(messages[i]);
        if (!progress) return std::unexpected(progress.error());
        CHECK((*progress == Progress::Done) == (i + 1 == messages.size()));
    }
    return incoming.finish();
}

Result<IncomingTransfer::Outcome, TransferFailure> axfr(const Messages& messages,
                                                        IncomingTransfer::Limits limits = {}) {
    std::vector<Octets> octets;
    for (const auto& texts : messages) octets.push_back(message(RrType::AXFR, texts));
    return assembled(octets, nullptr, limits);
}

Result<IncomingTransfer::Outcome, TransferFailure> ixfr(const Messages& messages,
                                                        std::shared_ptr<const tree::Zone> current) {
    std::vector<Octets> octets;
    for (const auto& texts : messages) octets.push_back(message(RrType::IXFR, texts));
    return assembled(octets, std::move(current));
}

std::shared_ptr<const tree::Zone> zone(std::uint32_t serial, std::vector<Text> texts) {
    texts.insert(texts.begin(), {soa(serial), ns});
    texts.push_back(soa(serial));
    auto outcome = axfr({texts});
    REQUIRE(outcome);
    return outcome->zone;
}

bool are_equal(const tree::Zone& one, const tree::Zone& other) {
    bool are = true;
    tree::for_each_change(one, other, [&](const auto&, auto, auto, auto) { are = false; });
    return are && one.node_count() == other.node_count();
}

}  // namespace

TEST_CASE("RFC 5936 §2.2: a zone comes between two copies of its SOA, in any number of messages") {
    const auto whole =
        axfr({{soa(5), ns, a("www.example.org", "192.0.2.1"), a("www.example.org", "192.0.2.2"),
               a("a.b.example.org", "192.0.2.3"), soa(5)}});
    REQUIRE(whole);
    CHECK(whole->kind == Kind::Whole);
    CHECK(whole->serial == 5);
    CHECK(whole->records == 6);
    CHECK(whole->messages == 1);
    CHECK(whole->zone->find(name("www.example.org"))->find(RrType::A)->size() == 2);
    CHECK(whole->zone->find(name("b.example.org"))->is_empty());
    CHECK(soa_timers(*whole->zone)->serial == 5);

    const auto pieces = axfr({{soa(5)},
                              {ns, a("www.example.org", "192.0.2.1")},
                              {},
                              {a("www.example.org", "192.0.2.2")},
                              {a("a.b.example.org", "192.0.2.3")},
                              {soa(5)}});
    REQUIRE(pieces);
    CHECK(pieces->messages == 6);
    CHECK(are_equal(*whole->zone, *pieces->zone));
}

TEST_CASE("the records of an RRset need not stand together, nor agree on a TTL") {
    const auto outcome = axfr(
        {{soa(5), ns, a("x.example.org", "192.0.2.1", 300), a("y.example.org", "192.0.2.1", 60),
          a("x.example.org", "192.0.2.2", 200), a("y.example.org", "192.0.2.2", 90),
          a("X.example.org", "192.0.2.3", 400), a("x.example.org", "192.0.2.1", 300), soa(5)}});
    REQUIRE(outcome);
    const tree::RRset* x = outcome->zone->find(name("x.example.org"))->find(RrType::A);
    CHECK(x->size() == 3);
    CHECK(x->ttl() == 200);
    CHECK(outcome->zone->find(name("y.example.org"))->find(RrType::A)->ttl() == 60);
}

TEST_CASE("names outside the zone are dropped") {
    const auto outcome = axfr({{soa(5), ns, a("www.example.net", "192.0.2.1"), soa(5)}});
    REQUIRE(outcome);
    CHECK(outcome->dropped == 1);
    CHECK(outcome->zone->node_count() == 1);
}

TEST_CASE("RFC 2181 §8: a TTL with the sign bit is zero") {
    const auto outcome =
        axfr({{soa(5), ns, a("www.example.org", "192.0.2.1", 0x8000'0001), soa(5)}});
    REQUIRE(outcome);
    CHECK(outcome->zone->find(name("www.example.org"))->find(RrType::A)->ttl() == 0);
}

TEST_CASE("what is no transfer is told from one") {
    const Text www = a("www.example.org", "192.0.2.1");
    struct Case {
        const char* what;
        Messages messages;
    };
    const std::vector<Case> cases = {
        {"no records", {{}}},
        {"no SOA in front", {{ns, www, soa(5)}}},
        {"another zone's SOA in front", {{{"example.net", "SOA", soa(5).data}, soa(5)}}},
        {"another serial at the end", {{soa(5), ns, www, soa(6)}}},
        {"records behind the end", {{soa(5), ns, soa(5), www}}},
        {"a SOA below the apex", {{soa(5), {"sub.example.org", "SOA", soa(5).data}, soa(5)}}},
        {"no NS at the apex", {{soa(5), www, soa(5)}}},
        {"a type that no record has", {{soa(5), {"x.example.org", "ANY", "\\# 0"}, soa(5)}}},
    };
    for (const Case& each : cases) {
        CAPTURE(each.what);
        const auto outcome = axfr(each.messages);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == TransferFailure::Kind::Broken);
        CHECK_FALSE(outcome.error().text.empty());
    }
}

TEST_CASE("messages that answer something else are not taken") {
    const std::vector<Text> good = {soa(5), ns, soa(5)};
    SUBCASE("another id") {
        Octets octets = message(RrType::AXFR, good);
        octets[1] = 1;
        CHECK_FALSE(assembled({octets}, nullptr));
    }
    SUBCASE("a query") {
        Octets octets = message(RrType::AXFR, good);
        octets[2] &= 0x7f;
        CHECK_FALSE(assembled({octets}, nullptr));
    }
    SUBCASE("another question") {
        CHECK_FALSE(assembled({message(RrType::IXFR, good)}, nullptr));
        CHECK_FALSE(
            assembled({dnsd::test::message(asked("example.net", RrType::AXFR), {})}, nullptr));
    }
    SUBCASE("truncated") {
        Octets octets = message(RrType::AXFR, good);
        octets[2] |= 0x02;
        CHECK_FALSE(assembled({octets}, nullptr));
    }
    SUBCASE("cut") {
        Octets octets = message(RrType::AXFR, good);
        octets.pop_back();
        CHECK_FALSE(assembled({octets}, nullptr));
    }
    SUBCASE("an rcode") {
        const auto outcome = assembled({message(RrType::AXFR, {}, wire::Rcode::Refused)}, nullptr);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == TransferFailure::Kind::Refused);
        CHECK(outcome.error().rcode == wire::Rcode::Refused);
    }
}

TEST_CASE("RFC 5936 §2.2.1: later messages may leave the question out") {
    Octets first = message(RrType::AXFR, {soa(5), ns});
    const Octets whole = message(RrType::AXFR, {soa(5)});
    Octets second(whole.begin(), whole.begin() + 12);
    second[5] = 0;
    // The owner name is a pointer to the question, which is not there: written out instead.
    const wire::Name apex = name("example.org");
    second.insert(second.end(), apex.octets().begin(), apex.octets().end());
    const auto record = transfer::test::soa_of(5);
    for (const std::size_t value : {std::size_t{6}, std::size_t{1}, std::size_t{0},
                                    std::size_t{300}, record->rdata(0).size()}) {
        second.push_back(static_cast<std::uint8_t>(value >> 8));
        second.push_back(static_cast<std::uint8_t>(value));
    }
    second.insert(second.end(), record->rdata(0).begin(), record->rdata(0).end());
    CHECK(assembled({first, second}, nullptr));
    CHECK_FALSE(assembled({second, first}, nullptr));
}

TEST_CASE("a transfer is bounded, in octets and in records") {
    const Messages messages = {{soa(5), ns, a("www.example.org", "192.0.2.1"), soa(5)}};
    CHECK(axfr(messages, {.octets_max = 1000, .records_max = 4}));
    for (const IncomingTransfer::Limits limits :
         {IncomingTransfer::Limits{.octets_max = 50}, IncomingTransfer::Limits{.records_max = 3}}) {
        const auto outcome = axfr(messages, limits);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == TransferFailure::Kind::TooLarge);
    }
}

TEST_CASE("RFC 1995 §4: differences lead from our serial to the newest") {
    const auto ours =
        zone(1, {a("old.example.org", "192.0.2.1"), a("www.example.org", "192.0.2.1"),
                 a("www.example.org", "192.0.2.2"), a("same.example.org", "192.0.2.1")});
    const auto theirs =
        zone(3, {a("new.example.org", "192.0.2.9"), a("www.example.org", "192.0.2.2", 60),
                 a("www.example.org", "192.0.2.3", 60), a("same.example.org", "192.0.2.1")});
    const std::vector<Text> records = {soa(3),
                                       soa(1),
                                       a("old.example.org", "192.0.2.1"),
                                       a("www.example.org", "192.0.2.1"),
                                       soa(2),
                                       a("www.example.org", "192.0.2.3"),
                                       a("brief.example.org", "192.0.2.4"),
                                       soa(2),
                                       a("brief.example.org", "192.0.2.4"),
                                       a("www.example.org", "192.0.2.2"),
                                       a("www.example.org", "192.0.2.3"),
                                       soa(3),
                                       a("new.example.org", "192.0.2.9"),
                                       a("www.example.org", "192.0.2.2", 60),
                                       a("www.example.org", "192.0.2.3", 60),
                                       soa(3)};
    SUBCASE("in one message") {
        const auto outcome = ixfr({records}, ours);
        REQUIRE(outcome);
        CHECK(outcome->kind == Kind::Difference);
        CHECK(outcome->serial == 3);
        CHECK(are_equal(*outcome->zone, *theirs));
    }
    SUBCASE("in as many as there are records") {
        Messages messages;
        for (const Text& record : records) messages.push_back({record});
        const auto outcome = ixfr(messages, ours);
        REQUIRE(outcome);
        CHECK(are_equal(*outcome->zone, *theirs));
    }
    // What is there is not touched.
    CHECK(ours->find(name("old.example.org")) != nullptr);
    CHECK(soa_timers(*ours)->serial == 1);
}

TEST_CASE("RFC 1982: serials of a difference go over the end of the circle") {
    const auto ours = zone(0xffff'ffff, {});
    const auto outcome = ixfr({{soa(1), soa(0xffff'ffff), soa(0), a("x.example.org", "192.0.2.1"),
                                soa(0), soa(1), soa(1)}},
                              ours);
    REQUIRE(outcome);
    CHECK(outcome->serial == 1);
    CHECK(outcome->zone->find(name("x.example.org")) != nullptr);
}

TEST_CASE("RFC 1995 §4: an IXFR may be answered with the whole zone, or with nothing new") {
    const auto ours = zone(4, {a("old.example.org", "192.0.2.1")});
    SUBCASE("the whole zone") {
        const auto outcome =
            ixfr({{soa(5), ns, a("www.example.org", "192.0.2.1")}, {soa(5)}}, ours);
        REQUIRE(outcome);
        CHECK(outcome->kind == Kind::Whole);
        CHECK(outcome->zone->find(name("old.example.org")) == nullptr);
        CHECK(outcome->zone->find(name("www.example.org")) != nullptr);
    }
    SUBCASE("nothing new") {
        const auto outcome = ixfr({{soa(4)}}, ours);
        REQUIRE(outcome);
        CHECK(outcome->kind == Kind::None);
        CHECK(outcome->zone == nullptr);
    }
    SUBCASE("older than ours, and the whole of it") {
        const auto outcome = ixfr({{soa(3), ns, soa(3)}}, ours);
        REQUIRE(outcome);
        CHECK(outcome->kind == Kind::None);
        CHECK(outcome->serial == 3);
    }
}

TEST_CASE("differences that do not lead on are broken") {
    const auto ours = zone(4, {a("www.example.org", "192.0.2.1")});
    const Text www = a("www.example.org", "192.0.2.1"), other = a("www.example.org", "192.0.2.2");
    struct Case {
        const char* what;
        std::vector<Text> records;
    };
    const std::vector<Case> cases = {
        {"from another serial", {soa(6), soa(3), soa(6), soa(6)}},
        {"a gap", {soa(7), soa(4), soa(5), soa(6), soa(7), soa(7)}},
        {"backwards", {soa(6), soa(4), soa(3), soa(3), soa(6), soa(6)}},
        {"a record that is not there", {soa(5), soa(4), other, soa(5), soa(5)}},
        {"a record removed twice", {soa(5), soa(4), www, www, soa(5), soa(5)}},
        {"an RRset that is not there",
         {soa(5), soa(4), a("none.example.org", "192.0.2.1"), soa(5), soa(5)}},
        {"the last NS goes", {soa(5), soa(4), ns, soa(5), soa(5)}},
        {"past the newest", {soa(5), soa(4), soa(6), soa(5), soa(5)}},
        {"records behind the end", {soa(5), soa(4), soa(5), other, soa(5), www}},
    };
    for (const Case& each : cases) {
        CAPTURE(each.what);
        const auto outcome = ixfr({each.records}, ours);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == TransferFailure::Kind::Broken);
    }
}

TEST_CASE("a name is gone with its last record, and so are the empty ones above it") {
    const auto ours = zone(4, {a("a.b.c.example.org", "192.0.2.1")});
    const auto outcome =
        ixfr({{soa(5), soa(4), a("A.b.c.example.org", "192.0.2.1"), soa(5), soa(5)}}, ours);
    REQUIRE(outcome);
    CHECK(outcome->zone->node_count() == 1);
}
