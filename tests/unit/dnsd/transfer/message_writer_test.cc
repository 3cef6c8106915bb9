#include "dnsd/transfer/message_writer.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace dnsd::transfer::test;
using dnsd::test::name;
using wire::RrType;

namespace {

wire::Query axfr_query() {
    wire::Query query;
    query.id = 0x1234;
    query.question = wire::Question{name("example.org"), RrType::AXFR, wire::RrClass::IN};
    return query;
}

}  // namespace

TEST_CASE("RFC 5936 §2.2: the first message has the question and the OPT RR, the others neither") {
    wire::Query query = axfr_query();
    query.edns = wire::Edns{};
    query.recursion_desired = true;
    const auto soa = soa_of(1);
    const wire::Name owner = name("example.org");
    for (const bool is_first : {true, false}) {
        MessageWriter writer(query, is_first, 16'384);
        CHECK(writer.is_empty());
        REQUIRE(writer.add({owner.octets(), RrType::SOA, 300, soa->rdata(0)}));
        const auto octets = writer.finish();
        const auto message = wire::decode_message(octets);
        REQUIRE(message);
        CHECK(message->id == 0x1234);
        CHECK(message->is_response());
        CHECK(message->authoritative());
        CHECK((message->flags & 0x0100) != 0);
        CHECK(message->questions.size() == (is_first ? 1 : 0));
        CHECK(message->records.size() == (is_first ? 2 : 1));
        if (is_first) CHECK(message->records.back().type == RrType::OPT);
    }
}

TEST_CASE("names are compressed against all that the message holds, and read back as they were") {
    std::vector<std::pair<wire::Name, std::shared_ptr<const tree::RRset>>> rrsets = {
        {name("example.org"), soa_of(1)},
        {name("example.org"), rrset_of(RrType::NS, {"ns.example.org."})},
        {name("example.org"), rrset_of(RrType::MX, {"10 mail.Example.org."})},
        {name("a.a.example.org"), rrset_of(RrType::CNAME, {"a.a.a.example.org."})},
        {name("_sip._tcp.example.org"), rrset_of(RrType::SRV, {"1 2 3 ns.example.org."})},
        {name("x.example.org"), rrset_of(RrType::TXT, {"\"text\""})},
    };
    for (int i = 0; i < 700; ++i) {
        rrsets.emplace_back(name("h" + std::to_string(i) + ".sub.example.org"),
                            rrset_of(RrType::PTR, {"x" + std::to_string(i) + ".example.com."}));
    }
    MessageWriter writer(axfr_query(), true, 65'535);
    std::size_t plain = 0;
    for (const auto& [owner, rrset] : rrsets) {
        REQUIRE(writer.add({owner.octets(), rrset->type(), rrset->ttl(), rrset->rdata(0)}));
        plain += owner.size() + 10 + rrset->rdata(0).size();
    }
    const auto octets = writer.finish();
    CHECK(octets.size() < plain * 7 / 10);
    const auto message = wire::decode_message(octets);
    REQUIRE(message);
    REQUIRE(message->records.size() == rrsets.size());
    for (std::size_t i = 0; i < rrsets.size(); ++i) {
        const auto& [owner, rrset] = rrsets[i];
        const wire::Record& record = message->records[i];
        CHECK(std::ranges::equal(record.owner.octets(), owner.octets()));
        const auto at = static_cast<std::size_t>(record.rdata.data() - octets.data());
        const auto rdata = wire::decode_rdata(record.type, octets, at, record.rdata.size());
        REQUIRE(rdata);
        CHECK(std::ranges::equal(*rdata, rrset->rdata(0)));  // spelling included
    }
}

TEST_CASE("what does not fit leaves no trace") {
    MessageWriter writer(axfr_query(), true, 600);
    const wire::Name owner = name("a.example.org"), other = name("b.example.org");
    const auto text = rrset_of(RrType::TXT, {std::string(250, 'x')});
    const auto pointer = rrset_of(RrType::PTR, {"host.b.example.org."});
    REQUIRE(writer.add({owner.octets(), RrType::TXT, 1, text->rdata(0)}));
    REQUIRE(writer.add({owner.octets(), RrType::TXT, 1, text->rdata(0)}));
    CHECK_FALSE(writer.add({other.octets(), RrType::TXT, 1, text->rdata(0)}));
    // Its owner is not pointed to.
    REQUIRE(writer.add({other.octets(), RrType::PTR, 1, pointer->rdata(0)}));
    const auto octets = writer.finish();
    CHECK(octets.size() <= 600);
    const auto message = wire::decode_message(octets);
    REQUIRE(message);
    REQUIRE(message->records.size() == 3);
    CHECK(message->records[2].owner == other);
}
