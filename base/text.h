// Small things that every room does to text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dnsd {

// ASCII only, as DNS names and HTTP tokens are (RFC 4343): no locale has a say.
constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
std::string lower_cased(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trimmed(std::string_view text) noexcept;

// The whole of `text` as a decimal number, or nothing.
std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;

// RFC 3986 §2.1. Nothing if a '%' is not followed by two hex digits.
std::optional<std::string> percent_decoded(std::string_view text);
std::string percent_encoded(std::string_view text);  // all but unreserved characters

std::array<std::uint8_t, 32> sha256(std::string_view octets);
std::string hex(std::span<const std::uint8_t> octets);

// RFC 3629, without surrogates and overlong forms.
bool is_utf8(std::string_view text) noexcept;

}  // namespace dnsd
