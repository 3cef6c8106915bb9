#include "base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"

namespace dnsd {

namespace {

template <class Address>
std::optional<Address> parse_as(int family, std::string_view text) {
    char copy[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof copy) return std::nullopt;
    std::copy(text.begin(), text.end(), copy);
    Address address;
    if (inet_pton(family, copy, address.octets.data()) != 1) return std::nullopt;
    return address;
}

std::string print_as(int family, const void* octets) {
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(family, octets, text, sizeof text);
    return text;
}

// RFC 4291 §2.5.5.2.
std::optional<Ipv4> mapped(const Ipv6& address) noexcept {
    static constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!std::equal(std::begin(prefix), std::end(prefix), address.octets.begin()))
        return std::nullopt;
    Ipv4 inner;
    std::copy(address.octets.begin() + 12, address.octets.end(), inner.octets.begin());
    return inner;
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) { return parse_as<Ipv4>(AF_INET, text); }
std::optional<Ipv6> parse_ipv6(std::string_view text) { return parse_as<Ipv6>(AF_INET6, text); }
std::string print(const Ipv4& address) { return print_as(AF_INET, address.octets.data()); }
std::string print(const Ipv6& address) { return print_as(AF_INET6, address.octets.data()); }

std::optional<IpAddress> parse_ip(std::string_view text) {
    if (const auto v4 = parse_ipv4(text)) return *v4;
    if (const auto v6 = parse_ipv6(text)) return *v6;
    return std::nullopt;
}

std::string print(const IpAddress& address) {
    return std::visit([](const auto& ip) { return print(ip); }, address);
}

bool is_loopback(const IpAddress& address) noexcept {
    if (const auto* v4 = std::get_if<Ipv4>(&address)) return v4->octets[0] == 127;
    const Ipv6& v6 = std::get<Ipv6>(address);
    if (const auto inner = mapped(v6)) return inner->octets[0] == 127;
    Ipv6 loopback;
    loopback.octets[15] = 1;
    return v6 == loopback;
}

bool is_unspecified(const IpAddress& address) noexcept {
    return std::visit(
        [](const auto& ip) {
            return std::ranges::all_of(ip.octets, [](auto octet) { return octet == 0; });
        },
        address);
}

namespace {

template <class Ip>
bool shares_prefix(const Ip& a, const Ip& b, unsigned bits) noexcept {
    for (std::size_t i = 0; i < a.octets.size() && bits > 0; ++i) {
        const unsigned here = std::min(bits, 8U);
        if (((a.octets[i] ^ b.octets[i]) >> (8 - here)) != 0) return false;
        bits -= here;
    }
    return true;
}

template <class Ip>
bool is_zero_behind(const Ip& ip, unsigned bits) noexcept {
    Ip base;
    for (std::size_t i = 0; i < ip.octets.size(); ++i) {
        const unsigned here = std::min(bits, 8U);
        base.octets[i] = static_cast<std::uint8_t>(ip.octets[i] & (0xff00U >> here));
        bits -= here;
    }
    return base == ip;
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto ip = parse_ip(text.substr(0, slash));
    if (!ip) return std::nullopt;
    const unsigned all = std::holds_alternative<Ipv4>(*ip) ? 32 : 128;
    if (slash == std::string_view::npos) return Network{*ip, all};
    const auto bits = parse_unsigned(text.substr(slash + 1));
    if (!bits || *bits > all) return std::nullopt;
    const Network network{*ip, static_cast<unsigned>(*bits)};
    const bool is_block = std::visit(
        [&](const auto& octets) { return is_zero_behind(octets, network.prefix_bits); }, *ip);
    if (!is_block) return std::nullopt;
    return network;
}

bool Network::contains(const IpAddress& ip) const noexcept {
    if (const auto* v4 = std::get_if<Ipv4>(&address)) {
        const auto* other = std::get_if<Ipv4>(&ip);
        return other != nullptr && shares_prefix(*v4, *other, prefix_bits);
    }
    const auto* other = std::get_if<Ipv6>(&ip);
    return other != nullptr && shares_prefix(std::get<Ipv6>(address), *other, prefix_bits);
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_unsigned(text.substr(colon + 1));
    if (!port || *port > 65535) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    std::optional<IpAddress> ip;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        if (const auto v6 = parse_ipv6(host.substr(1, host.size() - 2))) ip = *v6;
    } else if (const auto v4 = parse_ipv4(host)) {
        ip = *v4;
    }
    if (!ip) return std::nullopt;
    return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

SocketAddress SocketAddress::from(const sockaddr& address) noexcept {
    SocketAddress out;
    if (address.sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        Ipv4 ip;
        std::memcpy(ip.octets.data(), &in.sin_addr, 4);
        out.ip = ip;
        out.port = ntohs(in.sin_port);
    } else {
        DNSD_ASSERT(address.sa_family == AF_INET6);
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        Ipv6 ip;
        std::memcpy(ip.octets.data(), &in.sin6_addr, 16);
        out.ip = ip;
        out.port = ntohs(in.sin6_port);
    }
    return out;
}

std::uint32_t SocketAddress::to(sockaddr_storage& storage) const noexcept {
    std::memset(&storage, 0, sizeof storage);
    if (const auto* v4 = std::get_if<Ipv4>(&ip)) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, v4->octets.data(), 4);
        std::memcpy(&storage, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, std::get<Ipv6>(ip).octets.data(), 16);
    std::memcpy(&storage, &in, sizeof in);
    return sizeof in;
}

std::string SocketAddress::print() const {
    return std::holds_alternative<Ipv4>(ip) ? fmt::format("{}:{}", dnsd::print(ip), port)
                                            : fmt::format("[{}]:{}", dnsd::print(ip), port);
}

}  // namespace dnsd
