#include <algorithm>
#include <cstddef>
#include <span>

#include "base/text.h"
#include "zone/model/validate.h"

namespace dnsd::model {

namespace {

// 54 + '-' + 8 digits are the 63 octets of a label (RFC 1035 §2.3.4).
constexpr std::size_t stem_octets_max = 54;
constexpr std::size_t digits = 8;

constexpr bool is_lower_case_ldh(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

constexpr bool is_hex_digit(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool ends_as_an_escaped_label(std::string_view id) noexcept {
    return id.size() > digits && id[id.size() - digits - 1] == '-' &&
           std::ranges::all_of(id.substr(id.size() - digits), is_hex_digit);
}

bool is_its_own_label(std::string_view id) noexcept {
    return !id.empty() && id.size() <= stem_octets_max && id.front() != '-' && id.back() != '-' &&
           std::ranges::all_of(id, is_lower_case_ldh) && !ends_as_an_escaped_label(id);
}

}  // namespace

// No id that is its own label looks like an escaped one, so two ids share a label only if their
// stems and 32 bits of their digests agree.
std::string instance_label(std::string_view id) {
    if (is_its_own_label(id)) return std::string(id);
    std::string label = lower_cased(id);
    for (char& c : label) {
        if (!is_lower_case_ldh(c)) c = '-';
    }
    label.erase(0, std::min(label.find_first_not_of('-'), label.size()));
    label.erase(label.find_last_not_of('-') + 1);  // npos + 1 is 0: nothing was left
    label.resize(std::min(label.size(), stem_octets_max));
    const auto digest = sha256(id);
    return label + '-' + hex(std::span(digest).first(digits / 2));
}

}  // namespace dnsd::model
