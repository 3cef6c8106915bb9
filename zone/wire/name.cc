#include "zone/wire/name.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/assert.h"

namespace dnsd::wire {

namespace {

// RFC 4343 §3. A length octet is at most 63 and so below 'A': whole names may be folded and
// compared octet by octet, without looking where their labels begin.
constexpr std::uint8_t folded(std::uint8_t octet) noexcept {
    return static_cast<std::uint8_t>(octet | ((octet >= 'A' && octet <= 'Z') ? 0x20 : 0));
}

// So many octets as the processor's vectors hold, or half of that; the compiler does the rest.
template <std::size_t count>
std::array<std::uint8_t, count> folded(const std::uint8_t* from) noexcept {
    std::array<std::uint8_t, count> octets;
    std::memcpy(octets.data(), from, count);
    for (std::uint8_t& octet : octets) octet = folded(octet);
    return octets;
}

// Calls `step` for pieces of so many octets that cover all, the last two maybe with some of them in
// both, until one says no. REQUIRES: size >= count.
template <std::size_t count, class Step>
bool each_piece(std::size_t size, Step step) noexcept {
    const std::size_t last = size - count;
    for (std::size_t at = 0; at < last; at += count) {
        if (!step(at)) return false;
    }
    return step(last);
}

template <std::size_t count>
bool fold_pieces(std::span<const std::uint8_t> from, std::uint8_t* to) noexcept {
    return each_piece<count>(from.size(), [&](std::size_t at) {
        std::memcpy(to + at, folded<count>(from.data() + at).data(), count);
        return true;
    });
}

void fold(std::span<const std::uint8_t> from, std::uint8_t* to) noexcept {
    if (from.size() >= 16) {
        fold_pieces<16>(from, to);
    } else if (from.size() >= 8) {
        fold_pieces<8>(from, to);
    } else {
        fold_pieces<1>(from, to);
    }
}

template <std::size_t count>
bool equal_pieces(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
    return each_piece<count>(a.size(), [&](std::size_t at) {
        // Most are spelled alike.
        return std::memcmp(a.data() + at, b.data() + at, count) == 0 ||
               folded<count>(a.data() + at) == folded<count>(b.data() + at);
    });
}

// REQUIRES: of the same size, which is not 0.
bool equal_folded(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
    return a.size() >= 16  ? equal_pieces<16>(a, b)
           : a.size() >= 8 ? equal_pieces<8>(a, b)
                           : equal_pieces<1>(a, b);
}

// Where each label of `octets` begins, leftmost first, without the root label.
struct LabelStarts {
    explicit LabelStarts(std::span<const std::uint8_t> octets) noexcept {
        for (std::size_t at = 0; octets[at] != 0; at += octets[at] + std::size_t{1})
            starts[count++] = static_cast<std::uint8_t>(at);
    }
    std::size_t count = 0;
    std::array<std::uint8_t, Name::labels_max> starts;
};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// One character of a label, escaped or not, taken off the front of `text`; nothing if the escape is
// none: a lone backslash, or a \DDD that is no octet.
std::optional<std::uint8_t> take_octet(std::string_view& text) noexcept {
    const char first = text.front();
    text.remove_prefix(1);
    if (first != '\\') return static_cast<std::uint8_t>(first);
    if (text.empty()) return std::nullopt;
    if (!is_digit(text.front())) {
        const auto octet = static_cast<std::uint8_t>(text.front());
        text.remove_prefix(1);
        return octet;
    }
    if (text.size() < 3 || !is_digit(text[1]) || !is_digit(text[2])) return std::nullopt;
    const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    text.remove_prefix(3);
    if (value > 255) return std::nullopt;
    return static_cast<std::uint8_t>(value);
}

void print_octet(std::uint8_t octet, std::string& out) {
    if (octet <= ' ' || octet >= 0x7f) {
        out += '\\';
        out += static_cast<char>('0' + octet / 100);
        out += static_cast<char>('0' + octet / 10 % 10);
        out += static_cast<char>('0' + octet % 10);
        return;
    }
    // What master files (RFC 1035 §5.1) would take for something else.
    if (std::string_view(".\\\"();@$").find(static_cast<char>(octet)) != std::string_view::npos)
        out += '\\';
    out += static_cast<char>(octet);
}

}  // namespace

Result<Name> Name::parse(std::string_view text) { return parse(text, Name()); }

Result<Name> Name::parse(std::string_view text, const Name& origin) {
    if (text.empty()) return fail("a name has at least one label; the root is \".\"");
    if (text == ".") return Name();
    if (text == "@") return origin;
    Name name;
    bool absolute = false;
    while (!text.empty()) {
        std::array<std::uint8_t, label_octets_max> label;
        std::size_t size = 0;
        for (absolute = false; !text.empty();) {
            if (text.front() == '.') {
                text.remove_prefix(1);
                absolute = true;  // unless another label follows
                break;
            }
            const auto octet = take_octet(text);
            if (!octet) return fail("a backslash in a name is followed by a character or by \\DDD");
            if (size == label.size()) return fail("a label of a name is longer than 63 octets");
            label[size++] = *octet;
        }
        if (size == 0) return fail("a name has an empty label");
        if (!name.append_label({label.data(), size}))
            return fail("a name is longer than 255 octets");
    }
    if (absolute || origin.is_root()) return name;
    if (name.size() - 1 + origin.size() > octets_max) {
        return fail("a name is longer than 255 octets");
    }
    std::ranges::copy(origin.octets(), name.octets_.begin() + name.size_ - 1);
    name.size_ = static_cast<std::uint8_t>(name.size_ - 1 + origin.size_);
    return name;
}

std::optional<Name> Name::from_octets(std::span<const std::uint8_t> octets) noexcept {
    if (octets.empty() || octets.size() > octets_max) return std::nullopt;
    std::size_t at = 0;
    while (octets[at] != 0) {
        if (octets[at] > label_octets_max) return std::nullopt;
        // At least the next length octet must be there.
        if (octets.size() - at <= octets[at] + std::size_t{1}) return std::nullopt;
        at += octets[at] + std::size_t{1};
    }
    if (at + 1 != octets.size()) return std::nullopt;
    return Name(octets);
}

std::size_t Name::label_count() const noexcept { return wire::label_count(octets()); }

std::size_t label_count(std::span<const std::uint8_t> octets) noexcept {
    std::size_t count = 0;
    for (std::size_t at = 0; octets[at] != 0; at += octets[at] + std::size_t{1}) ++count;
    return count;
}

std::string_view Name::first_label() const noexcept {
    DNSD_ASSERT(!is_root());
    return {reinterpret_cast<const char*>(octets_.data()) + 1, octets_[0]};
}

Name Name::parent() const noexcept {
    DNSD_ASSERT(!is_root());
    return Name(octets().subspan(octets_[0] + std::size_t{1}));
}

std::optional<Name> Name::below(std::string_view label) const noexcept {
    if (label.empty() || label.size() > label_octets_max) return std::nullopt;
    if (octets_max - size_ < label.size() + 1) return std::nullopt;
    Name name;
    name.octets_[0] = static_cast<std::uint8_t>(label.size());
    const auto rest = std::ranges::copy(label, name.octets_.begin() + 1).out;
    std::ranges::copy(octets(), rest);
    name.size_ = static_cast<std::uint8_t>(1 + label.size() + size_);
    return name;
}

std::optional<Name> Name::with_suffix(const Name& old_suffix,
                                      const Name& new_suffix) const noexcept {
    DNSD_ASSERT(is_at_or_below(old_suffix));
    const std::size_t kept = size_ - std::size_t{old_suffix.size_};
    if (octets_max - kept < new_suffix.size_) return std::nullopt;
    Name name;
    const auto rest = std::ranges::copy(octets().first(kept), name.octets_.begin()).out;
    std::ranges::copy(new_suffix.octets(), rest);
    name.size_ = static_cast<std::uint8_t>(kept + new_suffix.size_);
    return name;
}

bool Name::is_at_or_below(const Name& ancestor) const noexcept {
    if (size_ < ancestor.size_) return false;
    const std::size_t start = size_ - std::size_t{ancestor.size_};
    std::size_t at = 0;  // the end of one name may look like another, within a label
    while (at < start) at += octets_[at] + std::size_t{1};
    return at == start && equal_folded(octets().subspan(start), ancestor.octets());
}

bool Name::is_below(const Name& ancestor) const noexcept {
    return size_ > ancestor.size_ && is_at_or_below(ancestor);
}

bool Name::is_wildcard() const noexcept { return octets_[0] == 1 && octets_[1] == '*'; }

Name Name::lower_cased() const noexcept {
    Name name;
    fold(octets(), name.octets_.data());
    name.size_ = size_;
    return name;
}

std::string Name::print() const {
    if (is_root()) return ".";
    std::string out;
    out.reserve(size_);
    for (std::size_t at = 0; octets_[at] != 0; at += octets_[at] + std::size_t{1}) {
        if (at != 0) out += '.';
        for (const std::uint8_t octet : octets().subspan(at + 1, octets_[at])) {
            print_octet(octet, out);
        }
    }
    return out;
}

bool Name::operator==(const Name& other) const noexcept {
    return equal_names(octets(), other.octets());
}

bool equal_names(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
    return a.size() == b.size() && equal_folded(a, b);
}

std::weak_ordering Name::operator<=>(const Name& other) const noexcept {
    const LabelStarts ours(octets());
    const LabelStarts theirs(other.octets());
    for (std::size_t i = 1; i <= std::min(ours.count, theirs.count); ++i) {
        const std::size_t a = ours.starts[ours.count - i];
        const std::size_t b = theirs.starts[theirs.count - i];
        const auto label_a = octets().subspan(a + 1, octets_[a]);
        const auto label_b = other.octets().subspan(b + 1, other.octets_[b]);
        const auto order = std::lexicographical_compare_three_way(
            label_a.begin(), label_a.end(), label_b.begin(), label_b.end(),
            [](std::uint8_t x, std::uint8_t y) { return folded(x) <=> folded(y); });
        if (order != 0) return order;
    }
    return ours.count <=> theirs.count;
}

std::uint64_t Name::hash() const noexcept { return hash_name(octets()); }

std::uint64_t hash_name(std::span<const std::uint8_t> octets) noexcept {
    std::array<std::uint8_t, Name::octets_max> lower;
    fold(octets, lower.data());
    return XXH3_64bits(lower.data(), octets.size());
}

bool Name::append_label(std::span<const std::uint8_t> label) noexcept {
    if (label.empty() || label.size() > label_octets_max) return false;
    if (octets_max - size_ < label.size() + 1) return false;
    octets_[size_ - std::size_t{1}] = static_cast<std::uint8_t>(label.size());
    std::ranges::copy(label, octets_.begin() + size_);
    size_ = static_cast<std::uint8_t>(size_ + 1 + label.size());
    octets_[size_ - std::size_t{1}] = 0;
    return true;
}

}  // namespace dnsd::wire
