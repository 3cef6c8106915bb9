#include "zone/wire/message.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::wire;

namespace {

using Octets = std::vector<std::uint8_t>;

Name name(std::string_view text) { return *Name::parse(text); }

Query query_for(std::string_view qname) {
    Query query;
    query.id = 7;
    query.question = Question{name(qname), RrType::A, RrClass::IN};
    return query;
}

}  // namespace

TEST_CASE(
    "RFC 1035 §4.1.4: names are compressed against what stands in the message, in its spelling") {
    const Query query = query_for("F.ISI.ARPA");
    Octets octets(512);
    ReplyWriter writer(query, octets, 512);
    const Name target = name("FOO.F.ISI.ARPA");
    REQUIRE(writer.add(Section::Answer, name("F.ISI.ARPA"), RrType::CNAME, 1, target.octets()));
    octets.resize(writer.finish(1232));
    const Octets record = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 6, 3, 'F', 'O', 'O', 0xc0, 12};
    CHECK(Octets(octets.end() - static_cast<std::ptrdiff_t>(record.size()), octets.end()) ==
          record);
    const auto message = decode_message(octets);
    REQUIRE(message);
    CHECK(message->questions[0].name.print() == "F.ISI.ARPA");
}

TEST_CASE("RFC 1035 §4.1.4: each suffix of the question is pointed to where it stands") {
    const std::string_view qname = "a.long-label.bc.example.org";
    const Query query = query_for(qname);
    for (std::size_t at = 0; at < qname.size(); at = qname.find('.', at) + 1) {
        CAPTURE(qname.substr(at));
        Octets octets(512);
        ReplyWriter writer(query, octets, 512);
        const Name suffix = name(qname.substr(at));
        REQUIRE(writer.add(Section::Answer, suffix.below("x").value(), RrType::A, 1, Octets(4)));
        octets.resize(writer.finish(1232));
        const std::size_t question_end = header_octets + query.question->name.size() + 4;
        const Octets owner(octets.begin() + static_cast<std::ptrdiff_t>(question_end),
                           octets.begin() + static_cast<std::ptrdiff_t>(question_end + 4));
        CHECK(owner == Octets{1, 'x', 0xc0, static_cast<std::uint8_t>(header_octets + at)});
        if (qname.find('.', at) == std::string_view::npos) break;
    }
}

TEST_CASE("RFC 2782: an SRV target is never compressed") {
    const Query query = query_for("example.org");
    Octets octets(512);
    ReplyWriter writer(query, octets, 512);
    Octets rdata = {0, 1, 0, 1, 0, 80};
    const Name target = name("example.org");
    rdata.insert(rdata.end(), target.octets().begin(), target.octets().end());
    REQUIRE(writer.add(Section::Answer, name("example.org"), RrType::SRV, 1, rdata));
    octets.resize(writer.finish(1232));
    CHECK(Octets(octets.end() - static_cast<std::ptrdiff_t>(rdata.size()), octets.end()) == rdata);
}

TEST_CASE("a record that does not fit leaves nothing behind, and nothing points into it") {
    const Query query = query_for("example.org");
    Octets octets(70);
    ReplyWriter writer(query, octets, 70);
    const Octets rdata(40, 1);
    CHECK_FALSE(writer.add(Section::Answer, name("a.example.net"), RrType::TXT, 1, rdata));
    REQUIRE(writer.add(Section::Answer, name("a.example.net"), RrType::A, 1, Octets{192, 0, 2, 1}));
    octets.resize(writer.finish(1232));
    const auto message = decode_message(octets);
    REQUIRE(message);
    REQUIRE(message->records.size() == 1);
    CHECK(message->records[0].owner == name("a.example.net"));
}

TEST_CASE("records that are taken back leave nothing behind, and nothing points into them") {
    const Query query = query_for("example.org");
    Octets octets(512);
    ReplyWriter writer(query, octets, 512);
    const auto address = Octets{192, 0, 2, 1};
    REQUIRE(writer.add(Section::Answer, name("example.org"), RrType::A, 1, address));
    const ReplyWriter::Place place = writer.place();
    REQUIRE(writer.add(Section::Additional, name("a.example.net"), RrType::A, 1, address));
    writer.roll_back(place);
    REQUIRE(writer.add(Section::Additional, name("b.example.net"), RrType::A, 2, address));
    octets.resize(writer.finish(1232));
    const auto message = decode_message(octets);
    REQUIRE(message);
    REQUIRE(message->records.size() == 2);
    CHECK(message->records[1].owner == name("b.example.net"));
    CHECK(message->records[1].section == Section::Additional);
}

