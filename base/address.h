// IP addresses as values, and their text forms (RFC 5952 when printed).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

struct sockaddr;
struct sockaddr_storage;

namespace dnsd {

struct Ipv4 {
    std::array<std::uint8_t, 4> octets{};
    auto operator<=>(const Ipv4&) const = default;
};

struct Ipv6 {
    std::array<std::uint8_t, 16> octets{};
    auto operator<=>(const Ipv6&) const = default;
};

std::optional<Ipv4> parse_ipv4(std::string_view text);  // dotted quad, nothing else
std::optional<Ipv6> parse_ipv6(std::string_view text);  // without a zone index
std::string print(const Ipv4& address);
std::string print(const Ipv6& address);

using IpAddress = std::variant<Ipv4, Ipv6>;
std::optional<IpAddress> parse_ip(std::string_view text);
std::string print(const IpAddress& address);
bool is_loopback(const IpAddress& address) noexcept;  // 127.0.0.0/8, ::1 and their v4-mapped forms
bool is_unspecified(const IpAddress& address) noexcept;

// A block of addresses: "10.0.0.0/8", "fd00::/8"; an address alone is a block of one.
struct Network {
    IpAddress address;
    unsigned prefix_bits = 0;
    bool operator==(const Network&) const = default;

    // Bits behind the prefix must be zero.
    static std::optional<Network> parse(std::string_view text);
    bool contains(const IpAddress& ip) const noexcept;
};

// Where a socket is: "192.0.2.1:53", "[2001:db8::1]:53".
struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;
    auto operator<=>(const SocketAddress&) const = default;

    static std::optional<SocketAddress> parse(std::string_view text);
    static SocketAddress from(const sockaddr& address) noexcept;  // AF_INET or AF_INET6
    // Fills `storage`; returns the octets used.
    std::uint32_t to(sockaddr_storage& storage) const noexcept;
    std::string print() const;
};

}  // namespace dnsd
