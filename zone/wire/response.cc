#include "zone/wire/response.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "zone/wire/rdata.h"
#include "zone/wire/reader.h"

namespace dnsd::wire {

namespace {

constexpr unsigned aliases_followed_max = 16;
constexpr std::size_t names_known_max = 64;     // of a response: where owner names may stand
constexpr std::uint32_t ttl_max = 0x7fff'ffff;  // RFC 2181 §8: more is zero
constexpr std::uint8_t name_only = 0xff;
constexpr std::size_t head_octets = 13;

std::uint32_t believed(std::uint32_t ttl) noexcept { return ttl > ttl_max ? 0 : ttl; }

bool proves(RrType type) noexcept {
    return type == RrType::NSEC || type == RrType::NSEC3 || type == RrType::RRSIG;
}

// RFC 4034 §3.1: which type an RRSIG covers.
bool covers(const Record& signature, RrType type) noexcept {
    return static_cast<RrType>(Reader(signature.rdata).u16()) == type;
}

}  // namespace

// Puts records into a response, each name once.
class Response::Packer {
  public:
    Packer(Response& response, std::span<const std::uint8_t> message, const Name& qname)
        : response_(response), message_(message) {
        put(qname.octets());
        response.name_octets_ = static_cast<std::uint8_t>(qname.size());
        names_.push_back(0);
    }

    // False: its RDATA is not what the type says.
    bool add(const Record& record, std::uint32_t ttl) {
        const auto rdata = decode_rdata(
            record.type, message_, static_cast<std::size_t>(record.rdata.data() - message_.data()),
            record.rdata.size());
        if (!rdata) return false;
        const std::uint32_t owner_at = find(record.owner);
        put_head(static_cast<std::uint8_t>(record.section), record.type, ttl, owner_at,
                 rdata->size());
        last_rdata_at_ = packed().size();
        put(*rdata);
        return true;
    }

    // The name that stands so far into the RDATA that was added last may own records.
    Name learn(std::size_t offset) {
        const std::size_t at = last_rdata_at_ + offset;
        if (names_.size() < names_known_max) names_.push_back(static_cast<std::uint32_t>(at));
        return name_at(at);
    }
    Name name_at(std::size_t at) const { return Reader(std::span(packed()).subspan(at)).name(); }
    bool is_target(const Name& name) const {
        return std::ranges::any_of(names_, [&](std::uint32_t at) { return name_at(at) == name; });
    }

