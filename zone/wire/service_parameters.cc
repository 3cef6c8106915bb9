#include "zone/wire/service_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace dnsd::wire {

namespace {

enum Key : std::uint16_t {
    Mandatory = 0,
    Alpn = 1,
    NoDefaultAlpn = 2,
    Port = 3,
    Ipv4Hint = 4,
    Ech = 5,
    Ipv6Hint = 6,
};

constexpr std::array<std::string_view, 7> key_names = {
    "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint"};

std::string print_key(std::uint16_t key) {
    return key < key_names.size() ? std::string(key_names[key]) : fmt::format("key{}", key);
}

std::optional<std::uint16_t> parse_key(std::string_view text) {
    for (std::size_t i = 0; i < key_names.size(); ++i) {
        if (text == key_names[i]) return static_cast<std::uint16_t>(i);
    }
    if (!text.starts_with("key")) return std::nullopt;
    const auto number = parse_unsigned(text.substr(3));
    // key007 would be a second spelling.
    if (!number || *number > 65535 || std::to_string(*number) != text.substr(3))
        return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

std::uint16_t u16_at(const Octets& octets, std::size_t at) {
    return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}

void put_u16(Octets& octets, std::uint16_t value) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8));
    octets.push_back(static_cast<std::uint8_t>(value));
}

// RFC 9460 §7.1.1: each protocol id has 1 to 255 octets.
bool are_alpn_ids(const Octets& value) {
    std::size_t at = 0;
    while (at < value.size()) {
        const std::size_t length = value[at++];
        if (length == 0 || value.size() - at < length) return false;
        at += length;
    }
    return !value.empty();
}

bool is_valid(const ServiceParameter& parameter) {
    const Octets& value = parameter.value;
    switch (parameter.key) {
        case Mandatory:
            if (value.empty() || value.size() % 2 != 0) return false;
            for (std::size_t i = 0; i < value.size(); i += 2) {
                if (u16_at(value, i) == Mandatory) return false;
                if (i > 0 && u16_at(value, i) <= u16_at(value, i - 2)) return false;
            }
            return true;
        case Alpn:
            return are_alpn_ids(value);
        case NoDefaultAlpn:
            return value.empty();
        case Port:
            return value.size() == 2;
        case Ipv4Hint:
            return !value.empty() && value.size() % 4 == 0;
        case Ipv6Hint:
            return !value.empty() && value.size() % 16 == 0;
        case Ech:
            return !value.empty();
        default:
            return true;
    }
}

// RFC 9460 appendix A.1: a list within a character-string; "\," is a comma of an item.
std::optional<std::vector<std::string>> split_list(std::string_view text) {
    std::vector<std::string> items(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            if (++i == text.size()) return std::nullopt;
            items.back() += text[i];
        } else if (text[i] == ',') {
            items.emplace_back();
        } else {
            items.back() += text[i];
        }
    }
    if (std::ranges::any_of(items, [](const std::string& item) { return item.empty(); }))
        return std::nullopt;
    return items;
}

// `text` is unescaped once, as every character-string is.
std::optional<Octets> parse_value(std::uint16_t key, const std::string& text) {
    Octets value;
    switch (key) {
        case Mandatory: {
            std::vector<std::uint16_t> keys;
            for (const std::string_view word : split(text, ',')) {
                const auto named = parse_key(word);
                if (!named) return std::nullopt;
                keys.push_back(*named);
            }
            std::ranges::sort(keys);
            for (const std::uint16_t named : keys) put_u16(value, named);
            return value;
        }
        case Alpn: {
            const auto items = split_list(text);
            if (!items) return std::nullopt;
            for (const std::string& item : *items) {
                if (item.size() > 255) return std::nullopt;
                value.push_back(static_cast<std::uint8_t>(item.size()));
                value.insert(value.end(), item.begin(), item.end());
            }
            return value;
        }
        case Port: {
            const auto port = parse_unsigned(text);
            if (!port || *port > 65535) return std::nullopt;
            put_u16(value, static_cast<std::uint16_t>(*port));
            return value;
        }
        case Ipv4Hint:
        case Ipv6Hint:
            for (const std::string_view word : split(text, ',')) {
                if (key == Ipv4Hint) {
                    const auto address = parse_ipv4(word);
                    if (!address) return std::nullopt;
                    value.insert(value.end(), address->octets.begin(), address->octets.end());
                } else {
                    const auto address = parse_ipv6(word);
                    if (!address) return std::nullopt;
                    value.insert(value.end(), address->octets.begin(), address->octets.end());
                }
            }
            return value;
        case Ech:
            return parse_base64(text);
        default:
            return Octets(text.begin(), text.end());
    }
}

