#include "dnsd/nameserver/answer.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "tests/support/queries.h"
#include "tests/support/zones.h"
#include "zone/wire/message.h"

using namespace dnsd;
using namespace dnsd::nameserver;
using test::name;
using tree::Draw;
using wire::Message;
using wire::Rcode;
using wire::RrType;
using wire::Section;

namespace {

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets left, const Octets& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}
Octets octets_of(std::string_view text) {
    const auto parsed = name(text);
    return {parsed.octets().begin(), parsed.octets().end()};
}
Octets srv(std::uint8_t port, std::string_view target) {
    return Octets{0, 1, 0, 2, 0, port} + octets_of(target);
}

std::shared_ptr<const tree::RRset> set_of(RrType type, std::vector<Octets> records,
                                          Draw draw = Draw::All, std::uint16_t answers_max = 0,
                                          std::vector<std::uint32_t> weights = {},
                                          std::shared_ptr<tree::Mark> mark = nullptr) {
    std::vector<tree::Rdata> rdata;
    for (std::size_t i = 0; i < records.size(); ++i)
        rdata.push_back({records[i], weights.empty() ? 1 : weights[i]});
    return std::make_shared<const tree::RRset>(type, 5, std::move(rdata), draw, answers_max,
                                               std::move(mark));
}

