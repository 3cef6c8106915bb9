// Outcomes of operations that the outside world can make fail.
// A Result is a value or an error; nothing here throws. Outcomes that are part of the protocol
// (NXDOMAIN, an unhealthy instance, a cache miss) are enumerators instead.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace dnsd {

// What went wrong in the environment (files, sockets, SQLite), for a person to read. It gains
// context at each boundary it crosses: "open zone store: migrate to 4: disk full".
struct Error {
    std::string message;
};

template <class T = void, class E = Error>
using Result = std::expected<T, E>;

inline std::unexpected<Error> fail(std::string message) {
    return std::unexpected(Error{std::move(message)});
}

// The same failure, seen from the caller: `what` is put in front.
inline std::unexpected<Error> in_context(std::string_view what, Error error) {
    return std::unexpected(Error{std::string(what) + ": " + std::move(error.message)});
}

}  // namespace dnsd
