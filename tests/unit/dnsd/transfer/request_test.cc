#include "dnsd/transfer/request.h"

#include <doctest/doctest.h>

#include "tests/support/queries.h"
#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using dnsd::test::name;

namespace {

constexpr std::uint16_t axfr = 252, ixfr = 251;

// An IXFR query with so many SOAs in its authority section, their names compressed.
std::vector<std::uint8_t> ixfr_query(std::uint32_t serial, int soas = 1,
                                     std::string_view owner = "example.org") {
    wire::Query query;
    query.id = 7;
    query.edns = wire::Edns{};
    query.question = wire::Question{name("example.org"), wire::RrType::IXFR, wire::RrClass::IN};
    std::vector<std::uint8_t> octets(1232);
    wire::ReplyWriter writer(query, octets, octets.size());
    const auto soa = transfer::test::soa_of(serial);
    for (int i = 0; i < soas; ++i) {
        REQUIRE(
            writer.add(wire::Section::Authority, name(owner), wire::RrType::SOA, 0, soa->rdata(0)));
    }
    octets.resize(writer.finish(1400));
    octets[2] = octets[3] = 0;
    return octets;
}

}  // namespace

TEST_CASE("AXFR and IXFR queries are told from others") {
    CHECK(is_transfer_request(dnsd::test::query("example.org", {.type = axfr})));
    CHECK(is_transfer_request(dnsd::test::query("example.org", {.type = ixfr})));
    CHECK_FALSE(is_transfer_request(dnsd::test::query("example.org", {.type = 6})));
    CHECK_FALSE(
        is_transfer_request(dnsd::test::query("example.org", {.type = axfr, .flags = 0x2000})));
    auto cut = dnsd::test::query("example.org", {.type = axfr});
    cut.resize(cut.size() - 3);
    CHECK_FALSE(is_transfer_request(cut));
}

TEST_CASE("an AXFR query is its question, and what EDNS says") {
    const auto request =
        decode_request(dnsd::test::query("example.org", {.type = axfr, .udp_payload = 1400}));
    REQUIRE(request);
    CHECK(request->query.id == 0x1234);
    CHECK(request->query.recursion_desired);
    CHECK(request->query.question->name == name("example.org"));
    CHECK(request->query.edns->udp_payload_octets == 1400);
    CHECK_FALSE(request->serial);
}

TEST_CASE("RFC 1995 §3: an IXFR query says in its authority section what the client has") {
    const auto request = decode_request(ixfr_query(4'000'000'000));
    REQUIRE(request);
    CHECK(request->serial == 4'000'000'000);
    CHECK(request->query.edns->udp_payload_octets == 1400);
    CHECK_FALSE(decode_request(ixfr_query(1, 0)));
    CHECK_FALSE(decode_request(ixfr_query(1, 2)));
    CHECK_FALSE(decode_request(ixfr_query(1, 1, "example.net")));
}

TEST_CASE("what is malformed is echoed by its header") {
    auto octets = dnsd::test::query("example.org", {.type = axfr, .udp_payload = 1400});
    octets.pop_back();
    const auto request = decode_request(octets);
    REQUIRE_FALSE(request);
    CHECK(request.error().id == 0x1234);
    CHECK_FALSE(decode_request(
        dnsd::test::query("example.org", {.type = axfr, .udp_payload = 1400, .opt_records = 2})));
}
