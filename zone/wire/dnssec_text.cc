#include "zone/wire/dnssec_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "base/text.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

namespace {

// https://www.iana.org/assignments/dns-sec-alg-numbers
constexpr auto algorithms = std::to_array<std::pair<std::uint8_t, std::string_view>>({
    {0, "DELETE"},
    {1, "RSAMD5"},
    {2, "DH"},
    {3, "DSA"},
    {5, "RSASHA1"},
    {6, "DSA-NSEC3-SHA1"},
    {7, "RSASHA1-NSEC3-SHA1"},
    {8, "RSASHA256"},
    {10, "RSASHA512"},
    {12, "ECC-GOST"},
    {13, "ECDSAP256SHA256"},
    {14, "ECDSAP384SHA384"},
    {15, "ED25519"},
    {16, "ED448"},
    {252, "INDIRECT"},
    {253, "PRIVATEDNS"},
    {254, "PRIVATEOID"},
});

constexpr std::string_view base32_digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
constexpr std::size_t window_octets_max = 32;

}  // namespace

std::optional<std::uint8_t> parse_algorithm(std::string_view text) {
    for (const auto& [number, mnemonic] : algorithms) {
        if (equal_ignoring_case(mnemonic, text)) return number;
    }
    const auto number = parse_unsigned(text);
    if (!number || *number > 255) return std::nullopt;
    return static_cast<std::uint8_t>(*number);
}

std::optional<std::uint32_t> parse_signature_time(std::string_view text) {
    using namespace std::chrono;
    const auto number = parse_unsigned(text);
    if (!number) return std::nullopt;
    if (text.size() != 14) {
        if (*number > UINT32_MAX) return std::nullopt;
        return static_cast<std::uint32_t>(*number);
    }
    const auto part = [&](std::uint64_t unit, std::uint64_t count) {
        return static_cast<unsigned>(*number / unit % count);
    };
    const year_month_day date(year(static_cast<int>(part(10'000'000'000, 10'000))),
                              month(part(100'000'000, 100)), day(part(1'000'000, 100)));
    const unsigned hour = part(10'000, 100), minute = part(100, 100), second = part(1, 100);
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    const auto since = sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
    return static_cast<std::uint32_t>(since.time_since_epoch().count());
}

std::string print_signature_time(std::uint32_t seconds) {
    return fmt::format("{:%Y%m%d%H%M%S}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

bool are_type_bits(std::span<const std::uint8_t> octets) noexcept {
    for (int previous = -1; !octets.empty();) {
        if (octets.size() < 3 || octets[0] <= previous) return false;
        const std::size_t size = octets[1];
        if (size < 1 || size > window_octets_max || octets.size() - 2 < size) return false;
        if (octets[1 + size] == 0) return false;
        previous = octets[0];
        octets = octets.subspan(2 + size);
    }
    return true;
}

Result<std::vector<std::uint8_t>> parse_type_bits(std::span<const Token> types) {
    std::set<std::uint16_t> sorted;
    for (const Token& token : types) {
        const auto type = parse_type(token.text);
        if (!type) return fail(fmt::format("'{}' is no RR type", token.text));
        sorted.insert(std::to_underlying(*type));
    }
    std::vector<std::uint8_t> octets;
    std::size_t size_at = 0;
    for (int window = -1; const std::uint16_t type : sorted) {
        if (type >> 8 != window) {
            window = type >> 8;
            octets.push_back(static_cast<std::uint8_t>(window));
            size_at = octets.size();
            octets.push_back(0);
        }
        const std::size_t at = (type & 0xffu) / 8;
        octets.resize(std::max(octets.size(), size_at + 2 + at));
        octets[size_at] = static_cast<std::uint8_t>(at + 1);
        auto& bits = octets[size_at + 1 + at];
        bits = static_cast<std::uint8_t>(bits | 0x80 >> type % 8);
    }
    return octets;
}

std::string print_type_bits(std::span<const std::uint8_t> octets) {
    std::string text;
    for (; !octets.empty(); octets = octets.subspan(2 + std::size_t{octets[1]})) {
        for (unsigned i = 0; i < octets[1] * 8u; ++i) {
            if ((octets[2 + i / 8] & 0x80 >> i % 8) == 0) continue;
            if (!text.empty()) text += ' ';
            text += print(static_cast<RrType>(octets[0] << 8 | i));
        }
    }
    return text;
}

std::optional<std::vector<std::uint8_t>> parse_base32hex(std::string_view text) {
    std::vector<std::uint8_t> octets;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (char c : text) {
        if (c >= 'a' && c <= 'v') c = static_cast<char>(c - 'a' + 'A');
        const auto digit = base32_digits.find(c);
        if (digit == base32_digits.npos) return std::nullopt;
        bits = bits << 5 | static_cast<std::uint32_t>(digit);
        count += 5;
        if (count < 8) continue;
        count -= 8;
        octets.push_back(static_cast<std::uint8_t>(bits >> count));
        bits &= (1u << count) - 1;
    }
    // What is left over is less than a digit, and zero, or two texts would be the same octets.
    if (count >= 5 || bits != 0) return std::nullopt;
    return octets;
}

std::string print_base32hex(std::span<const std::uint8_t> octets) {
    std::string text;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const std::uint8_t octet : octets) {
        bits = bits << 8 | octet;
        for (count += 8; count >= 5; count -= 5) text += base32_digits[bits >> (count - 5) & 31];
    }
    if (count > 0) text += base32_digits[bits << (5 - count) & 31];
    return text;
}

}  // namespace dnsd::wire
