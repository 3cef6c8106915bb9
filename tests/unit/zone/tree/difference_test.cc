#include "zone/tree/difference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/random.h"
#include "tests/support/zones.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;
using test::rrset;
using wire::RrType;

namespace {

const wire::Name apex = name("example.org");

std::shared_ptr<const RRset> soa(std::uint32_t serial, std::uint32_t minimum = 60) {
    const auto rdata = wire::parse_rdata(
        RrType::SOA, "ns h " + std::to_string(serial) + " 1 1 1 " + std::to_string(minimum), apex);
    return rrset(RrType::SOA, *rdata);
}

std::shared_ptr<const RRset> addresses(std::uint32_t ttl, std::vector<std::uint8_t> last) {
    std::vector<Rdata> records;
    for (const std::uint8_t octet : last) records.push_back({{192, 0, 2, octet}, 1});
    return std::make_shared<const RRset>(RrType::A, ttl, std::move(records));
}

std::shared_ptr<const RRset> weighted(std::vector<std::uint32_t> weights, Draw draw) {
    std::vector<Rdata> records;
    for (std::size_t i = 0; i < weights.size(); ++i)
        records.push_back({{192, 0, 2, static_cast<std::uint8_t>(i)}, weights[i]});
    return std::make_shared<const RRset>(RrType::A, 300, std::move(records), draw);
}

// What of a zone a transfer holds, naively: every record but the SOA as text.
std::multiset<std::string> records_of(const Zone& zone) {
    std::multiset<std::string> records;
    zone.for_each([&](const Node& node) {
        for (const auto& one : node.rrsets()) {
            for (std::size_t i = 0; one->type() != RrType::SOA && i < one->size(); ++i) {
                if (!one->is_transferred(i)) continue;
                records.insert(node.owner().lower_cased().print() + ' ' +
                               std::to_string(one->ttl()) + ' ' + print(one->type()) + ' ' +
                               wire::print_rdata(one->type(), one->rdata(i)));
            }
        }
    });
    return records;
}

std::multiset<std::string> records_of(const std::vector<ZoneRecord>& list) {
    std::multiset<std::string> records;
    for (const ZoneRecord& record : std::span(list).subspan(1)) {
        records.insert(record.owner.lower_cased().print() + ' ' + std::to_string(record.ttl) + ' ' +
                       print(record.type) + ' ' + wire::print_rdata(record.type, record.rdata));
    }
    return records;
}

std::multiset<std::string> without(const std::multiset<std::string>& from,
                                   const std::multiset<std::string>& those) {
    std::multiset<std::string> rest;
    std::ranges::set_difference(from, those, std::inserter(rest, rest.end()));
    return rest;
}

// One random change of a small zone.
void change(Random& random, ZoneEdit& edit) {
    const std::string number = std::to_string(draw_below(random, 40));
    const wire::Name owner = name((draw_below(random, 2) ? "h" : "H") + number + ".d.example.org");
    switch (draw_below(random, 5)) {
        case 0:
            return edit.remove(owner, RrType::A);
        case 1:
            return edit.remove(owner, RrType::TXT);
        case 2:
            return edit.set(owner, rrset(RrType::TXT, {1, 'x'}));
        case 3:
            return edit.set(owner,
                            weighted({draw_below(random, 3), draw_below(random, 3)},
                                     draw_below(random, 2) ? Draw::Weighted : Draw::Rotated));
        default:
            return edit.set(owner,
                            addresses(300 + draw_below(random, 2),
                                      {static_cast<std::uint8_t>(draw_below(random, 4)),
                                       static_cast<std::uint8_t>(4 + draw_below(random, 4))}));
    }
}

}  // namespace

TEST_CASE("RFC 1995 §4: a difference begins with the SOA before and the SOA after") {
    ZoneEdit edit(Zone::make(apex));
    edit.set(apex, soa(1));
    edit.set(name("a.example.org"), addresses(300, {1, 2}));
    const auto before = edit.finish();
    edit.set(apex, soa(2));
    edit.set(name("a.example.org"), addresses(300, {2, 3}));
    const auto difference = transfer_difference(*before, *edit.finish());
    REQUIRE(difference);
    CHECK(difference->from == 1);
    CHECK(difference->to == 2);
    REQUIRE(difference->removed.size() == 2);
    REQUIRE(difference->added.size() == 2);
    CHECK(difference->removed[0].type == RrType::SOA);
    CHECK(difference->removed[0].rdata ==
          std::vector(before->soa()->rdata(0).begin(), before->soa()->rdata(0).end()));
    CHECK(difference->removed[1].rdata == std::vector<std::uint8_t>{192, 0, 2, 1});
    CHECK(difference->added[1].rdata == std::vector<std::uint8_t>{192, 0, 2, 3});
    CHECK(difference->added[1].owner == name("a.example.org"));
}

TEST_CASE("what differs for a transfer") {
    struct Row {
        std::shared_ptr<const RRset> before, after;
        int removed, added;  // -1: no difference at all
    };
    const Row rows[] = {
        {addresses(300, {1}), addresses(300, {1}), -1, -1},
        {addresses(300, {1, 2}), addresses(60, {1, 2}), 2, 2},  // a TTL is every record's
        {addresses(300, {1}), nullptr, 1, 0},
        {nullptr, addresses(300, {1}), 0, 1},
        {weighted({1, 1}, Draw::Weighted), weighted({1, 9}, Draw::Weighted), -1, -1},
        {weighted({1, 1}, Draw::All), weighted({5, 1}, Draw::Weighted), -1, -1},
        {weighted({1, 1}, Draw::Weighted), weighted({1, 0}, Draw::Weighted), 1, 0},
        {weighted({0, 1}, Draw::Weighted), weighted({0, 0}, Draw::Weighted), 0, 1},
    };
    for (const Row& row : rows) {
        CAPTURE(&row - rows);
        ZoneEdit edit(Zone::make(apex));
        edit.set(apex, soa(1));
        if (row.before) edit.set(name("a.example.org"), row.before);
        const auto before = edit.finish();
        edit.set(apex, soa(2));
        edit.remove(name("a.example.org"), RrType::A);
        if (row.after) edit.set(name("a.example.org"), row.after);
        const auto after = edit.finish();
        const auto difference = transfer_difference(*before, *after);
        REQUIRE(difference.has_value() == (row.removed >= 0));
        CHECK((content_sum(*before) == content_sum(*after)) == !difference);
        if (!difference) continue;
        CHECK(difference->removed.size() == static_cast<std::size_t>(row.removed) + 1);
        CHECK(difference->added.size() == static_cast<std::size_t>(row.added) + 1);
    }
}