  private:
    std::vector<std::uint8_t>& packed() const { return response_.packed_; }
    void put(std::span<const std::uint8_t> octets) {
        packed().insert(packed().end(), octets.begin(), octets.end());
    }
    void put_number(std::uint64_t value, unsigned octets) {
        for (unsigned i = octets; i-- > 0;)
            packed().push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void put_head(std::uint8_t section, RrType type, std::uint32_t ttl, std::uint32_t owner_at,
                  std::size_t rdata_octets) {
        put_number(section, 1);
        put_number(static_cast<std::uint16_t>(type), 2);
        put_number(ttl, 4);
        put_number(owner_at, 4);
        put_number(rdata_octets, 2);
    }

    // A suffix of a known name, or the name itself, written now.
    std::uint32_t find(const Name& owner) {
        for (const std::uint32_t at : names_) {
            const Name known = name_at(at);
            if (known.is_at_or_below(owner))
                return static_cast<std::uint32_t>(at + known.size() - owner.size());
        }
        put_head(name_only, RrType::NULL_, 0, 0, owner.size());
        const auto at = static_cast<std::uint32_t>(packed().size());
        put(owner.octets());
        if (names_.size() < names_known_max) names_.push_back(at);
        return at;
    }

    Response& response_;
    std::span<const std::uint8_t> message_;
    std::vector<std::uint32_t> names_;
    std::size_t last_rdata_at_ = 0;
};

std::optional<Response> Response::decode(std::span<const std::uint8_t> octets,
                                         const RecursiveQuestion& asked) {
    const auto message = decode_message(octets);
    const Question& question = asked.question;
    if (!message || !message->is_response() || message->truncated() ||
        message->questions.size() != 1 || message->questions[0].name != question.name ||
        message->questions[0].type != question.type ||
        message->questions[0].rr_class != question.rr_class) {
        return std::nullopt;
    }
    Response response;
    response.rcode_ = message->rcode();
    response.authentic_data_ = message->authentic_data();
    response.lifetime_ = ttl_max;
    Packer packer(response, octets, question.name);

    // The RRset of a name, all with its least TTL (RFC 2181 §5.2), and its signatures.
    std::uint32_t count = 0;
    const auto take_rrset = [&](Section section, const Name& owner, auto&& is_wanted) {
        std::uint32_t ttl = ttl_max;
        const auto wanted = [&](const Record& record) {
            return record.section == section && record.rr_class == 1 && is_wanted(record) &&
                   record.owner == owner;
        };
        for (const Record& record : message->records) {
            if (wanted(record)) ttl = std::min(ttl, believed(record.ttl));
        }
        std::uint32_t taken = 0;
        for (const Record& record : message->records) {
            if (!wanted(record)) continue;
            if (!packer.add(record, ttl)) return std::pair(false, taken);
            ++taken;
            if (record.type == RrType::SRV) packer.learn(6);
            if (record.type == RrType::MX) packer.learn(2);
        }
        if (taken > 0 && section == Section::Answer)
            response.lifetime_ = std::min(response.lifetime_, ttl);
        count += taken;
        return std::pair(true, taken);
    };
    const auto of_type = [](RrType type) {
        return [type](const Record& record) { return record.type == type; };
    };
    const auto signature_of = [](RrType type) {
        return [type](const Record& record) {
            return record.type == RrType::RRSIG && covers(record, type);
        };
    };

    Name name = question.name;
    bool has_answer = false;
    for (unsigned aliases = 0; aliases <= aliases_followed_max && !has_answer; ++aliases) {
        const bool any = question.type == RrType::ANY;
        const std::uint32_t first = count;
        const auto [is_good, taken] = take_rrset(Section::Answer, name, [&](const Record& record) {
            return any ? record.type != RrType::OPT : record.type == question.type;
        });
        if (!is_good) return std::nullopt;
        if (taken > 0) {
            has_answer = true;
            response.rotatable_at_ = first;
            response.rotatable_ = any ? 0 : taken;
            if (asked.dnssec_ok && !any &&
                !take_rrset(Section::Answer, name, signature_of(question.type)).first)
                return std::nullopt;
            break;
        }
        for (const Record& record : message->records) {  // RFC 6672 §3.1: before its CNAME
            if (record.section != Section::Answer || record.type != RrType::DNAME ||
                !name.is_below(record.owner))
                continue;
            if (!take_rrset(Section::Answer, record.owner, of_type(RrType::DNAME)).first)
                return std::nullopt;
            if (asked.dnssec_ok &&
                !take_rrset(Section::Answer, record.owner, signature_of(RrType::DNAME)).first)
                return std::nullopt;
            break;
        }
        const auto [alias_is_good, alias_count] =
            take_rrset(Section::Answer, name, of_type(RrType::CNAME));
        if (!alias_is_good || alias_count > 1) return std::nullopt;
        if (alias_count == 0) break;
        const Name owner = std::exchange(name, packer.learn(0));
        if (asked.dnssec_ok &&
            !take_rrset(Section::Answer, owner, signature_of(RrType::CNAME)).first)
            return std::nullopt;
    }

    response.is_negative_ =
        !has_answer && (response.rcode_ == Rcode::NoError || response.rcode_ == Rcode::NxDomain);
    bool has_soa = false, has_ns = false;
    for (const Record& record : message->records) {
        if (record.section != Section::Authority || record.rr_class != 1) continue;
        has_ns |= record.type == RrType::NS;
        const bool is_soa = record.type == RrType::SOA && response.is_negative_ && !has_soa &&
                            name.is_at_or_below(record.owner);
        if (!is_soa && !(asked.dnssec_ok && proves(record.type))) continue;
        std::uint32_t ttl = believed(record.ttl);
        if (is_soa) {
            has_soa = true;
            // RFC 2308 §5: the MINIMUM is the last of the SOA's numbers.
            const auto soa = decode_rdata(
                RrType::SOA, octets, static_cast<std::size_t>(record.rdata.data() - octets.data()),
                record.rdata.size());
            if (!soa) return std::nullopt;
            ttl = std::min(ttl, believed(Reader(std::span(*soa).last(4)).u32()));
            response.lifetime_ = std::min(response.lifetime_, ttl);
        }
        if (!packer.add(record, ttl)) return std::nullopt;
    }
    if (response.is_negative_ && !has_soa) {
        // NS records and nothing else: this server sends us elsewhere, it does not recurse.
        if (has_ns && response.rcode_ == Rcode::NoError && !message->authoritative())
            return std::nullopt;
        response.lifetime_ = 0;  // RFC 2308 §5: not to be cached
    }
    if (response.rcode_ != Rcode::NoError && response.rcode_ != Rcode::NxDomain)
        response.lifetime_ = 0;

    for (const Record& record : message->records) {
        if (record.section != Section::Additional || record.rr_class != 1 || !has_answer) continue;
        const bool is_address = record.type == RrType::A || record.type == RrType::AAAA;
        if (!is_address || record.owner == question.name || !packer.is_target(record.owner))
            continue;
        if (!packer.add(record, believed(record.ttl))) return std::nullopt;
    }
    response.packed_.shrink_to_fit();
    return response;
}

Response Response::failure(const Question& question, Rcode rcode, ExtendedError why,
                           std::string text, std::uint32_t lifetime) {
    Response response;
    response.packed_.assign(question.name.octets().begin(), question.name.octets().end());
    response.name_octets_ = static_cast<std::uint8_t>(question.name.size());
    response.rcode_ = rcode;
    response.why_ = why;
    response.text_ = std::move(text);
    response.lifetime_ = lifetime;
    return response;
}

Name Response::question_name() const noexcept { return Reader(packed_).name(); }

bool Response::is_about(const Name& name) const noexcept {
    return equal_names(std::span(packed_).first(name_octets_), name.octets());
}

void Response::clamp_ttls(std::uint32_t least, std::uint32_t most) noexcept {
    lifetime_ = std::clamp(lifetime_, least, most);
    std::size_t at = name_octets_;
    while (at < packed_.size()) {
        Reader head(std::span<const std::uint8_t>(packed_).subspan(at + 3));
        const std::uint32_t ttl = std::clamp(head.u32(), least, most);
        for (unsigned i = 0; i < 4; ++i)
            packed_[at + 3 + i] = static_cast<std::uint8_t>(ttl >> (24 - 8 * i));
        head.u32();
        at += head_octets + head.u16();
    }
}

void Response::Records::rewind() noexcept { at_ = response_.name_octets_; }

bool Response::Records::next(View& view) noexcept {
    while (at_ < response_.packed_.size()) {
        Reader reader(std::span<const std::uint8_t>(response_.packed_).subspan(at_));
        const std::uint8_t section = reader.u8();
        view.type = static_cast<RrType>(reader.u16());
        view.ttl = reader.u32();
        view.owner_at = reader.u32();
        view.rdata = reader.take(reader.u16());
        DNSD_ASSERT(reader.ok());
        at_ += head_octets + view.rdata.size();
        if (section == name_only) continue;
        view.section = static_cast<Section>(section);
        return true;
    }
    return false;
}

Name Response::owner(const View& view) const noexcept {
    return Reader(std::span<const std::uint8_t>(packed_).subspan(view.owner_at)).name();
}

}  // namespace dnsd::wire
