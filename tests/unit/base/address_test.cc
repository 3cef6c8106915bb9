#include "base/address.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

using namespace dnsd;

TEST_CASE("an address is printed as RFC 5952 says, and read back") {
    for (const char* text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1",
                             "2001:db8:0:1:1:1:1:1"}) {
        CAPTURE(text);
        const auto ip = parse_ip(text);
        REQUIRE(ip);
        CHECK(print(*ip) == text);
    }
    CHECK(print(*parse_ip("2001:0DB8:0:0::0001")) == "2001:db8::1");
}

TEST_CASE("what is no address is not read as one") {
    for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "192.0.2.01x", "::1%lo",
                             "2001:db8::1::", "example.org", "1", "0x7f.0.0.1"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_ip(text));
    }
}

TEST_CASE("a socket address carries its port, an IPv6 one in brackets") {
    for (const char* text : {"192.0.2.1:53", "[2001:db8::1]:5353", "0.0.0.0:0", "[::]:65535"}) {
        CAPTURE(text);
        const auto address = SocketAddress::parse(text);
        REQUIRE(address);
        CHECK(address->print() == text);
        sockaddr_storage storage;
        address->to(storage);
        CHECK(SocketAddress::from(reinterpret_cast<const sockaddr&>(storage)) == *address);
    }
    for (const char* text : {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "2001:db8::1:53", ":53",
                             "[192.0.2.1]:53"}) {
        CAPTURE(text);
        CHECK_FALSE(SocketAddress::parse(text));
    }
}

TEST_CASE("loopback is 127/8, ::1 and 127/8 mapped into IPv6") {
    CHECK(is_loopback(*parse_ip("127.0.0.1")));
    CHECK(is_loopback(*parse_ip("127.255.0.9")));
    CHECK(is_loopback(*parse_ip("::1")));
    CHECK(is_loopback(*parse_ip("::ffff:127.0.0.1")));
    CHECK_FALSE(is_loopback(*parse_ip("192.0.2.1")));
    CHECK_FALSE(is_loopback(*parse_ip("::ffff:192.0.2.1")));
    CHECK_FALSE(is_loopback(*parse_ip("::")));
}

TEST_CASE("a network holds the addresses that share its prefix, of its own family") {
    const auto holds = [](const char* network, const char* ip) {
        return Network::parse(network)->contains(*parse_ip(ip));
    };
    CHECK(holds("10.0.0.0/8", "10.255.0.1"));
    CHECK_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
    CHECK(holds("172.16.0.0/12", "172.31.255.255"));
    CHECK_FALSE(holds("172.16.0.0/12", "172.32.0.0"));
    CHECK(holds("0.0.0.0/0", "192.0.2.1"));
    CHECK_FALSE(holds("0.0.0.0/0", "::1"));
    CHECK(holds("192.0.2.1", "192.0.2.1"));
    CHECK_FALSE(holds("192.0.2.1", "192.0.2.2"));
    CHECK(holds("fe80::/10", "febf::1"));
    CHECK_FALSE(holds("fe80::/10", "fec0::1"));
    for (const char* text :
         {"", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "a"}) {
        CAPTURE(text);
        CHECK_FALSE(Network::parse(text));
    }
}
