// Domain names as octets (RFC 1035 §3.1), never as dotted strings.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dnsd::wire {

// A full domain name, uncompressed, up to its root label. A value of fixed size: copying allocates
// nothing. It keeps its spelling; comparison ignores the case of ASCII letters (RFC 4343).
class Name {
  public:
    static constexpr std::size_t octets_max = 255;
    static constexpr std::size_t label_octets_max = 63;
    static constexpr std::size_t labels_max = 127;  // the root label not counted

    Name() noexcept : size_(1) { octets_[0] = 0; }  // the root
    Name(const Name& other) noexcept : size_(other.size_) { take(other); }
    Name& operator=(const Name& other) noexcept {
        size_ = other.size_;
        take(other);
        return *this;
    }

    // Text as master files write it (RFC 1035 §5.1): \. and \DDD escapes. Every name is taken as
    // absolute, a final dot is allowed. The error says which limit it breaks.
    static Result<Name> parse(std::string_view text);
    // The same, but a name without a final dot goes on with `origin`, and "@" is the origin.
    static Result<Name> parse(std::string_view text, const Name& origin);

    // Octets of an uncompressed name, exactly; nothing if they are none.
    static std::optional<Name> from_octets(std::span<const std::uint8_t> octets) noexcept;

    std::span<const std::uint8_t> octets() const noexcept {
        return {octets_.data(), size_};
    }  // root label included
    std::size_t size() const noexcept { return size_; }  // octets, root label included
    bool is_root() const noexcept { return size_ == 1; }
    std::size_t label_count() const noexcept;  // the root has none

    // The leftmost label, without its length octet. REQUIRES: not the root.
    std::string_view first_label() const noexcept;
    Name parent() const noexcept;  // REQUIRES: not the root

    // `label` in front of this name; nothing if a limit is broken. Any octets are allowed in a
    // label.
    std::optional<Name> below(std::string_view label) const noexcept;
    // This name with its last labels, `old_suffix`, replaced (DNAME, RFC 6672 §2.2); nothing if too
    // long. REQUIRES: is_at_or_below(old_suffix).
    std::optional<Name> with_suffix(const Name& old_suffix, const Name& new_suffix) const noexcept;

    bool is_at_or_below(const Name& ancestor) const noexcept;
    bool is_below(const Name& ancestor) const noexcept;
    bool is_wildcard() const noexcept;  // its first label is "*" (RFC 4592 §2.1.1)

    Name lower_cased() const noexcept;
    std::string print() const;  // no final dot, but for the root: "."; escapes as master files do

    // Ignoring case. The order is the canonical one (RFC 4034 §6.1): by labels from the right.
    bool operator==(const Name& other) const noexcept;
    std::weak_ordering operator<=>(const Name& other) const noexcept;
    std::uint64_t hash() const noexcept;  // equal names, equal hashes

  private:
    friend class Reader;  // builds names in place, from labels and pointers

    // REQUIRES: they are a name's.
    explicit Name(std::span<const std::uint8_t> octets) noexcept
        : size_(static_cast<std::uint8_t>(octets.size())) {
        std::copy(octets.begin(), octets.end(), octets_.begin());
    }

    // Most names are short, and few octets are copied sooner than all.
    void take(const Name& other) noexcept {
        constexpr std::size_t few = 64;
        std::memcpy(octets_.data(), other.octets_.data(), few);
        if (size_ > few)
            std::memcpy(octets_.data() + few, other.octets_.data() + few, octets_max - few);
    }

    // Puts `label` at the end, before the root label. False, and nothing happens, if a limit is
    // broken.
    bool append_label(std::span<const std::uint8_t> label) noexcept;

    std::uint8_t size_;
    std::array<std::uint8_t, octets_max> octets_;  // only the first size_ are meant
};

// As Name's ==, of whole names' octets that stand elsewhere.
bool equal_names(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

// As Name::label_count(), of a name's octets that stand elsewhere.
std::size_t label_count(std::span<const std::uint8_t> octets) noexcept;

// As Name::hash(), of a name's octets that stand elsewhere, such as a suffix of another name.
std::uint64_t hash_name(std::span<const std::uint8_t> octets) noexcept;

}  // namespace dnsd::wire