std::vector<Octets> addresses(int count) {
    std::vector<Octets> records;
    for (int i = 0; i < count; ++i) {
        records.push_back({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
    }
    return records;
}

struct Fixture {
    tree::ZoneEdit edit{tree::Zone::make(name("example.org"))};
    AnswerOptions options{
        .nsid = "here", .version = "dnsd", .server_id = "", .udp_payload_octets_max = 1232};
    AnswerCounters counters;
    Random random{1};
    Octets reply;  // of the last question

    Fixture() {
        edit.set(name("example.org"),
                 set_of(RrType::SOA,
                        {octets_of("ns.example.org") + octets_of("hostmaster.example.org") +
                         Octets{0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2}}));
    }

    std::optional<Message> ask(const Octets& query, Transport transport = Transport::Udp) {
        const auto zones = tree::ZoneSet().with(edit.finish());
        reply.assign(65'535, 0xee);
        const AnswerContext context{*zones, options, transport, WallTime(Milliseconds(1000)),
                                    random, counters};
        reply.resize(answer(query, context, reply).octets);
        if (reply.empty()) return std::nullopt;
        auto message = wire::decode_message(reply);
        REQUIRE(message);
        CHECK(message->id == 0x1234);
        CHECK((message->flags & 0x8000) != 0);
        return message;
    }
    Message ask(std::string_view qname, RrType type, int udp_payload = -1,
                Transport transport = Transport::Udp) {
        return *ask(test::query(qname, {.type = static_cast<std::uint16_t>(type),
                                        .udp_payload = udp_payload}),
                    transport);
    }
};

std::size_t count(const Message& message, Section section, RrType type) {
    std::size_t found = 0;
    for (const auto& record : message.records)
        found += record.section == section && record.type == type;
    return found;
}

}  // namespace

TEST_CASE("RFC 2308 §3: NXDOMAIN and NODATA carry the SOA with its MINIMUM, if that is less") {
    Fixture f;
    f.edit.set(name("web.example.org"), set_of(RrType::A, addresses(1)));
    const Message nothing = f.ask("ghost.example.org", RrType::A);
    CHECK(nothing.rcode() == Rcode::NxDomain);
    CHECK(nothing.authoritative());
    REQUIRE(count(nothing, Section::Authority, RrType::SOA) == 1);
    CHECK(nothing.records[0].ttl == 2);
    CHECK(nothing.records[0].owner == name("example.org"));
    const Message no_data = f.ask("web.example.org", RrType::AAAA);
    CHECK(no_data.rcode() == Rcode::NoError);
    CHECK(count(no_data, Section::Authority, RrType::SOA) == 1);
    CHECK(f.ask("example.net", RrType::A).rcode() == Rcode::Refused);
}

TEST_CASE("an answer mirrors the spelling of the question in every owner name (0x20)") {
    Fixture f;
    f.edit.set(name("web.example.org"), set_of(RrType::A, addresses(3)));
    const Message message = f.ask("wEb.ExAmPlE.oRg", RrType::A);
    REQUIRE(message.records.size() == 3);
    CHECK(message.questions[0].name.print() == "wEb.ExAmPlE.oRg");
    for (const auto& record : message.records) CHECK(record.owner.print() == "wEb.ExAmPlE.oRg");
}

TEST_CASE("a truncated answer holds as many whole records as fit; only size sets TC") {
    Fixture f;
    f.edit.set(name("many.example.org"), set_of(RrType::A, addresses(60)));
    const Message cut = f.ask("many.example.org", RrType::A);
    CHECK(cut.truncated());
    CHECK(f.reply.size() <= 512);
    CHECK(count(cut, Section::Answer, RrType::A) == (512 - 12 - 22) / 16);
    const Message larger = f.ask("many.example.org", RrType::A, 4096);
    CHECK_FALSE(larger.truncated());
    CHECK(f.reply.size() <= 1232);
    CHECK_FALSE(f.ask("many.example.org", RrType::A, -1, Transport::Tcp).truncated());
    f.edit.set(name("eight.example.org"), set_of(RrType::A, addresses(60), Draw::Sample, 8));
    const Message drawn = f.ask("eight.example.org", RrType::A);
    CHECK_FALSE(drawn.truncated());
    CHECK(count(drawn, Section::Answer, RrType::A) == 8);
    CHECK(count(f.ask("eight.example.org", RrType::A, -1, Transport::Tcp), Section::Answer,
                RrType::A) == 60);
}

TEST_CASE("a sample is drawn anew for each query, and everybody's turn comes") {
    Fixture f;
    f.edit.set(name("web.example.org"), set_of(RrType::A, addresses(20), Draw::Sample, 8));
    std::map<std::uint8_t, int> seen;
    for (int i = 0; i < 2000; ++i) {
        std::set<std::uint8_t> once;
        const Message message = f.ask("web.example.org", RrType::A);
        for (const auto& record : message.records) once.insert(record.rdata[3]);
        CHECK(once.size() == 8);
        for (const std::uint8_t who : once) ++seen[who];
    }
    REQUIRE(seen.size() == 20);
    for (const auto& [who, times] : seen) CHECK((times > 640 && times < 960));  // 800 expected
}

TEST_CASE("weighted: one by weight, weight 0 only when nothing else is left") {
    Fixture f;
    f.edit.set(name("w.example.org"),
               set_of(RrType::A, addresses(3), Draw::Weighted, 0, {0, 1, 3}));
    std::map<std::uint8_t, int> seen;
    for (int i = 0; i < 4000; ++i) {
        const Message message = f.ask("w.example.org", RrType::A);
        REQUIRE(message.records.size() == 1);
        ++seen[message.records[0].rdata[3]];
    }
    CHECK(seen[0] == 0);
    CHECK((seen[1] > 800 && seen[1] < 1200));
    f.edit.set(name("w.example.org"), set_of(RrType::A, addresses(2), Draw::Weighted, 0, {0, 0}));
    std::set<std::uint8_t> both;
    for (int i = 0; i < 100; ++i) {
        const Message message = f.ask("w.example.org", RrType::A);
        both.insert(message.records[0].rdata[3]);
    }
    CHECK(both.size() == 2);
}

TEST_CASE("RFC 2782: SRV targets bring their addresses, which never set TC") {
    Fixture f;
    std::vector<Octets> targets;
    for (int i = 0; i < 12; ++i) {
        const std::string target = "i-" + std::to_string(i) + ".web.example.org";
        targets.push_back(srv(static_cast<std::uint8_t>(80 + i), target));
        f.edit.set(name(target), set_of(RrType::A, addresses(1)));
    }
    f.edit.set(name("web.example.org"), set_of(RrType::SRV, targets, Draw::Sample, 12));
    const Message message = f.ask("web.example.org", RrType::SRV);
    CHECK(count(message, Section::Answer, RrType::SRV) == 12);
    CHECK(count(message, Section::Additional, RrType::A) < 12);
    CHECK_FALSE(message.truncated());
    CHECK(count(f.ask("web.example.org", RrType::SRV, 1232), Section::Additional, RrType::A) == 12);
}

TEST_CASE("RFC 1034 §4.3.2: aliases are followed inside our zones, and loops end") {
    Fixture f;
    f.edit.set(name("a.example.org"), set_of(RrType::CNAME, {octets_of("b.example.org")}));
    f.edit.set(name("b.example.org"), set_of(RrType::A, addresses(1)));
    const Message followed = f.ask("a.example.org", RrType::A);
    REQUIRE(followed.records.size() == 2);
    CHECK(followed.records[1].owner == name("b.example.org"));
    f.edit.set(name("b.example.org"), set_of(RrType::CNAME, {octets_of("ghost.example.org")}));
    f.edit.remove(name("b.example.org"), RrType::A);
    CHECK(f.ask("a.example.org", RrType::A).rcode() == Rcode::NxDomain);
    f.edit.set(name("b.example.org"), set_of(RrType::CNAME, {octets_of("a.example.org")}));
    CHECK(f.ask("a.example.org", RrType::A).rcode() == Rcode::NoError);
}

TEST_CASE("RFC 1034 §4.2.1: a referral is not authoritative and carries its glue") {
    Fixture f;
    f.edit.set(name("sub.example.org"), set_of(RrType::NS, {octets_of("ns.sub.example.org")}));
    f.edit.set(name("ns.sub.example.org"), set_of(RrType::A, addresses(1)));
    const Message message = f.ask("www.sub.example.org", RrType::A);
    CHECK_FALSE(message.authoritative());
    CHECK(count(message, Section::Authority, RrType::NS) == 1);
    CHECK(count(message, Section::Additional, RrType::A) == 1);
}

TEST_CASE("RFC 6891: versions, sizes and the identity of the server") {
    Fixture f;
    f.edit.set(name("web.example.org"), set_of(RrType::A, addresses(1)));
    const auto bad =
        f.ask(test::query("web.example.org", {.udp_payload = 1232, .edns_version = 1}));
    REQUIRE(bad);
    CHECK(bad->records.size() == 1);
    CHECK((bad->records[0].ttl >> 24) == 1);  // BADVERS is 16: its upper bits are 1
    CHECK(bad->records[0].type == RrType::OPT);
    const auto named = f.ask(test::query("web.example.org", {.udp_payload = 1232, .nsid = true}));
    REQUIRE(named);
    CHECK(Octets(named->records[1].rdata.begin(), named->records[1].rdata.end()) ==
          Octets{0, 3, 0, 4, 'h', 'e', 'r', 'e'});
    const auto twice =
        f.ask(test::query("web.example.org", {.udp_payload = 1232, .opt_records = 2}));
    REQUIRE(twice);
    CHECK(twice->rcode() == Rcode::FormErr);
}

TEST_CASE(
    "what is no query gets silence, what is a bad one FORMERR, what we do not serve its rcode") {
    Fixture f;
    CHECK_FALSE(f.ask(Octets{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0}));
    CHECK_FALSE(f.ask(test::query("example.org", {.flags = 0x8000})));
    CHECK(f.counters.silent.value() == 2);
    auto cut = test::query("example.org");
    cut.resize(cut.size() - 3);
    CHECK(f.ask(cut)->rcode() == Rcode::FormErr);
    CHECK(f.ask(test::query("example.org") + Octets{0})->rcode() == Rcode::FormErr);
    CHECK(f.counters.malformed.value() == 2);
    CHECK(f.ask(test::query("example.org", {.flags = 0x2000}))->rcode() == Rcode::NotImp);
    CHECK(f.ask(test::query("example.org", {.rr_class = 4}))->rcode() == Rcode::Refused);
    CHECK(f.ask(test::query("example.org", {.type = 252}))->rcode() == Rcode::Refused);
    const auto version = f.ask(test::query("Version.Server", {.type = 16, .rr_class = 3}));
    REQUIRE(version->records.size() == 1);
    CHECK(version->records[0].rdata[1] == 'd');
    CHECK(f.ask(test::query("id.server", {.type = 16, .rr_class = 3}))->rcode() == Rcode::Refused);
    const Message any = f.ask("example.org", RrType::ANY);
    CHECK(any.records.size() == 1);
}

TEST_CASE("a pointer that does not lead backwards ends the reading of a name") {
    Fixture f;
    auto octets = test::query("example.org");
    octets[12] = 0xc0;
    octets[13] = 12;
    CHECK(f.ask(octets)->rcode() == Rcode::FormErr);
}

TEST_CASE("what is answered is marked with the time at which it lapses") {
    Fixture f;
    const auto mark = std::make_shared<tree::Mark>();
    f.edit.set(name("web.example.org"), set_of(RrType::A, addresses(1), Draw::All, 0, {}, mark));
    f.ask("ghost.example.org", RrType::A);
    CHECK(mark->first_answered == 0);
    f.ask("web.example.org", RrType::A);
    CHECK(mark->first_answered == 1000);
    CHECK(mark->lapses == 6000);
}
