// DNS messages (RFC 1035 §4, EDNS0: RFC 6891): queries in, replies out, without allocating.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

inline constexpr std::size_t header_octets = 12;
inline constexpr std::uint16_t nsid_option = 3;             // RFC 5001
inline constexpr std::uint16_t cookie_option = 10;          // RFC 7873
inline constexpr std::uint16_t keepalive_option = 11;       // RFC 7828
inline constexpr std::uint16_t extended_error_option = 15;  // RFC 8914
inline constexpr std::uint16_t zone_version_option = 19;    // RFC 9660

// Info codes of extended DNS errors (RFC 8914 §4), those that we tell.
enum class ExtendedError : std::uint16_t {
    Other = 0,
    StaleAnswer = 3,
    CachedError = 13,
    NotReady = 14,
    Prohibited = 18,
    NotAuthoritative = 20,
    NotSupported = 21,
    NoReachableAuthority = 22,
    NetworkError = 23,
    InvalidData = 24,
};

struct Question {
    Name name;
    RrType type = RrType::A;
    RrClass rr_class = RrClass::IN;
};

// What a client's OPT RR says. Options that we do not know are ignored (RFC 6891 §6.1.2), and all
// of a version that we do not speak.
struct Edns {
    std::uint16_t udp_payload_octets = 512;
    std::uint8_t version = 0;
    bool dnssec_ok = false;
    bool asks_nsid = false;
    bool asks_keepalive = false, asks_zone_version = false;
    // Which only servers may (RFC 7828 §3.2.1, RFC 9660 §3.1).
    bool sets_keepalive = false, sets_zone_version = false;
    // The first COOKIE option, of whatever size (RFC 7873 §4); into the message.
    bool has_cookie = false;
    std::span<const std::uint8_t> cookie = {};
};

struct Query {
    Query() noexcept {}  // its names, which are long, are not cleared before they are filled

    std::uint16_t id = 0;
    Opcode opcode = Opcode::Query;
    bool recursion_desired = false;
    bool authentic_data = false;       // the client would know whether data are (RFC 6840 §5.7)
    bool checking_disabled = false;    // RFC 4035 §3.2.2
    std::optional<Question> question;  // always there for Opcode::Query; not read for others
    std::optional<Edns> edns;          // of other opcodes too, if they can be read so far
};

// Why octets are no query.
struct BadQuery {
    enum class Reply { Silence, FormErr } reply;  // silence: too short, or itself a response
    Query header;                                 // what is to be echoed
};

Result<Query, BadQuery> decode_query(std::span<const std::uint8_t> octets) noexcept;

// What a message with a single question asks for, without more than a look at it; nothing: there is
// none, or its name is compressed or cut off.
struct QuestionGlance {
    std::span<const std::uint8_t> name;  // in the message
    RrType type;
    bool is_all = false;  // the message has no other record, but for an OPT RR behind the question
};
std::optional<QuestionGlance> glance_at_question(std::span<const std::uint8_t> message) noexcept;

// A query as a client sends it: one question and, last, an OPT RR without options.
struct QueryFlags {
    bool recursion_desired = false, authentic_data = false, checking_disabled = false;
    bool dnssec_ok = false;
};
std::vector<std::uint8_t> encode_query(std::uint16_t id, const Question& question,
                                       std::uint16_t udp_payload_octets, QueryFlags flags = {});

// Where the names stand in RDATA of the types that may be compressed (RFC 3597 §4: those of RFC
// 1035 alone).
struct NamesInRdata {
    std::size_t at = 0;  // octets in front of them
    std::size_t count = 0;
};
constexpr NamesInRdata names_in_rdata(RrType type) noexcept {
    switch (type) {
        case RrType::NS:
        case RrType::MD:
        case RrType::MF:
        case RrType::CNAME:
        case RrType::MB:
        case RrType::PTR:
            return {0, 1};
        case RrType::SOA:
        case RrType::MINFO:
            return {0, 2};
        case RrType::MX:
            return {2, 1};
        default:
            return {};
    }
}
constexpr bool may_be_compressed(RrType type) noexcept { return names_in_rdata(type).count > 0; }

