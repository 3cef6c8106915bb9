// Any octets as what an upstream answers: what is kept of them can be walked, and written as a
// reply that decodes. The first octet chooses the question.
#include "base/assert.h"
#include "zone/wire/response.h"

using namespace dnsd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<wire::RecursiveQuestion> questions = {
        {{*wire::Name::parse("www.example.org"), wire::RrType::A, wire::RrClass::IN}},
        {{*wire::Name::parse("www.example.org"), wire::RrType::ANY, wire::RrClass::IN}},
        {{*wire::Name::parse("_web._tcp.example.org"), wire::RrType::SRV, wire::RrClass::IN}, true},
        {{wire::Name(), wire::RrType::NS, wire::RrClass::IN}, false, true}};
    if (size == 0) return 0;
    const wire::RecursiveQuestion& asked = questions[data[0] % questions.size()];
    auto response = wire::Response::decode(std::span(data, size).subspan(1), asked);
    if (!response) return 0;
    response->clamp_ttls(1, 100);
    DNSD_ASSERT(response->question_name() == asked.question.name);
    DNSD_ASSERT(response->lifetime() >= 1 && response->lifetime() <= 100);
    wire::Query query;
    query.question = asked.question;
    std::vector<std::uint8_t> octets(65'535);
    wire::ReplyWriter writer(query, octets, octets.size());
    wire::Response::Records records(*response);
    wire::Response::View view{};
    std::size_t count = 0;
    for (; records.next(view); ++count) {
        DNSD_ASSERT(view.ttl >= 1 && view.ttl <= 100);
        if (!writer.add(view.section, response->owner(view), view.type, view.ttl, view.rdata))
            break;
    }
    DNSD_ASSERT(response->rotatable_at() + response->rotatable() <= count || count > 1000);
    const auto message = wire::decode_message(std::span(octets).first(writer.finish(1232)));
    DNSD_ASSERT(message && message->records.size() == count);
    return 0;
}
