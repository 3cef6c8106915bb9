// The words that records of signed zones are written with (RFC 4034, RFC 5155). We neither sign nor
// validate: such records are data to us.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zone/wire/presentation.h"

namespace dnsd::wire {

// A number, or the mnemonic that IANA gives it; printed as a number.
std::optional<std::uint8_t> parse_algorithm(std::string_view text);

// RFC 4034 §3.2: YYYYMMDDHHmmSS or seconds since 1970; the number wraps around (§3.1.5).
std::optional<std::uint32_t> parse_signature_time(std::string_view text);
std::string print_signature_time(std::uint32_t seconds);

// Type bit maps (RFC 4034 §4.1.2): windows ascend, none is empty or ends in a zero octet.
bool are_type_bits(std::span<const std::uint8_t> octets) noexcept;
Result<std::vector<std::uint8_t>> parse_type_bits(std::span<const Token> types);
std::string print_type_bits(std::span<const std::uint8_t> octets);  // REQUIRES: are_type_bits()

// RFC 4648 §7, without padding (RFC 5155 §3.3).
std::optional<std::vector<std::uint8_t>> parse_base32hex(std::string_view text);
std::string print_base32hex(std::span<const std::uint8_t> octets);

}  // namespace dnsd::wire