inline void store_u16(std::uint8_t* to, std::uint16_t value) noexcept {
    to[0] = static_cast<std::uint8_t>(value >> 8);
    to[1] = static_cast<std::uint8_t>(value);
}
inline void store_u32(std::uint8_t* to, std::uint32_t value) noexcept {
    store_u16(to, static_cast<std::uint16_t>(value >> 16));
    store_u16(to + 2, static_cast<std::uint16_t>(value));
}

enum class Section : std::uint8_t { Answer, Authority, Additional };

// A message as a client or a test sees it.
struct Record {
    Section section;
    Name owner;
    RrType type;
    std::uint16_t rr_class;
    std::uint32_t ttl;
    std::span<const std::uint8_t> rdata;  // into the message, compressed as it stands there
};
struct Message {
    std::uint16_t id = 0, flags = 0;
    std::vector<Question> questions;
    std::vector<Record> records;

    Rcode rcode() const noexcept { return static_cast<Rcode>(flags & 0x0f); }
    bool authoritative() const noexcept { return (flags & 0x0400) != 0; }
    bool truncated() const noexcept { return (flags & 0x0200) != 0; }
    bool is_response() const noexcept { return (flags & 0x8000) != 0; }
    bool authentic_data() const noexcept { return (flags & 0x0020) != 0; }
};
std::optional<Message> decode_message(std::span<const std::uint8_t> octets);

// Writes a reply to a query into octets of the caller's. Names are compressed against what was
// written, spelling included (0x20 survives). Belongs to one thread.
class ReplyWriter {
  public:
    // `limit`: octets that the client takes. Room for our OPT RR is kept if the query had one, with
    // a whole cookie if that had one.
    ReplyWriter(const Query& query, std::span<std::uint8_t> octets, std::size_t limit) noexcept;

    // One record; false, and nothing was written, if it does not fit. `rdata` is uncompressed.
    // Sections are filled in order.
    bool add(Section section, std::span<const std::uint8_t> owner, RrType type, std::uint32_t ttl,
             std::span<const std::uint8_t> rdata, RrClass rr_class = RrClass::IN) noexcept {
        RecordHead head(section, owner, type, ttl, rr_class);
        return add(head, rdata);
    }
    bool add(Section section, const Name& owner, RrType type, std::uint32_t ttl,
             std::span<const std::uint8_t> rdata, RrClass rr_class = RrClass::IN) noexcept {
        return add(section, owner.octets(), type, ttl, rdata, rr_class);
    }

    // What the records of one RRset begin with. The name's octets are looked for in the message at
    // the first of them, and must live as long as this.
    class RecordHead {
      public:
        RecordHead(Section section, std::span<const std::uint8_t> owner, RrType type,
                   std::uint32_t ttl, RrClass rr_class = RrClass::IN) noexcept
            : section_(section), is_opaque_(!may_be_compressed(type)), owner_(owner) {
            store_u16(&octets_[2], static_cast<std::uint16_t>(type));
            store_u16(&octets_[4], static_cast<std::uint16_t>(rr_class));
            store_u32(&octets_[6], ttl);
        }
        // The name stands whole in the message already. REQUIRES: can_point_to(at).
        void stands_at(std::size_t at) noexcept {
            store_u16(octets_.data(), static_cast<std::uint16_t>(0xc000 | at));
            is_pointer_ = true;
        }

      private:
        friend class ReplyWriter;
        Section section_;
        bool is_pointer_ = false;  // the name's first two octets stand for all of it
        bool is_opaque_;           // RDATA are copied as they are
        std::span<const std::uint8_t> owner_;
        std::array<std::uint8_t, 10> octets_;  // from a pointer to the TTL
    };
    bool add(RecordHead& head, std::span<const std::uint8_t> rdata) noexcept {
        // Most are the second or a later one of addresses.
        return head.is_pointer_ && head.is_opaque_ ? add_octets(head, rdata)
                                                   : add_names(head, rdata);
    }

    // As far as 14 bits reach (RFC 1035 §4.1.4).
    static constexpr bool can_point_to(std::size_t at) noexcept { return at < 0x4000; }

    // Where the next record goes. Rolling back to there takes back all records since.
    struct Place {
        std::size_t at, targets;
        std::array<std::uint16_t, 3> counts;
    };
    Place place() const noexcept { return {at_, target_count_, counts_}; }
    void roll_back(const Place& to) noexcept;

