#include "dnsd/transfer/message_writer.h"

#include <algorithm>

#include "base/assert.h"
#include "zone/wire/reader.h"

namespace dnsd::transfer {

namespace {

constexpr std::uint16_t qr_bit = 0x8000, aa_bit = 0x0400, rd_bit = 0x0100, do_bit = 0x8000;
constexpr std::size_t opt_octets = 11;
constexpr std::size_t pointer_reach = 0x4000;  // RFC 1035 §4.1.4: 14 bits
constexpr std::uint16_t our_udp_payload_octets = 1232;
constexpr std::size_t message_octets_max = 65'535;

// Where names stand that may be compressed (RFC 3597 §4), in the RDATA that zones are full of. The
// other types of RFC 1035 are rare, and need not be.
struct Names {
    std::size_t before = 0, count = 0;
};
Names names_in(wire::RrType type) noexcept {
    switch (type) {
        case wire::RrType::NS:
        case wire::RrType::CNAME:
        case wire::RrType::PTR:
            return {0, 1};
        case wire::RrType::SOA:
            return {0, 2};
        case wire::RrType::MX:
            return {2, 1};
        default:
            return {};
    }
}

}  // namespace

MessageWriter::MessageWriter(const wire::Query& query, bool is_first, std::size_t limit)
    : limit_(std::min(limit, message_octets_max)), has_opt_(is_first && query.edns) {
    DNSD_ASSERT(limit_ >= 512 && query.question);
    octets_.reserve(limit_);
    if (has_opt_) {
        limit_ -= opt_octets;
        opt_flags_ = query.edns->dnssec_ok ? do_bit : 0;
    }
    put_u16(query.id);
    put_u16(static_cast<std::uint16_t>(qr_bit | aa_bit | (query.recursion_desired ? rd_bit : 0)));
    put_u16(is_first ? 1 : 0);
    for (int i = 0; i < 3; ++i) put_u16(0);  // counts that finish() knows
    if (!is_first) return;
    put_name(query.question->name.octets());
    put_u16(static_cast<std::uint16_t>(query.question->type));
    put_u16(static_cast<std::uint16_t>(query.question->rr_class));
    fresh_.clear();
}

void MessageWriter::put(std::span<const std::uint8_t> octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
}

void MessageWriter::put_u16(std::uint16_t value) {
    octets_.push_back(static_cast<std::uint8_t>(value >> 8));
    octets_.push_back(static_cast<std::uint8_t>(value));
}

// Spelling included: what is transferred keeps it.
bool MessageWriter::stands_at(std::size_t at, std::span<const std::uint8_t> suffix) const noexcept {
    for (;;) {
        if (at >= octets_.size()) return false;  // a name that is only being written
        if ((octets_[at] & 0xc0) == 0xc0) {      // ours, so it leads backwards
            at = std::size_t{octets_[at] & 0x3fU} << 8 | octets_[at + 1];
            continue;
        }
        const std::size_t label = octets_[at] + std::size_t{1};
        if (label > suffix.size() ||
            !std::equal(suffix.begin(), suffix.begin() + static_cast<std::ptrdiff_t>(label),
                        octets_.begin() + static_cast<std::ptrdiff_t>(at)))
            return false;
        if (label == 1) return true;
        at += label;
        suffix = suffix.subspan(label);
    }
}

std::uint16_t& MessageWriter::slot_of(std::span<const std::uint8_t> suffix) noexcept {
    std::size_t slot = wire::hash_name(suffix) & (slots - 1);
    while (places_[slot] != 0 && !stands_at(places_[slot], suffix)) slot = (slot + 1) & (slots - 1);
    return places_[slot];
}

void MessageWriter::put_name(std::span<const std::uint8_t> name) {
    while (name[0] != 0) {
        std::uint16_t& place = slot_of(name);
        if (place != 0) return put_u16(static_cast<std::uint16_t>(0xc000 | place));
        const std::size_t label = name[0] + std::size_t{1};
        if (octets_.size() < pointer_reach && names_ < names_max) {
            place = static_cast<std::uint16_t>(octets_.size());
            fresh_.push_back(static_cast<std::uint16_t>(&place - places_.data()));
            ++names_;
        }
        put(name.first(label));
        name = name.subspan(label);
    }
    octets_.push_back(0);
}

void MessageWriter::put_rdata(wire::RrType type, std::span<const std::uint8_t> rdata) {
    const Names names = names_in(type);
    wire::Reader reader(rdata);
    put(reader.take(names.before));
    for (std::size_t i = 0; i < names.count; ++i) put_name(reader.name().octets());
    DNSD_ASSERT(reader.ok());  // zones hold RDATA that is what its type says
    put(reader.take(reader.left()));
}

// Written first and measured then: what is too long is taken back.
bool MessageWriter::add(const RecordView& record) {
    const std::size_t start = octets_.size();
    if (count_ == UINT16_MAX) return false;
    fresh_.clear();
    put_name(record.owner);
    put_u16(static_cast<std::uint16_t>(record.type));
    put_u16(static_cast<std::uint16_t>(wire::RrClass::IN));
    put_u16(static_cast<std::uint16_t>(record.ttl >> 16));
    put_u16(static_cast<std::uint16_t>(record.ttl));
    const std::size_t size_at = octets_.size();
    put_u16(0);
    put_rdata(record.type, record.rdata);
    if (octets_.size() > limit_) {
        forget_after(start);
        return false;
    }
    const std::size_t size = octets_.size() - size_at - 2;
    octets_[size_at] = static_cast<std::uint8_t>(size >> 8);
    octets_[size_at + 1] = static_cast<std::uint8_t>(size);
    ++count_;
    return true;
}

// The slots were the last to be filled, so that no other suffix was moved on by them.
void MessageWriter::forget_after(std::size_t size) noexcept {
    octets_.resize(size);
    for (const std::uint16_t slot : fresh_) places_[slot] = 0;
    names_ -= fresh_.size();
    fresh_.clear();
}

std::vector<std::uint8_t> MessageWriter::finish() {
    octets_[6] = static_cast<std::uint8_t>(count_ >> 8);
    octets_[7] = static_cast<std::uint8_t>(count_);
    if (has_opt_) {
        octets_[11] = 1;
        octets_.push_back(0);
        put_u16(static_cast<std::uint16_t>(wire::RrType::OPT));
        put_u16(our_udp_payload_octets);
        put_u16(0);
        put_u16(opt_flags_);
        put_u16(0);
    }
    return std::move(octets_);
}

}  // namespace dnsd::transfer
