#include "dnsd/transfer/request.h"

#include <algorithm>

#include "base/assert.h"
#include "zone/wire/rdata.h"
#include "zone/wire/reader.h"

namespace dnsd::transfer {

namespace {

constexpr std::uint16_t rd_bit = 0x0100;
constexpr std::uint32_t do_bit = 0x8000;
constexpr std::size_t serial_from_end = 20;  // five numbers end a SOA's RDATA (RFC 1035 §3.3.13)

wire::Query header_of(std::span<const std::uint8_t> message) noexcept {
    wire::Reader reader(message);
    wire::Query query;
    query.id = reader.u16();
    const std::uint16_t flags = reader.u16();
    query.opcode = static_cast<wire::Opcode>((flags >> 11) & 0x0f);
    query.recursion_desired = (flags & rd_bit) != 0;
    return query;
}

wire::Edns edns_of(const wire::Record& opt) noexcept {
    wire::Edns edns;
    edns.udp_payload_octets = std::max(opt.rr_class, std::uint16_t{512});  // RFC 6891 §6.2.3
    edns.version = static_cast<std::uint8_t>(opt.ttl >> 16);
    edns.dnssec_ok = (opt.ttl & do_bit) != 0;
    return edns;
}

std::optional<std::uint32_t> client_serial(std::span<const std::uint8_t> message,
                                           const wire::Record& soa) {
    // Names in it may be compressed: they are read where they stand.
    const auto at = static_cast<std::size_t>(soa.rdata.data() - message.data());
    const auto rdata = wire::decode_rdata(wire::RrType::SOA, message, at, soa.rdata.size());
    if (!rdata) return std::nullopt;
    return serial_of(*rdata);
}

}  // namespace

bool is_transfer_request(std::span<const std::uint8_t> message) noexcept {
    wire::Reader reader(message);
    reader.take(2);
    const std::uint16_t flags = reader.u16();
    const std::uint16_t questions = reader.u16();
    reader.take(6);
    reader.name();
    const auto type = static_cast<wire::RrType>(reader.u16());
    return reader.ok() && static_cast<wire::Opcode>((flags >> 11) & 0x0f) == wire::Opcode::Query &&
           questions == 1 && (type == wire::RrType::AXFR || type == wire::RrType::IXFR);
}

Result<Request, wire::Query> decode_request(std::span<const std::uint8_t> message) {
    Request request{header_of(message), std::nullopt};
    const auto malformed = [&] { return std::unexpected(request.query); };
    const auto decoded = wire::decode_message(message);
    if (!decoded || decoded->questions.size() != 1) return malformed();
    const wire::Question& question = decoded->questions.front();
    request.query.question = question;
    for (const wire::Record& record : decoded->records) {
        if (record.section == wire::Section::Additional && record.type == wire::RrType::OPT) {
            if (request.query.edns) return malformed();  // RFC 6891 §6.1.1: one at most
            request.query.edns = edns_of(record);
        }
        if (question.type != wire::RrType::IXFR || record.section != wire::Section::Authority ||
            record.type != wire::RrType::SOA)
            continue;
        if (request.serial || record.owner != question.name) return malformed();
        request.serial = client_serial(message, record);
        if (!request.serial) return malformed();
    }
    if (question.type == wire::RrType::IXFR && !request.serial) return malformed();
    return request;
}

std::uint32_t serial_of(std::span<const std::uint8_t> soa) noexcept {
    DNSD_ASSERT(soa.size() > serial_from_end);
    return wire::Reader(soa.last(serial_from_end)).u32();
}

}  // namespace dnsd::transfer
