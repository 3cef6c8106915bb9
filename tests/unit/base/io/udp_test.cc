#include "base/io/udp.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "base/io/mailbox.h"

using namespace dnsd;
using namespace dnsd::io;

namespace {

// A client written against the kernel alone: what it sends to `server`, and who answers what.
struct Reply {
    std::string octets;
    SocketAddress from;
};

Reply ask(const SocketAddress& server, std::string_view octets) {
    const int descriptor =
        socket(std::holds_alternative<Ipv6>(server.ip) ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    const timeval patience{10, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_storage storage;
    const socklen_t size = server.to(storage);
    sendto(descriptor, octets.data(), octets.size(), 0, reinterpret_cast<const sockaddr*>(&storage),
           size);
    char buffer[512];
    sockaddr_storage from{};
    socklen_t from_octets = sizeof from;
    const ssize_t got = recvfrom(descriptor, buffer, sizeof buffer, 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_octets);
    close(descriptor);
    if (got < 0) return {};
    return {std::string(buffer, static_cast<std::size_t>(got)),
            SocketAddress::from(reinterpret_cast<const sockaddr&>(from))};
}

// Runs a responder that echoes, while `client` asks it at `bound`.
template <class Client>
void with_echo(const char* listen, Client client) {
    Loop loop;
    UdpCounters counters;
    auto socket = UdpSocket::bind(*SocketAddress::parse(listen), false);
    REQUIRE(socket);
    UdpResponder responder(
        loop, *std::move(socket), {}, [](auto) {},
        [](std::span<const std::uint8_t> query, const SocketAddress&,
           std::span<std::uint8_t> reply) {
            if (query.empty()) return std::size_t{0};
            std::memcpy(reply.data(), query.data(), query.size());
            return query.size();
        },
        counters);
    const SocketAddress bound = responder.address();
    Mailbox mailbox(loop, 1);
    std::thread asking([&] {
        client(bound);
        CHECK(mailbox.post([&] { loop.stop(); }));
    });
    loop.run();
    asking.join();
    CHECK(counters.received.value() == counters.sent.value());
}

}  // namespace

TEST_CASE("a wildcard listener answers from the address that was asked") {
    with_echo("0.0.0.0:0", [](SocketAddress bound) {
        for (const char* asked : {"127.0.0.1", "127.0.0.2", "127.7.7.7"}) {
            bound.ip = *parse_ip(asked);
            const Reply reply = ask(bound, "hello");
            CHECK(reply.octets == "hello");
            CHECK(reply.from == bound);
        }
    });
}

TEST_CASE("an IPv6 listener answers IPv6") {
    with_echo("[::1]:0", [](SocketAddress bound) { CHECK(ask(bound, "six").octets == "six"); });
}

TEST_CASE("a port that somebody has is refused, even if both would share it") {
    auto first = UdpSocket::bind(*SocketAddress::parse("127.0.0.1:0"), false);
    REQUIRE(first);
    const auto second = UdpSocket::bind(first->address(), true);
    REQUIRE_FALSE(second);
    CHECK(second.error().message == "UDP " + first->address().print() + ": Address already in use");
}

TEST_CASE("what came is received or counted as dropped") {
    Loop loop;
    UdpCounters counters;
    auto socket = UdpSocket::bind(*SocketAddress::parse("127.0.0.1:0"), false);
    REQUIRE(socket);
    UdpResponder responder(
        loop, *std::move(socket), {}, [](auto) {},
        [](auto, const SocketAddress&, auto) { return std::size_t{0}; }, counters);
    // More than a socket has room for, before anybody takes the first.
    sockaddr_storage to{};
    const socklen_t octets = responder.address().to(to);
    const int client = ::socket(AF_INET, SOCK_DGRAM, 0);
    const std::string datagram(1'000, 'x');
    constexpr std::uint64_t sent = 5'000;
    for (std::uint64_t i = 0; i < sent; ++i) {
        REQUIRE(sendto(client, datagram.data(), datagram.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), octets) == 1'000);
    }
    ::close(client);
    Mailbox mailbox(loop, 1);
    CHECK(mailbox.post([&] { loop.stop(); }));
    loop.run();
    CHECK(counters.receive_dropped.value() > 0);
    CHECK(counters.received.value() + counters.receive_dropped.value() == sent);
}
