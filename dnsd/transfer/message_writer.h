// Messages of a transfer: filled with record after record, names compressed against all that the
// message holds.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "zone/wire/message.h"

namespace dnsd::transfer {

// One RR, uncompressed; looks into a zone or a difference.
struct RecordView {
    std::span<const std::uint8_t> owner;
    wire::RrType type = wire::RrType::A;
    std::uint32_t ttl = 0;
    std::span<const std::uint8_t> rdata;
};

// One authoritative answer on its way. wire::ReplyWriter remembers few names, as replies have few
// records; this one finds any of thousands by its hash. Belongs to one thread.
class MessageWriter {
  public:
    // RFC 5936 §2.2: only the first message of a reply has a question, and an OPT RR where the
    // query had one. `limit`: octets of the message, the TSIG RR's not counted. REQUIRES: limit >=
    // 512, the query has a question.
    MessageWriter(const wire::Query& query, bool is_first, std::size_t limit);

    // False, and nothing was written, if it does not fit.
    bool add(const RecordView& record);
    bool is_empty() const noexcept { return count_ == 0; }

    std::vector<std::uint8_t> finish();  // once

  private:
    void put(std::span<const std::uint8_t> octets);
    void put_u16(std::uint16_t value);
    void put_name(std::span<const std::uint8_t> name);
    void put_rdata(wire::RrType type, std::span<const std::uint8_t> rdata);
    // The slot of a suffix: where it stands, or 0 where it may be remembered.
    std::uint16_t& slot_of(std::span<const std::uint8_t> suffix) noexcept;
    bool stands_at(std::size_t at, std::span<const std::uint8_t> suffix) const noexcept;
    void forget_after(std::size_t size) noexcept;

    static constexpr std::size_t slots = 4096;  // a power of two
    static constexpr std::size_t names_max = slots * 3 / 4;

    std::vector<std::uint8_t> octets_;
    std::size_t limit_;
    bool has_opt_;
    std::uint16_t opt_flags_ = 0;
    std::uint16_t count_ = 0;
    std::array<std::uint16_t, slots> places_{};  // of suffixes, by hash
    std::size_t names_ = 0;
    std::vector<std::uint16_t> fresh_;  // slots that the record being written has filled
};

}  // namespace dnsd::transfer
