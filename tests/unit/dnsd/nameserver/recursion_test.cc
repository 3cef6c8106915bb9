// Names outside our zones, as answer() puts them into replies; what is known of them stands in a
// table.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "dnsd/nameserver/answer.h"
#include "tests/support/messages.h"
#include "tests/support/queries.h"
#include "tests/support/zones.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::nameserver;
using test::asked;
using test::Line;
using test::name;
using wire::Rcode;
using wire::RecursiveQuestion;
using wire::RrType;
using wire::Section;

namespace {

constexpr std::string_view soa = "ns.example.net. host.example.net. 1 2 3 4 60";

struct Table final : Recursion {
    std::vector<Resolved> known;
    std::vector<RecursiveQuestion> wanted;  // what was looked for in vain

    bool is_available() const noexcept override { return true; }
    std::optional<wire::AgedResponse> find(const RecursiveQuestion& question) override {
        for (const Resolved& one : known) {
            if (one.question == question) return one.aged;
        }
        wanted.push_back(question);
        return std::nullopt;
    }
    void resolve(const RecursiveQuestion&, const IpAddress&,
                 std::function<void(wire::AgedResponse)>) override {
        FAIL("answer() asks nobody");
    }
};

struct Fixture {
    Table table;
    tree::ZoneEdit edit{tree::Zone::make(name("example.org"))};
    AnswerOptions options{.recursion_allow = {*Network::parse("127.0.0.0/8")}};
    AnswerCounters counters;
    Random random{1};
    std::vector<std::uint8_t> octets;

    Fixture() {
        set("example.org", RrType::SOA, "ns.example.org. host.example.org. 1 2 3 4 7");
        set("alias.example.org", RrType::CNAME, "www.example.net.");
        set("web.example.org", RrType::A, "192.0.2.7");
    }
    void set(std::string_view owner, RrType type, std::string_view data) {
        edit.set(name(owner), test::rrset(type, *wire::parse_rdata(type, data, wire::Name())));
    }
    void know(std::string_view qname, const std::vector<Line>& lines, Rcode rcode = Rcode::NoError,
              wire::AgedResponse aged = {}, RrType type = RrType::A) {
        aged.response = std::make_shared<const wire::Response>(
            test::response(asked(qname, type), lines, rcode));
        table.known.push_back({asked(qname, type), aged});
    }
    void know_nothing_at(std::string_view qname, std::uint32_t ttl = 60) {
        know(qname, {{Section::Authority, ".", ttl, RrType::SOA, soa}}, Rcode::NxDomain);
    }

