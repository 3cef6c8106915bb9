// What is kept of another server's response: its rcode and the records that answer the question,
// uncompressed and without the message around them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "zone/wire/message.h"

namespace dnsd::wire {

// What a resolver asks for a client. DO and CD belong to the question: they change the answer (RFC
// 4035 §3.2). Equal ones are answered alike.
struct RecursiveQuestion {
    Question question;
    bool dnssec_ok = false;
    bool checking_disabled = false;

    bool operator==(const RecursiveQuestion& other) const noexcept {
        return question.type == other.question.type && dnssec_ok == other.dnssec_ok &&
               checking_disabled == other.checking_disabled && question.name == other.question.name;
    }
};

// A value that never changes once it is shared; any thread may read it.
class Response {
  public:
    // A response that an upstream gave to `asked`. Of the answer section it keeps the chain of
    // aliases from the question's name and what stands at its end; of the authority section the SOA
    // of a negative answer and, with DO, what proves it; of the additional section the addresses of
    // the answer's targets. Nothing else that the message may say is believed. Nothing: it is
    // malformed, answers another question, is truncated, or is a referral.
    static std::optional<Response> decode(std::span<const std::uint8_t> message,
                                          const RecursiveQuestion& asked);
    // No answer, and why; kept for `lifetime` seconds (RFC 9520).
    static Response failure(const Question& question, Rcode rcode, ExtendedError why,
                            std::string text, std::uint32_t lifetime);

    Name question_name() const noexcept;
    bool is_about(const Name& name) const noexcept;  // as question_name() == name, but faster
    Rcode rcode() const noexcept { return rcode_; }
    bool is_failure() const noexcept { return why_.has_value(); }
    bool is_negative() const noexcept { return is_negative_; }  // NXDOMAIN or NODATA
    bool authentic_data() const noexcept { return authentic_data_; }
    // Seconds for which it may be used: the least TTL of the answer section, or the negative TTL
    // (RFC 2308 §5); 0 where a negative answer had no SOA.
    std::uint32_t lifetime() const noexcept { return lifetime_; }
    std::size_t octets() const noexcept { return sizeof *this + packed_.capacity() + text_.size(); }

    std::optional<ExtendedError> why() const noexcept { return why_; }
    const std::string& text() const noexcept { return text_; }

    // Raises and lowers lifetime and TTLs.
    void clamp_ttls(std::uint32_t least, std::uint32_t most) noexcept;
    void clear_authentic_data() noexcept { authentic_data_ = false; }

    struct View {
        Section section;
        std::uint32_t owner_at;  // 0: the question's name, as whoever asked spells it
        RrType type;
        std::uint32_t ttl;
        std::span<const std::uint8_t> rdata;  // uncompressed
    };
    // Records in the message's order. Those of the last RRset of the answer section, which may be
    // rotated, are `rotatable()` many, the first of them with the index `rotatable_at()`.
    class Records {
      public:
        explicit Records(const Response& response) noexcept : response_(response) { rewind(); }
        bool next(View& view) noexcept;  // false: there are no more
        void rewind() noexcept;

      private:
        const Response& response_;
        std::size_t at_ = 0;
    };
    Name owner(const View& view) const noexcept;
    std::size_t rotatable_at() const noexcept { return rotatable_at_; }
    std::size_t rotatable() const noexcept { return rotatable_; }

  private:
    class Packer;

    // The question's name, then records:
    //   section (1) type (2) TTL (4) owner_at (4) RDATA octets (2) RDATA
    // owner_at is where the owner name stands in here: the question's, or one inside earlier RDATA.
    // One that stands nowhere is put in front of its record as a record of the section `name_only`.
    std::vector<std::uint8_t> packed_;
    std::string text_;
    std::uint32_t lifetime_ = 0;
    std::uint8_t name_octets_ = 1;  // of the question's name
    std::uint32_t rotatable_at_ = 0, rotatable_ = 0;
    std::optional<ExtendedError> why_;
    Rcode rcode_ = Rcode::NoError;
    bool is_negative_ = false;
    bool authentic_data_ = false;
};

// A response and where it stands in its life.
struct AgedResponse {
    std::shared_ptr<const Response> response = {};
    std::uint32_t age = 0;          // seconds since it came
    std::uint32_t ttl_lowered = 0;  // what is to be taken off its TTLs
    bool is_stale = false;
    std::uint32_t stale_ttl = 0;  // if it is stale: the TTL of all its records
    std::uint32_t stale_for = 0;  // seconds since its end
};

}  // namespace dnsd::wire
