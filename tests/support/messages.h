// Responses of other servers as octets.
#pragma once

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

#include "tests/support/names.h"
#include "zone/wire/message.h"
#include "zone/wire/rdata.h"
#include "zone/wire/response.h"

namespace dnsd::test {

struct Line {
    wire::Section section;
    std::string_view owner;
    std::uint32_t ttl;
    wire::RrType type;
    std::string_view data;
};

inline wire::RecursiveQuestion asked(std::string_view qname, wire::RrType type = wire::RrType::A) {
    return {{name(qname), type, wire::RrClass::IN}};
}

inline std::vector<std::uint8_t> message(const wire::RecursiveQuestion& about,
                                         const std::vector<Line>& lines,
                                         wire::Rcode rcode = wire::Rcode::NoError,
                                         bool authentic = false) {
    wire::Query query;
    query.question = about.question;
    std::vector<std::uint8_t> octets(65'535);
    wire::ReplyWriter writer(query, octets, octets.size());
    for (const Line& line : lines) {
        const auto rdata = wire::parse_rdata(line.type, line.data, wire::Name());
        REQUIRE(rdata);
        REQUIRE(writer.add(line.section, name(line.owner), line.type, line.ttl, *rdata));
    }
    writer.set_rcode(rcode);
    if (authentic) writer.set_authentic_data();
    octets.resize(writer.finish(1232));
    return octets;
}

inline wire::Response response(const wire::RecursiveQuestion& about, const std::vector<Line>& lines,
                               wire::Rcode rcode = wire::Rcode::NoError) {
    auto decoded = wire::Response::decode(message(about, lines, rcode), about);
    REQUIRE(decoded);
    return *std::move(decoded);
}

}  // namespace dnsd::test
