#include "dnsd/nameserver/server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/support/queries.h"
#include "tests/support/zones.h"
#include "zone/wire/message.h"

using namespace dnsd;
using namespace dnsd::nameserver;
using test::name;
using wire::RrType;

namespace {

using Octets = std::vector<std::uint8_t>;

std::shared_ptr<const tree::ZoneSet> zones_with(std::uint8_t last_octet) {
    tree::ZoneEdit edit(tree::Zone::make(name("example.org")));
    edit.set(name("example.org"), test::rrset(RrType::SOA, Octets(22, 0)));
    edit.set(name("web.example.org"), test::rrset(RrType::A, {192, 0, 2, last_octet}));
    return tree::ZoneSet().with(edit.finish());
}

// A client written against the kernel alone.
class Client {
  public:
    Client(const SocketAddress& server, int type) : descriptor_(socket(AF_INET, type, 0)) {
        const timeval patience{10, 0};
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_storage storage;
        const socklen_t octets = server.to(storage);
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&storage), octets);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { close(descriptor_); }

    void send(const Octets& octets) {
        ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    }
    Octets receive(std::size_t most = 65'535, int flags = 0) {
        Octets octets(most);
        const ssize_t got = recv(descriptor_, octets.data(), octets.size(), flags);
        octets.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return octets;
    }
    Octets receive_framed() {
        const Octets length = receive(2, MSG_WAITALL);
        if (length.size() < 2) return {};
        return receive(std::size_t{length[0]} << 8 | length[1], MSG_WAITALL);
    }

  private:
    int descriptor_;
};

Octets framed(Octets message) {
    message.insert(message.begin(), {static_cast<std::uint8_t>(message.size() >> 8),
                                     static_cast<std::uint8_t>(message.size())});
    return message;
}

std::uint8_t last_octet(const Octets& reply) {
    const auto message = wire::decode_message(reply);
    REQUIRE(message);
    REQUIRE(message->records.size() == 1);
    return message->records[0].rdata[3];
}

struct Running {
    Snapshot<tree::ZoneSet> zones{zones_with(0)};
    std::unique_ptr<Server> server;

    explicit Running(TcpLimits tcp = {}) {
        auto opened = Server::open({.listen = {*SocketAddress::parse("127.0.0.1:0")},
                                    .workers = 2,
                                    .answer = {},
                                    .tcp = tcp},
                                   zones, nullptr, machine_clock());
        REQUIRE(opened);
        server = *std::move(opened);
        server->start();
    }
    const SocketAddress& address() const { return server->addresses()[0]; }
};

}  // namespace

TEST_CASE("what was published is in every answer to a query sent afterwards") {
    Running running;
    for (int i = 1; i < 100; ++i) {
        running.zones.publish(zones_with(static_cast<std::uint8_t>(i)));
        for (const int type : {SOCK_DGRAM, SOCK_DGRAM, SOCK_STREAM}) {
            Client client(running.address(), type);
            const bool tcp = type == SOCK_STREAM;
            client.send(tcp ? framed(test::query("web.example.org"))
                            : test::query("web.example.org"));
            CHECK(last_octet(tcp ? client.receive_framed() : client.receive()) == i);
        }
    }
}

TEST_CASE("RFC 7766 §6.2.1.1: pipelined queries are answered, split anywhere") {
    Running running;
    Octets stream;
    for (int i = 0; i < 50; ++i) {
        const Octets one = framed(test::query("web.example.org"));
        stream.insert(stream.end(), one.begin(), one.end());
    }
    Client client(running.address(), SOCK_STREAM);
    for (std::size_t at = 0; at < stream.size(); at += 7) {
        client.send(
            Octets(stream.begin() + static_cast<std::ptrdiff_t>(at),
                   stream.begin() + static_cast<std::ptrdiff_t>(std::min(at + 7, stream.size()))));
    }
    for (int i = 0; i < 50; ++i) CHECK(last_octet(client.receive_framed()) == 0);
}

TEST_CASE("a connection that is silent is closed, also in the middle of a query") {
    Running running({.idle_timeout = Milliseconds(50)});
    Client client(running.address(), SOCK_STREAM);
    client.send({0, 40, 1});
    CHECK(client.receive().empty());
}

TEST_CASE("one client cannot have more connections than its limit") {
    Running running({.connections_per_client_max = 2});  // one for each of the two workers
    std::vector<std::unique_ptr<Client>> clients;
    int refused = 0;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<Client>(running.address(), SOCK_STREAM));
        clients.back()->send(framed(test::query("web.example.org")));
        refused += clients.back()->receive_framed().empty();
    }
    CHECK(refused >= 6);
}

TEST_CASE("a second server on the same port is refused with a sentence") {
    Running running;
    const auto second =
        Server::open({.listen = {running.address()}, .workers = 1, .answer = {}, .tcp = {}},
                     running.zones, nullptr, machine_clock());
    REQUIRE_FALSE(second);
    CHECK(second.error().message ==
          "listen for DNS: UDP " + running.address().print() + ": Address already in use");
}

TEST_CASE("random octets on both sockets leave the server answering") {
    Running running;
    Random random(3);
    for (int i = 0; i < 500; ++i) {
        Octets octets(draw_below(random, 300));
        for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(random());
        Client(running.address(), SOCK_DGRAM).send(octets);
        Client(running.address(), SOCK_STREAM).send(octets);
    }
    Client client(running.address(), SOCK_DGRAM);
    client.send(test::query("web.example.org"));
    CHECK(last_octet(client.receive()) == 0);
}

TEST_CASE("zones may be published while queries fly") {
    Running running;
    std::atomic<bool> done{false};
    std::thread publishing([&] {
        for (int i = 0; i < 500; ++i)
            running.zones.publish(zones_with(static_cast<std::uint8_t>(i)));
        done = true;
    });
    Client client(running.address(), SOCK_DGRAM);
    while (!done) {
        client.send(test::query("web.example.org"));
        CHECK_FALSE(client.receive().empty());
    }
    publishing.join();
}
