#include "dnsd/transfer/primary_messages.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "dnsd/transfer/request.h"
#include "zone/wire/rdata.h"

namespace dnsd::transfer {

namespace {

using wire::RrType;

void put_u16(std::vector<std::uint8_t>& octets, std::size_t value) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8));
    octets.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(std::vector<std::uint8_t>& octets, std::uint32_t value) {
    put_u16(octets, value >> 16);
    put_u16(octets, value & 0xffff);
}

void put(std::vector<std::uint8_t>& octets, std::span<const std::uint8_t> more) {
    octets.insert(octets.end(), more.begin(), more.end());
}

std::vector<std::uint8_t> encode_question(std::uint16_t id, const wire::Name& zone, RrType type,
                                          std::uint16_t authorities) {
    std::vector<std::uint8_t> octets;
    for (const std::uint16_t value :
         {id, std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{0}, authorities, std::uint16_t{0}})
        put_u16(octets, value);
    put(octets, zone.octets());
    put_u16(octets, static_cast<std::uint16_t>(type));
    put_u16(octets, static_cast<std::uint16_t>(wire::RrClass::IN));
    return octets;
}

// As it stands in the message, names compressed or not.
std::optional<std::uint32_t> serial_in(std::span<const std::uint8_t> message,
                                       const wire::Record& soa) {
    const auto rdata = wire::decode_rdata(
        RrType::SOA, message, static_cast<std::size_t>(soa.rdata.data() - message.data()),
        soa.rdata.size());
    if (!rdata) return std::nullopt;
    return serial_of(*rdata);
}

}  // namespace

std::vector<std::uint8_t> encode_soa_query(std::uint16_t id, const wire::Name& zone) {
    return encode_question(id, zone, RrType::SOA, 0);
}

std::vector<std::uint8_t> encode_axfr_query(std::uint16_t id, const wire::Name& zone) {
    return encode_question(id, zone, RrType::AXFR, 0);
}

std::vector<std::uint8_t> encode_ixfr_query(std::uint16_t id, const tree::Zone& current) {
    const tree::RRset* soa = current.soa();
    DNSD_ASSERT(soa != nullptr);
    std::vector<std::uint8_t> octets = encode_question(id, current.apex(), RrType::IXFR, 1);
    put_u16(octets, 0xc000 | wire::header_octets);  // the question's name
    put_u16(octets, static_cast<std::uint16_t>(RrType::SOA));
    put_u16(octets, static_cast<std::uint16_t>(wire::RrClass::IN));
    put_u32(octets, soa->ttl());
    put_u16(octets, soa->rdata(0).size());
    put(octets, soa->rdata(0));
    return octets;
}

bool answers(std::span<const std::uint8_t> message, std::uint16_t id, const wire::Question& asked) {
    const auto decoded = wire::decode_message(message);
    return decoded && decoded->id == id && decoded->is_response() &&
           (decoded->flags & 0x7800) == 0 &&  // opcode QUERY
           decoded->questions.size() == 1 && decoded->questions[0].name == asked.name &&
           decoded->questions[0].type == asked.type &&
           decoded->questions[0].rr_class == asked.rr_class;
}

Result<std::uint32_t> decode_soa_answer(std::span<const std::uint8_t> message,
                                        const wire::Name& zone) {
    const auto decoded = wire::decode_message(message);
    DNSD_ASSERT(decoded.has_value());
    if (decoded->rcode() != wire::Rcode::NoError)
        return fail(fmt::format("it answers {}", wire::print(decoded->rcode())));
    if (!decoded->authoritative()) return fail("it is no authority for the zone");
    for (const wire::Record& record : decoded->records) {
        if (record.section != wire::Section::Answer || record.type != RrType::SOA ||
            record.owner != zone)
            continue;
        if (const auto serial = serial_in(message, record)) return *serial;
        return fail("its SOA is malformed");
    }
    return fail("it answers without a SOA");
}

bool is_truncated(std::span<const std::uint8_t> message) noexcept {
    return message.size() > 2 && (message[2] & 0x02) != 0;
}

std::optional<Notify> decode_notify(std::span<const std::uint8_t> message) {
    const auto decoded = wire::decode_message(message);
    if (!decoded || decoded->questions.size() != 1) return std::nullopt;
    Notify notify{decoded->questions[0], std::nullopt};
    for (const wire::Record& record : decoded->records) {
        if (record.section == wire::Section::Answer && record.type == RrType::SOA &&
            record.owner == notify.question.name)
            notify.serial = serial_in(message, record);
    }
    return notify;
}

}  // namespace dnsd::transfer
