// Who may do what: bearer tokens (RFC 6750), known by their hashes.
//
//   file  = *( line LF )
//   line  = [ sha256-hex SP role *( SP namespace ) ] [ "#" comment ]
//   role  = "read" / "report" / "write"       each may do what the ones before it may
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dnsd::api {

enum class Role { None, Read, Report, Write };

// A value.
class Tokens {
  public:
    struct Token {
        std::array<std::uint8_t, 32> hash;
        Role role;
        std::vector<std::string> namespaces;  // empty: all
        bool operator==(const Token&) const = default;
    };

    static Result<Tokens> read(const std::string& path);  // "": nobody is asked for a token
    static Result<Tokens> parse(std::string_view text, const std::string& file);

    bool operator==(const Tokens&) const = default;
    bool are_wanted() const noexcept { return wanted_; }
    // Null if it is none of ours. Takes as long whichever it is.
    const Token* find(std::string_view token) const noexcept;

  private:
    bool wanted_ = false;
    std::vector<Token> tokens_;
};

}  // namespace dnsd::api