    void set_authoritative(bool on) noexcept { authoritative_ = on; }
    void set_recursion_available() noexcept { recursion_available_ = true; }
    void set_authentic_data() noexcept { authentic_data_ = true; }
    // Told to clients with EDNS, if it fits. `text` must live until finish().
    void set_extended_error(ExtendedError code, std::string_view text) noexcept {
        extended_error_ = code;
        extended_text_ = text;
    }
    // Client cookie and server cookie, 24 octets; they must live until finish().
    void set_cookie(std::span<const std::uint8_t> cookie) noexcept { cookie_ = cookie; }
    // How long an idle connection stays open, in units of 100 ms (RFC 7828 §3.1).
    void set_keepalive(std::uint16_t timeout) noexcept { keepalive_ = timeout; }
    // The SOA's serial, and the labels of the zone's apex (RFC 9660 §2).
    void set_zone_version(std::uint8_t labels, std::uint32_t serial) noexcept {
        zone_version_ = ZoneVersion{labels, serial};
    }
    void set_truncated() noexcept { truncated_ = true; }
    bool is_truncated() const noexcept { return truncated_; }
    void set_rcode(Rcode rcode) noexcept { rcode_ = rcode; }

    // The header, and our OPT RR with the options that there are and that fit. Returns the
    // message's octets.
    std::size_t finish(std::uint16_t our_udp_payload_octets,
                       std::span<const std::uint8_t> nsid = {}) noexcept;

  private:
    // Behind a pointer, RDATA that are copied as they are.
    bool add_octets(const RecordHead& head, std::span<const std::uint8_t> rdata) noexcept {
        const std::size_t length_at = head.octets_.size();
        const std::size_t size = length_at + 2 + rdata.size();
        if (limit_ - at_ < size) return false;
        std::uint8_t* const to = octets_.data() + at_;
        std::memcpy(to, head.octets_.data(), length_at);
        store_u16(to + length_at, static_cast<std::uint16_t>(rdata.size()));
        if (rdata.size() == ipv4_octets) {  // mostly: no call is needed for so few
            std::memcpy(to + length_at + 2, rdata.data(), ipv4_octets);
        } else if (!rdata.empty()) {
            std::memcpy(to + length_at + 2, rdata.data(), rdata.size());
        }
        at_ += size;
        ++counts_[static_cast<std::size_t>(head.section_)];
        return true;
    }
    bool add_names(RecordHead& head, std::span<const std::uint8_t> rdata) noexcept;
    bool put(std::span<const std::uint8_t> octets) noexcept;
    bool put_u16(std::uint16_t value) noexcept;
    bool put_name(std::span<const std::uint8_t> name) noexcept;
    bool put_rdata(RrType type, std::span<const std::uint8_t> rdata) noexcept;
    void put_options(std::span<const std::uint8_t> nsid) noexcept;
    void put_option(std::uint16_t code, std::span<const std::uint8_t> head,
                    std::span<const std::uint8_t> tail) noexcept;
    bool stands_at(std::size_t offset, std::span<const std::uint8_t> suffix) const noexcept;
    void look_into_question() noexcept;
    void keep_targets() noexcept;

    // Where a suffix stands that later names may point to.
    struct Target {
        std::uint16_t at;
        std::uint8_t octets;  // of the suffix, if it stood there in full
    };
    static constexpr std::size_t targets_max = 48;  // a reply rarely has more
    static constexpr std::size_t ipv4_octets = 4;

    std::span<std::uint8_t> octets_;
    std::size_t at_ = 0;
    std::size_t limit_;
    const Query& query_;
    std::array<Target, targets_max> targets_;
    std::size_t target_count_ = 0;
    std::array<Target, 3 * Name::labels_max> pending_;  // of the record being written
    std::size_t pending_count_ = 0;
    std::array<std::uint16_t, 3> counts_{};
    Rcode rcode_ = Rcode::NoError;
    std::optional<ExtendedError> extended_error_;
    std::string_view extended_text_;
    std::span<const std::uint8_t> cookie_;
    struct ZoneVersion {
        std::uint8_t labels;
        std::uint32_t serial;
    };
    std::optional<ZoneVersion> zone_version_;
    std::optional<std::uint16_t> keepalive_;
    bool authoritative_ = false;
    bool recursion_available_ = false;
    bool authentic_data_ = false;
    bool truncated_ = false;
    bool has_question_ = false;
};

}  // namespace dnsd::wire
