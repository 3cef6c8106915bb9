// Words of the master file format (RFC 1035 §5.1): what one line of RDATA is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dnsd::wire {

// One word as it was written, escapes and all, without its quotes.
struct Token {
    std::string text;
    bool quoted = false;
};

// Splits at white space outside of quotes. Parentheses and comments are a master file's, not ours.
Result<std::vector<Token>> split_tokens(std::string_view text);

// \DDD and \X become octets; nothing if an escape is none.
std::optional<std::string> unescaped(std::string_view text);
// A character-string (RFC 1035 §3.3) in quotes; what is not printable becomes \DDD.
std::string quoted_text(std::span<const std::uint8_t> octets);

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);
std::string print_hex(std::span<const std::uint8_t> octets);  // upper case, as RFCs show it
std::optional<std::vector<std::uint8_t>> parse_base64(std::string_view text);  // RFC 4648 §4
std::string print_base64(std::span<const std::uint8_t> octets);

}  // namespace dnsd::wire
