// How values are kept in columns: put() binds a parameter, take() reads a column and is false where
// that holds no such value. For this room alone.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "zone/model/event.h"
#include "zone/model/types.h"
#include "zone/store/connection.h"

namespace dnsd::store {

// Booleans too, as 0 and 1.
template <std::unsigned_integral T>
void put(Statement& statement, int at, T value) {
    DNSD_ASSERT(std::in_range<std::int64_t>(std::uint64_t{value}));  // SQLite's integers are signed
    statement.bind(at, static_cast<std::int64_t>(value));
}
template <std::unsigned_integral T>
bool take(const Statement& statement, int column, T& value) {
    const std::int64_t number = statement.number(column);
    if (number < 0 || static_cast<std::uint64_t>(number) > std::numeric_limits<T>::max())
        return false;
    value = static_cast<T>(number);
    return true;
}

inline void put(Statement& statement, int at, double value) { statement.bind(at, value); }
inline bool take(const Statement& statement, int column, double& value) {
    value = statement.real(column);
    return true;
}

inline void put(Statement& statement, int at, const std::string& value) {
    statement.bind(at, std::string_view(value));
}
inline bool take(const Statement& statement, int column, std::string& value) {
    value = statement.text(column);
    return true;
}

inline void put(Statement& statement, int at, const std::vector<std::uint8_t>& value) {
    statement.bind(at, std::span<const std::uint8_t>(value));
}
inline bool take(const Statement& statement, int column, std::vector<std::uint8_t>& value) {
    const auto octets = statement.octets(column);
    value.assign(octets.begin(), octets.end());
    return true;
}

// 64 bits whose meaning is no quantity: SQLite's integers are signed, and these fill them.
template <class T>
struct Bits {
    T& value;
};
template <class T>
Bits(T&) -> Bits<T>;
template <class T>
void put(Statement& statement, int at, const Bits<T>& bits) {
    statement.bind(at, static_cast<std::int64_t>(bits.value));
}
template <class T>
bool take(const Statement& statement, int column, const Bits<T>& bits) {
    bits.value = static_cast<T>(statement.number(column));
    return true;
}

inline void put(Statement& statement, int at, Milliseconds value) {
    statement.bind(at, std::int64_t{value.count()});
}
inline bool take(const Statement& statement, int column, Milliseconds& value) {
    value = Milliseconds(statement.number(column));
    return true;
}

inline void put(Statement& statement, int at, WallTime value) {
    put(statement, at, value.time_since_epoch());
}
inline bool take(const Statement& statement, int column, WallTime& value) {
    value = WallTime(Milliseconds(statement.number(column)));
    return true;
}

// An enumeration as its word.
inline auto parse_as(model::HealthStatus, std::string_view word) {
    return model::parse_health_status(word);
}
inline auto parse_as(model::RoutingPolicy, std::string_view word) {
    return model::parse_routing_policy(word);
}
inline auto parse_as(model::FailurePolicy, std::string_view word) {
    return model::parse_failure_policy(word);
}
inline auto parse_as(model::CheckType, std::string_view word) {
    return model::parse_check_type(word);
}
inline auto parse_as(model::Protocol, std::string_view word) { return model::parse_protocol(word); }

template <class T>
concept Word = requires(T value, std::string_view word) { parse_as(value, word); };

void put(Statement& statement, int at, Word auto value) { statement.bind(at, print(value)); }
bool take(const Statement& statement, int column, Word auto& value) {
    const auto parsed = parse_as(value, statement.text(column));
    if (parsed) value = *parsed;
    return parsed.has_value();
}

inline void put(Statement& statement, int at, const Ipv4& value) {
    statement.bind(at, std::string_view(print(value)));
}
inline void put(Statement& statement, int at, const Ipv6& value) {
    statement.bind(at, std::string_view(print(value)));
}
bool take(const Statement& statement, int column, Ipv4& value);
bool take(const Statement& statement, int column, Ipv6& value);

// As JSON.
using Attributes = std::map<std::string, std::string>;
void put(Statement& statement, int at, const Attributes& value);
bool take(const Statement& statement, int column, Attributes& value);
void put(Statement& statement, int at, const std::vector<model::RecordType>& value);
bool take(const Statement& statement, int column, std::vector<model::RecordType>& value);
void put(Statement& statement, int at, const std::vector<std::string>& value);
bool take(const Statement& statement, int column, std::vector<std::string>& value);
void put(Statement& statement, int at, const std::vector<model::Peer>& value);
bool take(const Statement& statement, int column, std::vector<model::Peer>& value);
void put(Statement& statement, int at, const std::vector<model::Admission>& value);
bool take(const Statement& statement, int column, std::vector<model::Admission>& value);
void put(Statement& statement, int at, const std::vector<model::InstanceEvent>& value);
bool take(const Statement& statement, int column, std::vector<model::InstanceEvent>& value);
void put(Statement& statement, int at, const std::vector<model::ProbeRecord>& value);
bool take(const Statement& statement, int column, std::vector<model::ProbeRecord>& value);

// What may be missing is NULL then.
template <class T>
void put(Statement& statement, int at, const std::optional<T>& value) {
    if (value)
        put(statement, at, *value);
    else
        statement.bind_null(at);
}
template <class T>
bool take(const Statement& statement, int column, std::optional<T>& value) {
    value.reset();
    return statement.is_null(column) || take(statement, column, value.emplace());
}

// One member of something that may be missing as a whole.
template <class Optional, class Member>
struct Within {
    Optional& whole;
    Member member;
};
template <class Optional, class Member>
Within(Optional&, Member) -> Within<Optional, Member>;

template <class Optional, class Member>
void put(Statement& statement, int at, const Within<Optional, Member>& part) {
    if (part.whole)
        put(statement, at, (*part.whole).*part.member);
    else
        statement.bind_null(at);
}
template <class Optional, class Member>
bool take(const Statement& statement, int column, const Within<Optional, Member>& part) {
    if (statement.is_null(column)) return !part.whole;
    if (!part.whole) part.whole.emplace();
    return take(statement, column, (*part.whole).*part.member);
}

}  // namespace dnsd::store
