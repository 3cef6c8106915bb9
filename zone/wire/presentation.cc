#include "zone/wire/presentation.h"

#include <fmt/format.h>

namespace dnsd::wire {

namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Result<std::vector<Token>> split_tokens(std::string_view text) {
    std::vector<Token> tokens;
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        Token token;
        token.quoted = text[at] == '"';
        at += token.quoted;
        bool closed = !token.quoted;
        while (at < text.size()) {
            const char c = text[at];
            if (token.quoted ? c == '"' : is_space(c) || c == '"') {
                closed = true;
                break;
            }
            if (c == '\\' && at + 1 < text.size()) token.text += text[at++];
            token.text += text[at++];
        }
        if (!closed) return fail("a quote is not closed");
        at += token.quoted;
        tokens.push_back(std::move(token));
    }
    return tokens;
}

std::optional<std::string> unescaped(std::string_view text) {
    std::string octets;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            octets += text[at];
            continue;
        }
        if (++at == text.size()) return std::nullopt;
        if (text[at] < '0' || text[at] > '9') {
            octets += text[at];
            continue;
        }
        unsigned value = 0;
        for (const std::size_t end = at + 3; at < end; ++at) {
            if (at == text.size() || text[at] < '0' || text[at] > '9') return std::nullopt;
            value = value * 10 + static_cast<unsigned>(text[at] - '0');
        }
        --at;
        if (value > 255) return std::nullopt;
        octets += static_cast<char>(value);
    }
    return octets;
}

std::string quoted_text(std::span<const std::uint8_t> octets) {
    std::string text = "\"";
    for (const std::uint8_t octet : octets) {
        if (octet < 0x20 || octet > 0x7e) {
            text += fmt::format("\\{:03}", octet);
        } else {
            if (octet == '"' || octet == '\\') text += '\\';
            text += static_cast<char>(octet);
        }
    }
    return text + '"';
}

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::vector<std::uint8_t> octets;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        octets.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return octets;
}

std::string print_hex(std::span<const std::uint8_t> octets) {
    std::string text;
    for (const std::uint8_t octet : octets) text += fmt::format("{:02X}", octet);
    return text;
}

std::optional<std::vector<std::uint8_t>> parse_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::vector<std::uint8_t> octets;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t bits = 0;
        int padding = 0;
        for (std::size_t j = i; j < i + 4; ++j) {
            const bool may_pad = i + 4 == text.size() && j >= i + 2;
            if (text[j] == '=' && may_pad) {
                ++padding;
                bits <<= 6;
                continue;
            }
            const auto digit = base64_digits.find(text[j]);
            if (digit == base64_digits.npos || padding > 0) return std::nullopt;
            bits = bits << 6 | static_cast<std::uint32_t>(digit);
        }
        // Bits that padding leaves over are zero, or two texts would be the same octets.
        if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
            return std::nullopt;
        for (int shift = 16; shift >= 8 * padding; shift -= 8)
            octets.push_back(static_cast<std::uint8_t>(bits >> shift));
    }
    return octets;
}

std::string print_base64(std::span<const std::uint8_t> octets) {
    std::string text;
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, octets.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < count ? octets[i + j] : 0u);
        for (std::size_t j = 0; j < 4; ++j)
            text += j <= count ? base64_digits[bits >> (18 - 6 * j) & 63] : '=';
    }
    return text;
}

}  // namespace dnsd::wire
