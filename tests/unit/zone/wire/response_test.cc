#include "zone/wire/response.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/support/messages.h"

using namespace dnsd;
using namespace dnsd::wire;
using test::asked;
using test::Line;

namespace {

constexpr auto answer = Section::Answer, authority = Section::Authority,
               additional = Section::Additional;
constexpr std::string_view soa = "ns.example.org. host.example.org. 1 2 3 4 60";

std::vector<std::string> shown(const Response& response) {
    std::vector<std::string> lines;
    Response::Records records(response);
    Response::View view{};
    while (records.next(view))
        lines.push_back(fmt::format("{} {} {} {}", response.owner(view).print(), view.ttl,
                                    print(view.type), print_rdata(view.type, view.rdata)));
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a response is kept with its records, uncompressed, each name once") {
    const auto about = asked("www.example.org");
    const std::vector<Line> lines = {
        {answer, "www.example.org", 300, RrType::CNAME, "web.example.org."},
        {answer, "web.example.org", 60, RrType::A, "192.0.2.1"},
        {answer, "web.example.org", 60, RrType::A, "192.0.2.2"}};
    const Response kept = test::response(about, lines);
    CHECK(shown(kept) == Lines{"www.example.org 300 CNAME web.example.org.",
                               "web.example.org 60 A 192.0.2.1", "web.example.org 60 A 192.0.2.2"});
    CHECK(kept.lifetime() == 60);
    CHECK(kept.rotatable_at() == 1);
    CHECK(kept.rotatable() == 2);
    CHECK_FALSE(kept.is_negative());
    CHECK(kept.octets() < 250);
}

TEST_CASE("RFC 2181 §5.2: an RRset has one TTL, the least; §8: a TTL with its top bit set is 0") {
    const auto about = asked("www.example.org");
    const Response kept =
        test::response(about, {{answer, "www.example.org", 300, RrType::A, "192.0.2.1"},
                               {answer, "www.example.org", 100, RrType::A, "192.0.2.2"}});
    CHECK(shown(kept)[0] == "www.example.org 100 A 192.0.2.1");
    CHECK(test::response(about, {{answer, "www.example.org", 0x8000'0000, RrType::A, "192.0.2.1"}})
              .lifetime() == 0);
}

TEST_CASE("RFC 2308 §5: a negative answer lives as long as the SOA and its MINIMUM say") {
    const auto about = asked("none.example.org");
    const auto lifetime = [&](std::uint32_t ttl, Rcode rcode) {
        const Response kept =
            test::response(about, {{authority, "example.org", ttl, RrType::SOA, soa}}, rcode);
        CHECK(kept.is_negative());
        CHECK(kept.rcode() == rcode);
        return kept.lifetime();
    };
    CHECK(lifetime(600, Rcode::NxDomain) == 60);
    CHECK(lifetime(10, Rcode::NoError) == 10);
    CHECK(test::response(about, {}, Rcode::NxDomain).lifetime() == 0);
    // The SOA of a zone that does not hold the name says nothing of it.
    CHECK(test::response(about, {{authority, "example.net", 60, RrType::SOA, soa}}, Rcode::NxDomain)
              .lifetime() == 0);
}

TEST_CASE("what was not asked for is not kept") {
    const auto about = asked("www.example.org");
    const Response kept =
        test::response(about, {{answer, "www.example.org", 60, RrType::A, "192.0.2.1"},
                               {answer, "www.example.org", 60, RrType::TXT, "\"x\""},
                               {answer, "bank.example.net", 60, RrType::A, "192.0.2.66"},
                               {authority, "example.org", 60, RrType::NS, "ns.example.org."},
                               {additional, "ns.example.org", 60, RrType::A, "192.0.2.66"}});
    CHECK(shown(kept) == Lines{"www.example.org 60 A 192.0.2.1"});
}

TEST_CASE("addresses of the targets of SRV records are kept, and of nothing else") {
    const auto about = asked("_web._tcp.example.org", RrType::SRV);
    const Response kept = test::response(
        about, {{answer, "_web._tcp.example.org", 60, RrType::SRV, "0 1 80 a.example.org."},
                {additional, "a.example.org", 30, RrType::A, "192.0.2.1"},
                {additional, "b.example.org", 30, RrType::A, "192.0.2.2"}});
    CHECK(shown(kept) == Lines{"_web._tcp.example.org 60 SRV 0 1 80 a.example.org.",
                               "a.example.org 30 A 192.0.2.1"});
}

TEST_CASE("RFC 6672 §3.1: a DNAME is kept before the CNAME that it makes") {
    const auto about = asked("a.old.example");
    const Response kept =
        test::response(about, {{answer, "old.example", 60, RrType::DNAME, "new.example."},
                               {answer, "a.old.example", 60, RrType::CNAME, "a.new.example."},
                               {answer, "a.new.example", 60, RrType::A, "192.0.2.1"}});
    CHECK(shown(kept).size() == 3);
    CHECK(shown(kept)[0] == "old.example 60 DNAME new.example.");
}

TEST_CASE("a chain in a circle ends") {
    const auto about = asked("a.example.org");
    const Response kept =
        test::response(about, {{answer, "a.example.org", 60, RrType::CNAME, "b.example.org."},
                               {answer, "b.example.org", 60, RrType::CNAME, "a.example.org."}});
    CHECK(shown(kept).size() < 40);
}

TEST_CASE("an answer to another question, a cut one, and a referral are no responses") {
    const auto about = asked("www.example.org");
    const std::vector<Line> lines = {{answer, "www.example.org", 60, RrType::A, "192.0.2.1"}};
    const auto octets = test::message(about, lines);
    CHECK(Response::decode(octets, about));
    CHECK_FALSE(Response::decode(octets, asked("ftp.example.org")));
    CHECK_FALSE(Response::decode(octets, asked("www.example.org", RrType::AAAA)));
    auto query = octets, cut = octets;
    query[2] &= 0x7f;
    cut[2] |= 0x02;
    CHECK_FALSE(Response::decode(query, about));
    CHECK_FALSE(Response::decode(cut, about));
    CHECK_FALSE(Response::decode(std::span(octets).first(octets.size() - 1), about));
    CHECK_FALSE(Response::decode(
        test::message(about, {{authority, "example.org", 60, RrType::NS, "ns.example.org."}}),
        about));
}

TEST_CASE("TTLs are clamped in the records and in the lifetime") {
    const auto about = asked("www.example.org");
    Response kept =
        test::response(about, {{answer, "www.example.org", 300, RrType::CNAME, "web.example.org."},
                               {answer, "web.example.org", 5, RrType::A, "192.0.2.1"}});
    kept.clamp_ttls(10, 100);
    CHECK(kept.lifetime() == 10);
    CHECK(shown(kept) ==
          Lines{"www.example.org 100 CNAME web.example.org.", "web.example.org 10 A 192.0.2.1"});
}

TEST_CASE("a failure says why") {
    const Response failure = Response::failure(asked("www.example.org").question, Rcode::ServFail,
                                               ExtendedError::NetworkError, "reason", 1);
    CHECK(failure.is_failure());
    CHECK(failure.rcode() == Rcode::ServFail);
    CHECK(failure.text() == "reason");
    CHECK(shown(failure).empty());
}