TEST_CASE(
    "RFC 6891 §6.1.1: the OPT RR of a message with another opcode is found, if it is readable") {
    auto octets = encode_query(7, {name("example.org"), RrType::A, RrClass::IN}, 1400);
    octets[2] = 0x10;  // STATUS
    const auto query = decode_query(octets);
    REQUIRE(query);
    REQUIRE(query->edns);
    CHECK(query->edns->udp_payload_octets == 1400);
    CHECK_FALSE(query->question);
    octets.pop_back();
    const auto shorter = decode_query(octets);
    REQUIRE(shorter);
    CHECK_FALSE(shorter->edns);
}

TEST_CASE("an option that does not fit is left out, and those behind it that fit are not") {
    Query query = query_for("example.org");
    query.edns = Edns{.asks_nsid = true};
    Octets octets(60);
    ReplyWriter writer(query, octets, 60);
    writer.set_keepalive(100);
    const Octets nsid(40, 'x');
    octets.resize(writer.finish(1232, nsid));
    const auto message = decode_message(octets);
    REQUIRE(message);
    REQUIRE(message->records.size() == 1);
    const auto rdata = message->records[0].rdata;
    CHECK(Octets(rdata.begin(), rdata.end()) == Octets{0, 11, 0, 2, 0, 100});
}

TEST_CASE("RFC 6891: room for the OPT RR is kept however full the message is") {
    Query query = query_for("example.org");
    query.edns = Edns{};
    Octets octets(80);
    ReplyWriter writer(query, octets, 80);
    while (writer.add(Section::Answer, name("example.org"), RrType::A, 1, Octets{192, 0, 2, 1})) {
    }
    writer.set_truncated();
    writer.set_rcode(Rcode::BadVers);
    octets.resize(writer.finish(1232));
    const auto message = decode_message(octets);
    REQUIRE(message);
    CHECK(message->records.back().type == RrType::OPT);
    CHECK(message->records.back().rr_class == 1232);
    CHECK((message->records.back().ttl >> 24) == 1);
    CHECK(message->truncated());
}

TEST_CASE("a glance at a question sees what the decoder reads, or nothing") {
    const Question question{name("WwW.example.org"), RrType::SRV, RrClass::IN};
    const auto query = encode_query(1, question, 1232);
    const auto seen = glance_at_question(query);
    REQUIRE(seen);
    CHECK(equal_names(seen->name, question.name.octets()));
    CHECK(seen->type == RrType::SRV);
    // Cut off anywhere in the question, with two questions, or with a pointer in the name.
    for (std::size_t size = 0; size < header_octets + question.name.size() + 4; ++size)
        CHECK_FALSE(glance_at_question(std::span(query).first(size)));
    auto other = query;
    other[5] = 2;
    CHECK_FALSE(glance_at_question(other));
    other = query;
    other[header_octets] = 0xc0;
    CHECK_FALSE(glance_at_question(other));
}

TEST_CASE("a glance tells queries of a question, and of an OPT RR at most, from others") {
    const auto query = encode_query(1, {name("www.example.org"), RrType::A, RrClass::IN}, 1232);
    const std::size_t opt_at = query.size() - 11;
    const auto is_all = [](const std::vector<std::uint8_t>& octets) {
        const auto seen = glance_at_question(octets);
        REQUIRE(seen);
        return seen->is_all;
    };
    CHECK(is_all(query));
    auto bare = query;
    bare[11] = 0;
    bare.resize(opt_at);
    CHECK(is_all(bare));
    for (const std::size_t count : {7U, 9U, 10U}) {
        auto other = query;
        other[count] = 1;
        CHECK_FALSE(is_all(other));
    }
    auto two = query;
    two[11] = 2;
    CHECK_FALSE(is_all(two));
    auto is_signed = query;
    is_signed[opt_at + 2] = static_cast<std::uint8_t>(RrType::TSIG);
    CHECK_FALSE(is_all(is_signed));
    CHECK_FALSE(is_all({query.begin(), query.end() - 1}));
}
