// Transaction signatures (RFC 8945): messages between name servers that share a secret.
// GnuTLS computes the MACs. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

enum class TsigAlgorithm : std::uint8_t { HmacSha256, HmacSha384, HmacSha512 };
std::string_view print(TsigAlgorithm algorithm) noexcept;  // "hmac-sha256"
std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text) noexcept;

struct TsigKey {
    Name name;
    TsigAlgorithm algorithm = TsigAlgorithm::HmacSha256;
    std::vector<std::uint8_t> secret;
    bool operator==(const TsigKey&) const = default;
};

// Keys by name; of two with one name the first counts.
class Keyring {
  public:
    Keyring() = default;
    explicit Keyring(std::vector<TsigKey> keys);
    const TsigKey* find(const Name& name) const noexcept;
    std::size_t size() const noexcept { return keys_.size(); }

  private:
    std::vector<TsigKey> keys_;  // by name
};

// Keys as BIND's tsig-keygen writes them, any number: key "name" { algorithm hmac-sha256; secret
// "base64"; }; with comments (#, //, /* */). The error names the line.
Result<std::vector<TsigKey>> parse_tsig_keys(std::string_view text);

// Whether a TSIG RR stands among the records of the additional section, at its place or not (cheap;
// false for what cannot be read).
bool has_tsig(std::span<const std::uint8_t> message) noexcept;

enum class TsigError : std::uint16_t {  // RFC 8945 §3; IANA's names
    None = 0,
    BadSig = 16,
    BadKey = 17,
    BadTime = 18,
    BadTrunc = 22
};
std::string print(TsigError error);

// Why a message is not believed (RFC 8945 §5.2), and what its answer needs to say so.
struct TsigFailure {
    Rcode rcode = Rcode::FormErr;  // of the answer: FORMERR (there is no proper TSIG RR) or NOTAUTH
    TsigError error = TsigError::None;
    // Of the request's TSIG RR. Meaningless for FORMERR.
    Name key_name = {};
    Name algorithm_name = {};
    std::uint64_t time_signed = 0;
    std::uint64_t our_time = 0;  // both in seconds since 1970
    // For BADTIME, whose answer is signed (§5.2.3), the key; nothing: it is not.
    std::optional<TsigKey> key = {};
    std::vector<std::uint8_t> mac = {};
};

// The server's side of one signed exchange, or the client's: the key and the MACs so far.
class TsigSession {
  public:
    // A server's: believes a request. On success `message` no longer holds the TSIG RR (and its
    // ARCOUNT says so). On failure it is as it was, and the reply for it is made with
    // add_failure(). MACs that are cut to half their length or more are taken (§5.2.2.1); those of
    // ours are whole.
    static Result<TsigSession, TsigFailure> verify_request(std::vector<std::uint8_t>& message,
                                                           const Keyring& keys, WallTime now);
    // A client's: adds the TSIG RR to a request.
    static TsigSession sign_request(std::vector<std::uint8_t>& message, const TsigKey& key,
                                    WallTime now);

    // A server's: adds the TSIG RR to the next message of the reply (the first one and those that
    // follow differ, §5.3.1). Every message of ours is signed. REQUIRES of this and sign_request:
    // a header, and with reply_octets() more at most 65,535 octets.
    void sign_reply(std::vector<std::uint8_t>& message, WallTime now);
    // A client's: believes the next message of the reply, and takes the TSIG RR off. Messages
    // between two signed ones may be unsigned, at most 99 (§5.3.1), but neither the first nor the
    // last: ask ends_signed() after that.
    Result<> verify_reply(std::vector<std::uint8_t>& message, WallTime now);
    // Whether the last message that was believed was signed itself: ask after the last one.
    bool ends_signed() const noexcept { return unsigned_since_ == 0 && !is_first_; }

    const Name& key_name() const noexcept { return key_.name; }
    std::size_t reply_octets() const noexcept;  // that the TSIG RR takes in a reply

  private:
    explicit TsigSession(TsigKey key) : key_(std::move(key)) {}

    TsigKey key_;
    std::vector<std::uint8_t> mac_;      // the last one
    std::vector<std::uint8_t> pending_;  // a client's: unsigned messages since
    std::size_t unsigned_since_ = 0;
    bool is_first_ = true;
};

// `reply`, a whole message without TSIG whose rcode is `failure.rcode`, gains the TSIG RR that the
// failure asks for: unsigned for BADKEY and BADSIG, signed for BADTIME, none for FORMERR.
void add_failure(std::vector<std::uint8_t>& reply, const TsigFailure& failure);
// The octets that it takes at most.
std::size_t octets_of(const TsigFailure& failure) noexcept;

}  // namespace dnsd::wire