TEST_CASE("a SOA that differs in more than its serial is a difference") {
    ZoneEdit edit(Zone::make(apex));
    edit.set(apex, soa(1));
    const auto before = edit.finish();
    edit.set(apex, soa(2));
    CHECK_FALSE(transfer_difference(*before, *edit.finish()));
    edit.set(apex, soa(2, 61));
    const auto difference = transfer_difference(*before, *edit.finish());
    REQUIRE(difference);
    CHECK(difference->size() == 2);
    CHECK(content_sum(content_sum(*before), *difference) == content_sum(*edit.finish()));
}

TEST_CASE("differences, condensed ones too, lead from any version to any later one") {
    Random random(11);
    ZoneEdit edit(Zone::make(apex));
    edit.set(apex, soa(0));
    std::vector<std::shared_ptr<const Zone>> versions{edit.finish()};
    std::vector<Difference> chain;
    for (std::uint32_t serial = 1; serial <= 300; ++serial) {
        const std::uint32_t changes = draw_below(random, 6);
        for (std::uint32_t i = 0; i < changes; ++i) change(random, edit);
        edit.set(apex, soa(serial));
        versions.push_back(edit.finish());
        const Zone& before = *versions[serial - 1];
        const Zone& after = *versions[serial];
        const auto difference = transfer_difference(before, after);
        const auto old_records = records_of(before), new_records = records_of(after);
        REQUIRE(difference.has_value() == (old_records != new_records));
        CHECK((content_sum(before) == content_sum(after)) == !difference);
        if (!difference) {  // keep the chain whole
            chain.push_back(
                {serial - 1, serial, {chain.empty() ? ZoneRecord() : chain.back().added[0]}, {}});
            chain.back().added = chain.back().removed;
            continue;
        }
        CHECK(records_of(difference->removed) == without(old_records, new_records));
        CHECK(records_of(difference->added) == without(new_records, old_records));
        CHECK(content_sum(content_sum(before), *difference) == content_sum(after));
        CHECK(decode_records(encode_records(difference->added)).value() == difference->added);
        chain.push_back(*difference);
    }
    for (int i = 0; i < 200; ++i) {
        const std::uint32_t from = draw_below(random, 300);
        const std::uint32_t to = from + 1 + draw_below(random, 300 - from);
        const Difference whole = condensed(std::span(chain).subspan(from, to - from));
        const auto old_records = records_of(*versions[from]),
                   new_records = records_of(*versions[to]);
        CHECK(whole.from == from);
        CHECK(whole.to == to);
        CHECK(records_of(whole.removed) == without(old_records, new_records));
        CHECK(records_of(whole.added) == without(new_records, old_records));
    }
}

TEST_CASE("every RRset that two zones do not share is visited once, and no other") {
    Random random(12);
    ZoneEdit edit(Zone::make(apex));
    for (int i = 0; i < 2'000; ++i) {
        const auto before = edit.finish();
        for (int j = 0; j < 5; ++j) change(random, edit);
        const auto after = edit.finish();
        std::map<std::pair<std::string, RrType>, int> seen;
        const auto key = [](const Node& node, RrType type) {
            return std::pair(node.owner().lower_cased().print(), type);
        };
        for_each_change(*before, *after,
                        [&](const Node& owner, RrType type, const RRset* was, const RRset* is) {
                            ++seen[key(owner, type)];
                            const Node* old_node = before->find(owner.owner());
                            const Node* new_node = after->find(owner.owner());
                            CHECK(was == (old_node ? old_node->find(type) : nullptr));
                            CHECK(is == (new_node ? new_node->find(type) : nullptr));
                        });
        for (const auto& [at, times] : seen) CHECK(times == 1);
        std::size_t differing = 0;
        const auto count = [&](const Zone& zone, const Zone& other, bool both) {
            zone.for_each([&](const Node& node) {
                for (const auto& one : node.rrsets()) {
                    const Node* there = other.find(node.owner());
                    const RRset* same = there ? there->find(one->type()) : nullptr;
                    if (same == nullptr ? true : both && !(*same == *one)) ++differing;
                }
            });
        };
        count(*before, *after, true);
        count(*after, *before, false);
        CHECK(seen.size() == differing);
    }
}

TEST_CASE("stored records that break off are an error") {
    const std::vector<ZoneRecord> records{{name("a.example.org"), RrType::A, 300, {192, 0, 2, 1}},
                                          {wire::Name(), RrType::TXT, 0, {}}};
    const auto octets = encode_records(records);
    CHECK(decode_records(octets).value() == records);
    CHECK(decode_records({}).value().empty());
    const std::size_t first = 15 + 8 + 4;
    for (std::size_t size = 1; size < octets.size(); ++size) {
        CAPTURE(size);
        CHECK(decode_records(std::span(octets).first(size)).has_value() == (size == first));
    }
}
