#include "dnsd/api/tokens.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace dnsd::api {

namespace {

std::optional<Role> parse_role(std::string_view word) {
    if (word == "read") return Role::Read;
    if (word == "report") return Role::Report;
    if (word == "write") return Role::Write;
    return std::nullopt;
}

std::optional<std::array<std::uint8_t, 32>> parse_hash(std::string_view text) {
    std::array<std::uint8_t, 32> hash{};
    if (text.size() != 2 * hash.size()) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = to_lower(text[i]);
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
        const int value = is_digit ? c - '0' : c - 'a' + 10;
        hash[i / 2] = static_cast<std::uint8_t>(hash[i / 2] << 4 | value);
    }
    return hash;
}

}  // namespace

Result<Tokens> Tokens::read(const std::string& path) {
    if (path.empty()) return Tokens();
    std::ifstream file(path);
    if (!file) return fail(fmt::format("api.tokens: {}: {}", path, std::strerror(errno)));
    std::ostringstream text;
    text << file.rdbuf();
    return parse(text.str(), path);
}

Result<Tokens> Tokens::parse(std::string_view text, const std::string& file) {
    Tokens tokens;
    tokens.wanted_ = true;
    std::size_t number = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        const auto wrong = [&](std::string_view why) {
            return fail(
                fmt::format("{}:{}: {}; a line is: <sha256 of the token in hex> "
                            "<read|report|write> [namespace ...]",
                            file, number, why));
        };
        line = trimmed(line.substr(0, line.find('#')));
        std::vector<std::string_view> words;
        for (const std::string_view word : split(line, ' ')) {
            if (!word.empty()) words.push_back(word);
        }
        if (words.empty()) continue;
        const auto hash = parse_hash(words[0]);
        if (!hash) return wrong("the hash is not 64 hex digits");
        const auto role = words.size() > 1 ? parse_role(words[1]) : std::nullopt;
        if (!role) return wrong("there is no such role");
        Token token{*hash, *role, {}};
        for (std::size_t i = 2; i < words.size(); ++i)
            token.namespaces.push_back(words[i] == "@" ? "." : lower_cased(words[i]));
        tokens.tokens_.push_back(std::move(token));
    }
    return tokens;
}

const Tokens::Token* Tokens::find(std::string_view token) const noexcept {
    const auto hash = sha256(token);
    const Token* found = nullptr;
    for (const Token& known : tokens_) {
        std::uint8_t difference = 0;
        for (std::size_t i = 0; i < hash.size(); ++i)
            difference = static_cast<std::uint8_t>(difference | (hash[i] ^ known.hash[i]));
        if (difference == 0) found = &known;
    }
    return found;
}

}  // namespace dnsd::api