template <class Address>
std::string print_addresses(const Octets& value) {
    std::string text;
    Address address;
    for (std::size_t i = 0; i < value.size(); i += address.octets.size()) {
        std::copy_n(value.begin() + static_cast<std::ptrdiff_t>(i), address.octets.size(),
                    address.octets.begin());
        text += (text.empty() ? "" : ",") + print(address);
    }
    return text;
}

}  // namespace

bool are_valid(const std::vector<ServiceParameter>& parameters) {
    const auto has = [&](std::uint16_t key) {
        return std::ranges::any_of(parameters, [&](const auto& p) { return p.key == key; });
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!is_valid(parameters[i])) return false;
        if (i > 0 && parameters[i].key <= parameters[i - 1].key) return false;
    }
    if (has(NoDefaultAlpn) && !has(Alpn)) return false;
    if (parameters.empty() || parameters[0].key != Mandatory) return true;
    for (std::size_t i = 0; i < parameters[0].value.size(); i += 2) {
        if (!has(u16_at(parameters[0].value, i))) return false;
    }
    return true;
}

Result<std::vector<ServiceParameter>> parse_parameters(std::span<const Token> tokens) {
    std::vector<ServiceParameter> parameters;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const std::string_view text = tokens[i].text;
        const auto equals = text.find('=');
        const auto key = parse_key(text.substr(0, equals));
        if (!key) return fail(fmt::format("'{}' is no parameter", text));
        std::string raw(equals == text.npos ? "" : text.substr(equals + 1));
        // alpn="h2,h3": the quotes begin a word of their own.
        if (equals == text.size() - 1 && i + 1 < tokens.size() && tokens[i + 1].quoted)
            raw = tokens[++i].text;
        const auto plain = unescaped(raw);
        auto value = plain ? parse_value(*key, *plain) : std::nullopt;
        if (!value) return fail(fmt::format("'{}' is no value of {}", raw, print_key(*key)));
        parameters.push_back({*key, std::move(*value)});
    }
    std::ranges::sort(parameters, {}, &ServiceParameter::key);
    if (!are_valid(parameters))
        return fail(
            "a parameter is there twice, has no proper value, or a mandatory one is missing");
    return parameters;
}

std::string print_parameter(const ServiceParameter& parameter) {
    const Octets& value = parameter.value;
    const std::string key = print_key(parameter.key);
    switch (parameter.key) {
        case Mandatory: {
            std::string keys;
            for (std::size_t i = 0; i < value.size(); i += 2)
                keys += (i == 0 ? "" : ",") + print_key(u16_at(value, i));
            return key + '=' + keys;
        }
        case Alpn: {
            std::string list;
            for (std::size_t at = 0; at < value.size();) {
                const std::size_t length = value[at++];
                if (!list.empty()) list += ',';
                for (std::size_t end = at + length; at < end; ++at) {
                    if (value[at] == ',' || value[at] == '\\') list += '\\';
                    list += static_cast<char>(value[at]);
                }
            }
            const std::span octets(reinterpret_cast<const std::uint8_t*>(list.data()), list.size());
            return key + '=' + quoted_text(octets);
        }
        case NoDefaultAlpn:
            return key;
        case Port:
            return fmt::format("{}={}", key, u16_at(value, 0));
        case Ipv4Hint:
            return key + '=' + print_addresses<Ipv4>(value);
        case Ipv6Hint:
            return key + '=' + print_addresses<Ipv6>(value);
        case Ech:
            return key + '=' + print_base64(value);
        default:
            return value.empty() ? key : key + '=' + quoted_text(value);
    }
}

}  // namespace dnsd::wire
