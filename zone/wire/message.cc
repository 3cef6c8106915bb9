#include "zone/wire/message.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "zone/wire/reader.h"

namespace dnsd::wire {

namespace {

constexpr std::uint16_t qr_bit = 0x8000, aa_bit = 0x0400, tc_bit = 0x0200, rd_bit = 0x0100;
constexpr std::uint16_t ra_bit = 0x0080, ad_bit = 0x0020, cd_bit = 0x0010;
constexpr std::size_t opt_octets = 11;  // an OPT RR without options
constexpr std::size_t cookie_option_octets = 4 + 24;
constexpr std::uint32_t do_bit = 0x8000;

// What follows a record's owner.
struct RecordTail {
    RrType type;
    std::uint16_t rr_class;
    std::uint32_t ttl;
    std::span<const std::uint8_t> rdata;
};

RecordTail read_tail(Reader& reader) noexcept {
    RecordTail head;
    const auto [type, rr_class, ttl_high, ttl_low, rdata_octets] = reader.u16s<5>();
    head.type = static_cast<RrType>(type);
    head.rr_class = rr_class;
    head.ttl = std::uint32_t{ttl_high} << 16 | ttl_low;
    head.rdata = reader.take(rdata_octets);
    return head;
}

Question read_question(Reader& reader) noexcept {
    Question question;  // cleared, if its name were given here
    question.name = reader.name();
    question.type = static_cast<RrType>(reader.u16());
    question.rr_class = static_cast<RrClass>(reader.u16());
    return question;
}

// RFC 6891 §6.1.3: the class is a size, the TTL holds version and flags.
std::optional<Edns> edns_of(const Name& owner, const RecordTail& opt) noexcept {
    if (!owner.is_root()) return std::nullopt;
    Edns edns;
    edns.udp_payload_octets = std::max(opt.rr_class, std::uint16_t{512});  // §6.2.3
    edns.version = static_cast<std::uint8_t>(opt.ttl >> 16);
    edns.dnssec_ok = (opt.ttl & do_bit) != 0;
    if (edns.version != 0) return edns;
    Reader options(opt.rdata);
    while (options.ok() && options.left() > 0) {
        const std::uint16_t code = options.u16();
        const std::span<const std::uint8_t> data = options.take(options.u16());
        const bool is_empty = data.empty();
        if (code == nsid_option) edns.asks_nsid = true;
        if (code == cookie_option && !edns.has_cookie) {
            edns.has_cookie = true;
            edns.cookie = data;
        }
        if (code == keepalive_option) (is_empty ? edns.asks_keepalive : edns.sets_keepalive) = true;
        if (code == zone_version_option)
            (is_empty ? edns.asks_zone_version : edns.sets_zone_version) = true;
    }
    if (!options.ok()) return std::nullopt;
    return edns;
}

// The OPT RR of a message of which nothing else matters; nothing if it is not laid out as one.
std::optional<Edns> find_edns(Reader& reader, unsigned questions, unsigned records) noexcept {
    for (; questions > 0 && reader.ok(); --questions) read_question(reader);
    for (; records > 0 && reader.ok(); --records) {
        const Name owner = reader.name();
        const RecordTail record = read_tail(reader);
        if (reader.ok() && record.type == RrType::OPT) return edns_of(owner, record);
    }
    return std::nullopt;
}

// What is kept for our OPT RR. A cookie that did not fit would make its client ask in vain.
std::size_t opt_room(const Query& query) noexcept {
    if (!query.edns) return 0;
    return query.edns->has_cookie ? opt_octets + cookie_option_octets : opt_octets;
}

// The question, and all that may come behind it; false: it is malformed.
bool decode_records(Reader& reader, unsigned additionals, Query& query) noexcept {
    query.question.emplace(read_question(reader));
    if (!reader.ok()) {
        query.question.reset();
        return false;
    }
    for (unsigned i = 0; i < additionals; ++i) {
        const Name owner = reader.name();
        const RecordTail record = read_tail(reader);
        if (!reader.ok()) return false;
        if (record.type != RrType::OPT) continue;
        if (query.edns) return false;  // RFC 6891 §6.1.1: one at most
        query.edns = edns_of(owner, record);
        if (!query.edns) return false;
    }
    return reader.left() == 0;
}

}  // namespace

Result<Query, BadQuery> decode_query(std::span<const std::uint8_t> octets) noexcept {
    Reader reader(octets);
    Result<Query, BadQuery> decoded;  // in its place from the beginning
    Query& query = *decoded;
    const auto [id, flags, questions, answers, authorities, additionals] = reader.u16s<6>();
    query.id = id;
    const auto bad = [&](BadQuery::Reply reply) {
        const Query header = query;
        decoded = std::unexpected(BadQuery{reply, header});
    };
    if (!reader.ok() || (flags & qr_bit) != 0) {
        bad(BadQuery::Reply::Silence);
        return decoded;
    }
    query.opcode = static_cast<Opcode>((flags >> 11) & 0x0f);
    query.recursion_desired = (flags & rd_bit) != 0;
    query.authentic_data = (flags & ad_bit) != 0;
    query.checking_disabled = (flags & cd_bit) != 0;
    if (query.opcode != Opcode::Query) {
        query.edns = find_edns(reader, questions, unsigned{answers} + authorities + additionals);
        return decoded;
    }
    if (questions != 1 || answers != 0 || authorities != 0 ||
        !decode_records(reader, additionals, query)) {
        bad(BadQuery::Reply::FormErr);
    }
    return decoded;
}

std::optional<QuestionGlance> glance_at_question(std::span<const std::uint8_t> message) noexcept {
    if (message.size() < header_octets || message[4] != 0 || message[5] != 1) return std::nullopt;
    std::size_t at = header_octets;
    while (at < message.size() && message[at] != 0 && message[at] <= Name::label_octets_max)
        at += message[at] + std::size_t{1};
    if (at >= message.size() || message[at] != 0 || message.size() - at < 5) return std::nullopt;
    const std::size_t octets = at + 1 - header_octets;
    if (octets > Name::octets_max) return std::nullopt;
    const std::size_t end = at + 5;
    const bool no_records = (message[6] | message[7] | message[8] | message[9] | message[10]) == 0;
    const bool opt_alone = message[11] == 1 && message.size() - end >= opt_octets &&
                           message[end] == 0 && message[end + 1] == 0 &&
                           message[end + 2] == static_cast<std::uint8_t>(RrType::OPT);
    return QuestionGlance{message.subspan(header_octets, octets),
                          static_cast<RrType>(message[at + 1] << 8 | message[at + 2]),
                          no_records && (message[11] == 0 || opt_alone)};
}

std::optional<Message> decode_message(std::span<const std::uint8_t> octets) {
    Reader reader(octets);
    Message message;
    message.id = reader.u16();
    message.flags = reader.u16();
    const std::uint16_t questions = reader.u16();
    const std::array<std::uint16_t, 3> counts = {reader.u16(), reader.u16(), reader.u16()};
    for (unsigned i = 0; i < questions && reader.ok(); ++i)
        message.questions.push_back(read_question(reader));
    for (std::size_t section = 0; section < counts.size(); ++section) {
        for (unsigned i = 0; i < counts[section] && reader.ok(); ++i) {
            const Name owner = reader.name();
            const RecordTail tail = read_tail(reader);
            message.records.push_back({static_cast<Section>(section), owner, tail.type,
                                       tail.rr_class, tail.ttl, tail.rdata});
        }
    }
    if (!reader.ok() || reader.left() != 0) return std::nullopt;
    return message;
}

std::vector<std::uint8_t> encode_query(std::uint16_t id, const Question& question,
                                       std::uint16_t udp_payload_octets, QueryFlags flags) {
    std::vector<std::uint8_t> octets;
    const auto put_u16 = [&](std::uint16_t value) {
        octets.push_back(static_cast<std::uint8_t>(value >> 8));
        octets.push_back(static_cast<std::uint8_t>(value));
    };
    const auto header_flags = static_cast<std::uint16_t>((flags.recursion_desired ? rd_bit : 0U) |
                                                         (flags.authentic_data ? ad_bit : 0U) |
                                                         (flags.checking_disabled ? cd_bit : 0U));
    for (const std::uint16_t value :
         {id, header_flags, std::uint16_t{1}, std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{1}})
        put_u16(value);
    const auto name = question.name.octets();
    octets.insert(octets.end(), name.begin(), name.end());
    put_u16(static_cast<std::uint16_t>(question.type));
    put_u16(static_cast<std::uint16_t>(question.rr_class));
    octets.push_back(0);  // OPT is the root's
    put_u16(static_cast<std::uint16_t>(RrType::OPT));
    put_u16(udp_payload_octets);
    put_u16(0);  // rcode and version
    put_u16(flags.dnssec_ok ? do_bit : 0);
    put_u16(0);  // no options
    return octets;
}

ReplyWriter::ReplyWriter(const Query& query, std::span<std::uint8_t> octets,
                         std::size_t limit) noexcept
    : octets_(octets), limit_(std::min(limit, octets.size())), query_(query) {
    const std::size_t reserved = opt_room(query);
    DNSD_ASSERT(limit_ >= header_octets + reserved);
    at_ = header_octets;
    limit_ -= reserved;
    if (!query.question) return;
    has_question_ = put(query.question->name.octets()) &&
                    put_u16(static_cast<std::uint16_t>(query.question->type)) &&
                    put_u16(static_cast<std::uint16_t>(query.question->rr_class));
    DNSD_ASSERT(has_question_);  // it takes at most 271 octets of the 512 that every client takes
}

bool ReplyWriter::put(std::span<const std::uint8_t> octets) noexcept {
    if (limit_ - at_ < octets.size()) return false;
    if (!octets.empty()) std::memcpy(octets_.data() + at_, octets.data(), octets.size());
    at_ += octets.size();
    return true;
}

bool ReplyWriter::put_u16(std::uint16_t value) noexcept {
    if (limit_ - at_ < 2) return false;
    store_u16(octets_.data() + at_, value);
    at_ += 2;
    return true;
}

// REQUIRES: they are of the same size, uncompressed.
bool ReplyWriter::stands_at(std::size_t offset,
                            std::span<const std::uint8_t> suffix) const noexcept {
    if (at_ - offset >= suffix.size() &&
        std::memcmp(octets_.data() + offset, suffix.data(), suffix.size()) == 0) {
        return true;  // most are whole there
    }
    for (;;) {
        if ((octets_[offset] & 0xc0) == 0xc0) {  // ours, so it leads backwards
            offset = std::size_t{octets_[offset] & 0x3fU} << 8 | octets_[offset + 1];
            continue;
        }
        const std::size_t label = octets_[offset] + std::size_t{1};
        if (suffix[0] + std::size_t{1} != label ||
            std::memcmp(octets_.data() + offset, suffix.data(), label) != 0) {
            return false;
        }
        if (label == 1) return true;
        offset += label;
        suffix = suffix.subspan(label);
    }
}

// Most replies point to nothing of the question but all of its name.
void ReplyWriter::look_into_question() noexcept {
    const std::span<const std::uint8_t> name = query_.question->name.octets();
    for (auto rest = name; rest[0] != 0 && target_count_ < targets_max;
         rest = rest.subspan(rest[0] + std::size_t{1})) {
        targets_[target_count_++] = {
            static_cast<std::uint16_t>(header_octets + name.size() - rest.size()),
            static_cast<std::uint8_t>(rest.size())};
    }
}

bool ReplyWriter::put_name(std::span<const std::uint8_t> name) noexcept {
    if (target_count_ == 0 && has_question_) look_into_question();
    std::span<const std::uint8_t> rest = name;
    while (rest[0] != 0) {
        for (const Target& target : std::span(targets_).first(target_count_)) {
            if (target.octets == rest.size() && stands_at(target.at, rest))
                return put(name.first(name.size() - rest.size())) &&
                       put_u16(static_cast<std::uint16_t>(0xc000 | target.at));
        }
        pending_[pending_count_++] = {static_cast<std::uint16_t>(at_ + name.size() - rest.size()),
                                      static_cast<std::uint8_t>(rest.size())};
        rest = rest.subspan(rest[0] + std::size_t{1});
    }
    return put(name);
}

bool ReplyWriter::put_rdata(RrType type, std::span<const std::uint8_t> rdata) noexcept {
    const NamesInRdata layout = names_in_rdata(type);
    if (layout.count == 0) return put(rdata);
    Reader reader(rdata);
    if (!put(reader.take(layout.at))) return false;
    for (std::size_t i = 0; i < layout.count; ++i) {
        if (!put_name(reader.name().octets())) return false;
    }
    return put(reader.take(reader.left()));
}

bool ReplyWriter::add_names(RecordHead& head, std::span<const std::uint8_t> rdata) noexcept {
    const std::size_t start = at_;
    const auto undo = [&] {
        at_ = start;
        pending_count_ = 0;
        return false;
    };
    const std::span<const std::uint8_t> octets(head.octets_);
    const bool is_named =
        head.is_pointer_ ? put(octets) : put_name(head.owner_) && put(octets.subspan(2));
    if (!is_named) return undo();
    const std::size_t length_at = at_;
    const auto type = static_cast<RrType>(octets[2] << 8 | octets[3]);
    if (!put_u16(0) || !put_rdata(type, rdata)) return undo();
    store_u16(octets_.data() + length_at, static_cast<std::uint16_t>(at_ - length_at - 2));
    keep_targets();
    ++counts_[static_cast<std::size_t>(head.section_)];
    if (!head.is_pointer_ && can_point_to(start) && head.owner_.size() > 1) {
        const std::size_t pointed = std::size_t{octets_[start] & 0x3fU} << 8 | octets_[start + 1];
        head.stands_at((octets_[start] & 0xc0) == 0xc0 ? pointed : start);
    }
    return true;
}

void ReplyWriter::roll_back(const Place& to) noexcept {
    at_ = to.at;
    target_count_ = to.targets;
    counts_ = to.counts;
}

// Only what stays in the message may be pointed to, and only as far as 14 bits reach.
void ReplyWriter::keep_targets() noexcept {
    for (std::size_t i = 0; i < pending_count_ && target_count_ < targets_max; ++i) {
        if (can_point_to(pending_[i].at)) targets_[target_count_++] = pending_[i];
    }
    pending_count_ = 0;
}

// An option that does not fit is left out: the answer matters more.
void ReplyWriter::put_option(std::uint16_t code, std::span<const std::uint8_t> head,
                             std::span<const std::uint8_t> tail) noexcept {
    const std::size_t size = head.size() + tail.size();
    if (limit_ - at_ < 4 + size) return;
    put_u16(code);
    put_u16(static_cast<std::uint16_t>(size));
    put(head);
    put(tail);
}

// The ones that were asked for come first.
void ReplyWriter::put_options(std::span<const std::uint8_t> nsid) noexcept {
    const auto octet = [](std::uint32_t value, unsigned shift) {
        return static_cast<std::uint8_t>(value >> shift);
    };
    if (!cookie_.empty()) put_option(cookie_option, {}, cookie_);
    if (!nsid.empty() && query_.edns->asks_nsid) put_option(nsid_option, {}, nsid);
    if (keepalive_) {
        const std::array<std::uint8_t, 2> timeout = {octet(*keepalive_, 8), octet(*keepalive_, 0)};
        put_option(keepalive_option, timeout, {});
    }
    if (zone_version_) {
        const std::uint32_t serial = zone_version_->serial;
        const std::array<std::uint8_t, 2> head = {zone_version_->labels, 0};  // 0: SOA-SERIAL
        const std::array<std::uint8_t, 4> version = {octet(serial, 24), octet(serial, 16),
                                                     octet(serial, 8), octet(serial, 0)};
        put_option(zone_version_option, head, version);
    }
    if (extended_error_) {
        const auto code = static_cast<std::uint16_t>(*extended_error_);
        const std::array<std::uint8_t, 2> info = {octet(code, 8), octet(code, 0)};
        put_option(
            extended_error_option, info,
            {reinterpret_cast<const std::uint8_t*>(extended_text_.data()), extended_text_.size()});
    }
}

std::size_t ReplyWriter::finish(std::uint16_t our_udp_payload_octets,
                                std::span<const std::uint8_t> nsid) noexcept {
    if (query_.edns) {
        limit_ += opt_room(query_);
        DNSD_ASSERT(limit_ - at_ >= opt_octets);
        std::uint8_t* const opt = octets_.data() + at_;
        opt[0] = 0;  // the root's
        store_u16(opt + 1, static_cast<std::uint16_t>(RrType::OPT));
        store_u16(opt + 3, our_udp_payload_octets);
        store_u16(opt + 5, static_cast<std::uint16_t>(static_cast<unsigned>(rcode_) >> 4 << 8));
        store_u16(opt + 7, query_.edns->dnssec_ok ? do_bit : 0);
        at_ += opt_octets;
        const std::size_t options_at = at_;
        put_options(nsid);
        store_u16(opt + 9, static_cast<std::uint16_t>(at_ - options_at));
        ++counts_[static_cast<std::size_t>(Section::Additional)];
    }
    std::uint8_t* const header = octets_.data();
    store_u16(header, query_.id);
    store_u16(
        header + 2,
        static_cast<std::uint16_t>(
            qr_bit | static_cast<unsigned>(query_.opcode) << 11 | (authoritative_ ? aa_bit : 0U) |
            (truncated_ ? tc_bit : 0U) | (query_.recursion_desired ? rd_bit : 0U) |
            (recursion_available_ ? ra_bit : 0U) | (authentic_data_ ? ad_bit : 0U) |
            (query_.checking_disabled ? cd_bit : 0U) | (static_cast<unsigned>(rcode_) & 0x0f)));
    store_u16(header + 4, has_question_ ? 1 : 0);
    for (std::size_t i = 0; i < counts_.size(); ++i) store_u16(header + 6 + 2 * i, counts_[i]);
    return std::exchange(at_, 0);
}

}  // namespace dnsd::wire