    Outcome outcome(std::string_view qname, test::QueryShape shape = {}) {
        const auto zones = tree::ZoneSet().with(edit.finish());
        octets.assign(65'535, 0xee);
        const AnswerContext context{
            *zones, options,  Transport::Udp,       WallTime(Milliseconds(1000)),
            random, counters, Ipv4{{127, 0, 0, 1}}, &table};
        return answer(test::query(qname, shape), context, octets);
    }
    // "RCODE[ aa]" and the records, without OPT.
    std::vector<std::string> ask(std::string_view qname, test::QueryShape shape = {}) {
        const Outcome done = outcome(qname, shape);
        REQUIRE_FALSE(done.wanted);
        octets.resize(done.octets);
        const auto message = wire::decode_message(octets);
        REQUIRE(message);
        std::vector<std::string> shown = {wire::print(message->rcode()) +
                                          (message->authoritative() ? " aa" : "") +
                                          ((message->flags & 0x0080) != 0 ? " ra" : "")};
        for (const wire::Record& record : message->records) {
            if (record.type == RrType::OPT) continue;
            const auto rdata = wire::decode_rdata(
                record.type, octets, static_cast<std::size_t>(record.rdata.data() - octets.data()),
                record.rdata.size());
            shown.push_back(fmt::format("{} {} {} {}", record.owner.print(), record.ttl,
                                        wire::print(record.type),
                                        wire::print_rdata(record.type, *rdata)));
        }
        return shown;
    }
};

using Shown = std::vector<std::string>;

}  // namespace

TEST_CASE("what is not known is wanted, and nothing is answered or counted") {
    Fixture f;
    const Outcome outcome = f.outcome("www.example.net");
    CHECK(outcome.octets == 0);
    REQUIRE(outcome.wanted);
    CHECK(outcome.wanted->question.name == name("www.example.net"));
    CHECK(f.counters.queries.value() == 0);
    // Without RD nobody is asked, and nothing is told.
    CHECK(f.ask("www.example.net", {.flags = 0}) == Shown{"REFUSED ra"});
}

TEST_CASE("TTLs are lowered by the age, and stale answers have theirs") {
    Fixture f;
    const std::vector<Line> lines = {
        {Section::Answer, "www.example.net", 60, RrType::A, "192.0.2.1"}};
    f.know("www.example.net", lines, Rcode::NoError, {.age = 20, .ttl_lowered = 20});
    CHECK(f.ask("www.example.net") == Shown{"NOERROR ra", "www.example.net 40 A 192.0.2.1"});
    f.table.known.clear();
    f.know("www.example.net", lines, Rcode::NoError,
           {.age = 90, .ttl_lowered = 90, .is_stale = true, .stale_ttl = 30, .stale_for = 30});
    CHECK(f.ask("www.example.net") == Shown{"NOERROR ra", "www.example.net 30 A 192.0.2.1"});
}

TEST_CASE("an alias of ours that leads out is completed for those who may recurse") {
    Fixture f;
    CHECK(f.outcome("alias.example.org").wanted->question.name == name("www.example.net"));
    f.know("www.example.net", {{Section::Answer, "www.example.net", 60, RrType::A, "192.0.2.1"}});
    CHECK(f.ask("alias.example.org") == Shown{"NOERROR aa ra",
                                              "alias.example.org 300 CNAME www.example.net.",
                                              "www.example.net 60 A 192.0.2.1"});
    CHECK(f.ask("alias.example.org", {.flags = 0}) ==
          Shown{"NOERROR aa ra", "alias.example.org 300 CNAME www.example.net."});
    f.options.recursion_allow.clear();
    CHECK(f.ask("alias.example.org") ==
          Shown{"NOERROR aa", "alias.example.org 300 CNAME www.example.net."});
}

TEST_CASE("a chain from outside that leads to us is completed by us, whatever the upstream said") {
    Fixture f;
    f.know("out.example.net",
           {{Section::Answer, "out.example.net", 60, RrType::CNAME, "web.example.org."},
            {Section::Answer, "web.example.org", 60, RrType::A, "192.0.2.66"}});
    CHECK(f.ask("out.example.net") == Shown{"NOERROR ra",
                                            "out.example.net 60 CNAME web.example.org.",
                                            "web.example.org 300 A 192.0.2.7"});
}

TEST_CASE("a chain between us and others ends") {
    Fixture f;
    f.know("www.example.net",
           {{Section::Answer, "www.example.net", 60, RrType::CNAME, "alias.example.org."}});
    CHECK(f.ask("alias.example.org").size() == 3);
}

TEST_CASE("a search list is walked: the least negative TTL, the first name that exists") {
    Fixture f;
    f.options.search_lists = {
        {*Network::parse("127.0.0.0/8"),
         {name("a.cluster.example"), name("cluster.example"), name("example.org")}}};
    f.know_nothing_at("web.a.cluster.example", 50);
    f.know_nothing_at("web.cluster.example", 40);
    CHECK(f.ask("web.a.cluster.example") == Shown{"NOERROR ra",
                                                  "web.a.cluster.example 40 CNAME web.example.org.",
                                                  "web.example.org 300 A 192.0.2.7"});
    CHECK(f.counters.completed.value() == 1);
    // NODATA stops the walk as an answer does.
    f.know("mail.a.cluster.example", {{Section::Authority, ".", 60, RrType::SOA, soa}});
    CHECK(f.ask("mail.a.cluster.example").size() == 2);
    // In our own zone it does not exist either: bare, and then nowhere.
    f.know_nothing_at("www.example.net.a.cluster.example");
    f.know_nothing_at("www.example.net.cluster.example");
    CHECK(f.outcome("www.example.net.a.cluster.example").wanted->question.name ==
          name("www.example.net"));
    f.know_nothing_at("www.example.net");
    CHECK(f.ask("www.example.net.a.cluster.example")[0] == "NXDOMAIN ra");
    // Other networks, and names below other domains, are left alone.
    CHECK(f.ask("web.cluster.example")[0] == "NXDOMAIN ra");
}

TEST_CASE("RFC 6761: localhost is known here, invalid does not exist, and neither is asked for") {
    Fixture f;
    CHECK(f.ask("localhost") == Shown{"NOERROR ra", "localhost 86400 A 127.0.0.1"});
    CHECK(f.ask("api.localhost", {.type = 28}) ==
          Shown{"NOERROR ra", "api.localhost 86400 AAAA ::1"});
    CHECK(f.ask("localhost", {.type = 16}) == Shown{"NOERROR ra"});
    CHECK(f.ask("some.invalid") == Shown{"NXDOMAIN ra"});
    CHECK(f.table.wanted.empty());
}

TEST_CASE("the last RRset starts at any of its records") {
    Fixture f;
    f.know("www.example.net",
           {{Section::Answer, "www.example.net", 60, RrType::CNAME, "w.example.net."},
            {Section::Answer, "w.example.net", 60, RrType::A, "192.0.2.1"},
            {Section::Answer, "w.example.net", 60, RrType::A, "192.0.2.2"},
            {Section::Answer, "w.example.net", 60, RrType::A, "192.0.2.3"}});
    std::map<std::string, int> first;
    for (int i = 0; i < 300; ++i) {
        const auto shown = f.ask("www.example.net");
        REQUIRE(shown.size() == 5);
        CHECK(shown[1] == "www.example.net 60 CNAME w.example.net.");
        ++first[shown[2]];
    }
    CHECK(first.size() == 3);
    for (const auto& [record, times] : first) CHECK(times > 50);
}
