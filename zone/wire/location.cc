#include "zone/wire/location.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

namespace dnsd::wire {

namespace {

// RFC 1876 §2: thousandths of an arc second from the equator and the prime meridian, centimetres
// from 100 km below the reference spheroid.
constexpr std::uint32_t middle = std::uint32_t{1} << 31;
constexpr std::uint32_t per_second = 1'000, per_minute = 60 * per_second,
                        per_degree = 60 * per_minute;
constexpr std::int64_t ground = 10'000'000;

std::uint32_t distance(std::uint32_t a, std::uint32_t b) noexcept { return a > b ? a - b : b - a; }

// Sizes are a digit and a power of ten of centimetres.
bool is_size(std::uint8_t octet) noexcept {
    const unsigned digit = octet >> 4, power = octet & 0x0f;
    return digit <= 9 && power <= 9 && (digit != 0 || power == 0);
}

std::string print_centimetres(std::int64_t centimetres) {
    const std::int64_t size = std::abs(centimetres);
    return fmt::format("{}{}.{:02}m", centimetres < 0 ? "-" : "", size / 100, size % 100);
}

std::string print_size(std::uint8_t octet) {
    std::int64_t centimetres = octet >> 4;
    for (unsigned power = octet & 0x0f; power > 0; --power) centimetres *= 10;
    return print_centimetres(centimetres);
}

std::string print_angle(std::uint32_t angle, char positive, char negative) {
    const std::uint32_t size = distance(angle, middle);
    return fmt::format("{} {} {}.{:03} {}", size / per_degree, size / per_minute % 60,
                       size / per_second % 60, size % per_second,
                       angle >= middle ? positive : negative);
}

// Takes words off the front; the first that is wrong is kept, and said.
class Words {
  public:
    explicit Words(std::span<const Token> tokens) noexcept : tokens_(tokens) {}

    // Degrees, and minutes and seconds if they are there, up to one of the two letters.
    std::uint32_t angle(std::uint32_t degrees_max, char positive, char negative) {
        const std::uint32_t scales[] = {per_degree, per_minute, per_second};
        std::uint32_t size = 0;
        for (std::size_t i = 0;; ++i) {
            if (at_ == tokens_.size()) return wrong("'N' or 'S', and 'E' or 'W', are missing"), 0u;
            const std::string& word = tokens_[at_++].text;
            const bool is_end = word.size() == 1 && (word[0] == positive || word[0] == negative);
            if (is_end && i > 0) {
                if (size > degrees_max * per_degree)
                    wrong(fmt::format("there are no more than {} degrees", degrees_max));
                return word[0] == positive ? middle + size : middle - size;
            }
            const auto part = i < 3 ? decimal(word, i < 2 ? 0 : 3) : std::nullopt;
            if (!part || *part < 0 || *part >= (i == 0 ? 181 : i == 1 ? 60 : 60'000)) {
                wrong(fmt::format("'{}' is no part of an angle", word));
                return 0;
            }
            size += static_cast<std::uint32_t>(*part) * (i < 2 ? scales[i] : 1);
        }
    }

    std::uint32_t altitude() {
        const auto centimetres = metres();
        if (!centimetres || *centimetres < -ground || *centimetres + ground > UINT32_MAX) {
            wrong("the altitude is from -100000m to 42849672.95m");
            return 0;
        }
        return static_cast<std::uint32_t>(*centimetres + ground);
    }

    void size(std::uint8_t& octet) {
        if (at_ == tokens_.size() || !error_.empty()) return;
        auto centimetres = metres();
        if (!centimetres || *centimetres < 0 || *centimetres > 9'000'000'000) {
            wrong("a size is from 0m to 90000000m");
            return;
        }
        unsigned power = 0;
        for (; *centimetres > 9; *centimetres /= 10) ++power;  // what a digit cannot say is lost
        octet = static_cast<std::uint8_t>(*centimetres << 4 | power);
    }

    Result<> end() const {
        if (!error_.empty()) return fail(error_);
        if (at_ < tokens_.size()) return fail(fmt::format("'{}' is too much", tokens_[at_].text));
        return {};
    }

  private:
    std::optional<std::int64_t> metres() {
        if (at_ == tokens_.size()) return std::nullopt;
        std::string_view word = tokens_[at_++].text;
        if (word.ends_with('m')) word.remove_suffix(1);
        return decimal(word, 2);
    }

    // A number with at most so many places, as an integer of the last of them.
    static std::optional<std::int64_t> decimal(std::string_view word, unsigned places) {
        const bool is_negative = word.starts_with('-');
        if (is_negative) word.remove_prefix(1);
        std::int64_t value = 0;
        std::optional<unsigned> after_dot;
        bool has_digit = false;
        for (const char c : word) {
            if (c == '.' && !after_dot && places > 0) {
                after_dot = 0;
                continue;
            }
            if (c < '0' || c > '9' || value > 1'000'000'000'000 ||
                (after_dot && *after_dot == places))
                return std::nullopt;
            has_digit = true;
            value = value * 10 + (c - '0');
            if (after_dot) ++*after_dot;
        }
        if (!has_digit) return std::nullopt;
        for (unsigned i = after_dot.value_or(0); i < places; ++i) value *= 10;
        return is_negative ? -value : value;
    }

    void wrong(std::string what) {
        if (error_.empty()) error_ = std::move(what);
    }

    std::span<const Token> tokens_;
    std::size_t at_ = 0;
    std::string error_;
};

}  // namespace

bool LocRdata::has_text() const noexcept {
    return version == 0 && is_size(size) && is_size(horizontal) && is_size(vertical) &&
           distance(latitude, middle) <= 90 * per_degree &&
           distance(longitude, middle) <= 180 * per_degree;
}

Result<LocRdata> parse_location(std::span<const Token> tokens) {
    LocRdata location;
    Words words(tokens);
    location.latitude = words.angle(90, 'N', 'S');
    location.longitude = words.angle(180, 'E', 'W');
    location.altitude = words.altitude();
    words.size(location.size);
    words.size(location.horizontal);
    words.size(location.vertical);
    if (auto ended = words.end(); !ended) return std::unexpected(ended.error());
    return location;
}

std::string print_location(const LocRdata& location) {
    return fmt::format("{} {} {} {} {} {}", print_angle(location.latitude, 'N', 'S'),
                       print_angle(location.longitude, 'E', 'W'),
                       print_centimetres(std::int64_t{location.altitude} - ground),
                       print_size(location.size), print_size(location.horizontal),
                       print_size(location.vertical));
}

}  // namespace dnsd::wire
