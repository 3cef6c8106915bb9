// DNS messages (RFC 1035 §4, EDNS0: RFC 6891): queries in, replies out, without allocating.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

inline constexpr std::size_t header_octets = 12;
inline constexpr std::uint16_t nsid_option = 3;  // RFC 5001

struct Question {
    Name name;
    RrType type = RrType::A;
    RrClass rr_class = RrClass::IN;
};

// What a client's OPT RR says. Options that we do not know are ignored (RFC 6891 §6.1.2).
struct Edns {
    std::uint16_t udp_payload_octets = 512;
    std::uint8_t version = 0;
    bool dnssec_ok = false;
    bool asks_nsid = false;
};

struct Query {
    std::uint16_t id = 0;
    Opcode opcode = Opcode::Query;
    bool recursion_desired = false;
    std::optional<Question> question;  // always there for Opcode::Query; not read for others
    std::optional<Edns> edns;
};

// Why octets are no query.
struct BadQuery {
    enum class Reply { Silence, FormErr } reply;  // silence: too short, or itself a response
    Query header;                                 // what is to be echoed
};

Result<Query, BadQuery> decode_query(std::span<const std::uint8_t> octets) noexcept;

// A query as a client sends it: one question, RD clear, an OPT RR.
std::vector<std::uint8_t> encode_query(std::uint16_t id, const Question& question,
                                       std::uint16_t udp_payload_octets);

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
};
std::optional<Message> decode_message(std::span<const std::uint8_t> octets);

// Writes a reply to a query into octets of the caller's. Names are compressed against what was
// written, spelling included (0x20 survives). Belongs to one thread.
class ReplyWriter {
  public:
    // `limit`: octets that the client takes. Room for our OPT RR is kept if the query had one.
    ReplyWriter(const Query& query, std::span<std::uint8_t> octets, std::size_t limit) noexcept;

    // One record; false, and nothing was written, if it does not fit. `rdata` is uncompressed.
    // Sections are filled in order.
    bool add(Section section, const Name& owner, RrType type, std::uint32_t ttl,
             std::span<const std::uint8_t> rdata, RrClass rr_class = RrClass::IN) noexcept;

    void set_authoritative(bool on) noexcept { authoritative_ = on; }
    void set_truncated() noexcept { truncated_ = true; }
    bool is_truncated() const noexcept { return truncated_; }
    void set_rcode(Rcode rcode) noexcept { rcode_ = rcode; }

    // The header, and our OPT RR with the NSID if there is one. Returns the message's octets.
    std::size_t finish(std::uint16_t our_udp_payload_octets,
                       std::span<const std::uint8_t> nsid = {}) noexcept;

  private:
    bool put(std::span<const std::uint8_t> octets) noexcept;
    bool put_u16(std::uint16_t value) noexcept;
    bool put_u32(std::uint32_t value) noexcept;
    bool put_name(const Name& name) noexcept;
    bool put_rdata(RrType type, std::span<const std::uint8_t> rdata) noexcept;
    bool stands_at(std::size_t offset, std::span<const std::uint8_t> suffix) const noexcept;

    void keep_targets() noexcept;

    // Where suffixes stand that later names may point to. A reply rarely has more.
    static constexpr std::size_t targets_max = 48;

    std::span<std::uint8_t> octets_;
    std::size_t at_ = 0;
    std::size_t limit_;
    const Query& query_;
    std::array<std::uint16_t, targets_max> targets_;
    std::size_t target_count_ = 0;
    std::array<std::uint16_t, 3 * Name::labels_max> pending_;  // of the record being written
    std::size_t pending_count_ = 0;
    std::array<std::uint16_t, 3> counts_{};
    Rcode rcode_ = Rcode::NoError;
    bool authoritative_ = false;
    bool truncated_ = false;
    bool has_question_ = false;
};

}  // namespace dnsd::wire
