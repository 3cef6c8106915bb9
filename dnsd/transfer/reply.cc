#include "dnsd/transfer/reply.h"

#include <algorithm>

#include "zone/wire/reader.h"

namespace dnsd::transfer {

namespace {

constexpr std::uint16_t udp_payload_octets = 1232;
constexpr std::size_t text_octets_max = 400;  // so that most signed replies fit a datagram

// decode_query() reads questions and OPT RRs of queries alone.
wire::Query heading_of(std::span<const std::uint8_t> octets) {
    wire::Reader reader(octets);
    wire::Query heading;
    heading.id = reader.u16();
    const std::uint16_t flags = reader.u16();
    heading.opcode = static_cast<wire::Opcode>((flags >> 11) & 0x0f);
    heading.recursion_desired = (flags & 0x0100) != 0;
    const auto decoded = wire::decode_message(octets);
    if (!decoded) return heading;
    if (!decoded->questions.empty()) heading.question = decoded->questions.front();
    for (const wire::Record& record : decoded->records) {
        if (record.section != wire::Section::Additional || record.type != wire::RrType::OPT)
            continue;
        heading.edns = wire::Edns{};
        heading.edns->udp_payload_octets = std::max(record.rr_class, std::uint16_t{512});
    }
    return heading;
}

// Cut where a character begins (RFC 3629): the text is UTF-8.
std::string_view shortened(std::string_view text) noexcept {
    if (text.size() <= text_octets_max) return text;
    std::size_t size = text_octets_max;
    while (size > 0 && (static_cast<std::uint8_t>(text[size]) & 0xc0) == 0x80) --size;
    return text.substr(0, size);
}

}  // namespace

void answer(Message& message, const ShortReply& reply, WallTime now) {
    const wire::Query heading = heading_of(message.octets);
    std::vector<std::uint8_t> octets(udp_payload_octets);
    const std::size_t client_takes =
        heading.edns ? heading.edns->udp_payload_octets : std::size_t{512};
    const std::size_t limit =
        message.is_tcp ? octets.size() : std::min(client_takes, octets.size());
    wire::ReplyWriter writer(heading, octets, limit);
    writer.set_rcode(reply.rcode);
    writer.set_authoritative(reply.is_authoritative);
    if (!reply.text.empty()) writer.set_extended_error(reply.code, shortened(reply.text));
    octets.resize(writer.finish(udp_payload_octets));
    if (message.session) message.session->sign_reply(octets, now);
    message.answer->send(std::move(octets), true, {});
}

}  // namespace dnsd::transfer
