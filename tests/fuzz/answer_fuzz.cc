// Any octets: a reply decodes, echoes the id, fits, and is never given to a response.
#include <vector>

#include "base/assert.h"
#include "dnsd/nameserver/answer.h"
#include "tests/support/zones.h"
#include "zone/wire/message.h"
#include "zone/wire/tsig.h"

using namespace dnsd;
using namespace dnsd::nameserver;
using wire::RrType;

namespace {

std::vector<std::uint8_t> octets_of(std::string_view text) {
    const wire::Name name = test::name(text);
    return {name.octets().begin(), name.octets().end()};
}

std::shared_ptr<const tree::ZoneSet> zones() {
    tree::ZoneEdit edit(tree::Zone::make(test::name("org")));
    std::vector<std::uint8_t> soa = octets_of("ns.org");
    soa.insert(soa.end(), soa.begin(), soa.end());
    soa.resize(soa.size() + 20);
    edit.set(test::name("org"), test::rrset(RrType::SOA, soa));
    std::vector<tree::Rdata> many;
    for (std::uint8_t i = 0; i < 100; ++i) many.push_back({{192, 0, 2, i}, i});
    edit.set(test::name("a.org"), std::make_shared<const tree::RRset>(RrType::A, 5, many));
    edit.set(test::name("b.org"), std::make_shared<const tree::RRset>(
                                      RrType::A, 5, many, tree::Draw::Sample, std::uint16_t{8}));
    edit.set(test::name("c.org"),
             std::make_shared<const tree::RRset>(RrType::A, 5, many, tree::Draw::Weighted));
    std::vector<std::uint8_t> srv = {0, 1, 0, 1, 0, 80};
    const auto target = octets_of("b.org");
    srv.insert(srv.end(), target.begin(), target.end());
    edit.set(test::name("s.org"), test::rrset(RrType::SRV, srv));
    edit.set(test::name("x.org"), test::rrset(RrType::CNAME, octets_of("x.org")));
    edit.set(test::name("d.org"), test::rrset(RrType::DNAME, octets_of("d.d.org")));
    edit.set(test::name("n.org"), test::rrset(RrType::NS, octets_of("a.n.org")));
    edit.set(test::name("a.n.org"), test::rrset(RrType::A));
    edit.set(test::name("*.w.org"), test::rrset(RrType::A));
    return tree::ZoneSet().with(edit.finish());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto served = zones();
    static const AnswerOptions options{
        .nsid = "nsid", .version = "v", .server_id = "i", .udp_payload_octets_max = 1232};
    static const CookieSecrets secrets({CookieSecrets::Secret{}});
    const std::span octets(data, size);
    for (const Transport transport : {Transport::Udp, Transport::Tcp}) {
        AnswerCounters counters;
        Random random(1);
        std::vector<std::uint8_t> reply(65'535);
        AnswerContext context{*served, options, transport, WallTime(Milliseconds(1)),
                              random,  counters};
        context.cookies = &secrets;
        const std::size_t replied = answer(octets, context, reply).octets;
        if (const auto question = wire::glance_at_question(octets)) {
            DNSD_ASSERT(!question->is_all || !wire::has_tsig(octets));
            tree::LookAhead ahead;
            ahead.add(*served, question->name, question->type);
            ahead.fetch();
            context.ahead = ahead[0];
            random.seed(1);
            std::vector<std::uint8_t> same(65'535);
            DNSD_ASSERT(answer(octets, context, same).octets == replied && same == reply);
        }
        if (replied == 0) {
            DNSD_ASSERT(size < wire::header_octets || (data[2] & 0x80) != 0);
            continue;
        }
        DNSD_ASSERT(transport == Transport::Tcp || replied <= 1232);
        const auto message = wire::decode_message(std::span(reply).first(replied));
        DNSD_ASSERT(message.has_value());
        DNSD_ASSERT(message->id == (data[0] << 8 | data[1]));
        DNSD_ASSERT((message->flags & 0x8000) != 0);
    }
    return 0;
}
