#include "dnsd/nameserver/server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
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

wire::TsigKey key() { return {name("tsig-key"), wire::TsigAlgorithm::HmacSha256, {1, 2, 3, 4}}; }

// Keeps what it is given, as dnsd/transfer does, until the test has a look.
class Taker final : public Handover {
  public:
    void take(HandedOver message) override {
        {
            const std::lock_guard lock(mutex_);
            taken_.push_back(std::move(message));
        }
        came_.notify_one();
    }
    HandedOver next() {
        std::unique_lock lock(mutex_);
        REQUIRE(came_.wait_for(lock, std::chrono::seconds(10), [&] { return !taken_.empty(); }));
        HandedOver message = std::move(taken_.front());
        taken_.pop_front();
        return message;
    }

  private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<HandedOver> taken_;
};

struct Running {
    Taker taker;
    Snapshot<tree::ZoneSet> zones{zones_with(0)};
    Snapshot<wire::Keyring> keys{std::make_shared<const wire::Keyring>(std::vector{key()})};
    std::unique_ptr<Server> server;

    explicit Running(TcpLimits tcp = {}) {
        auto opened = Server::open({.listen = {*SocketAddress::parse("127.0.0.1:0")},
                                    .workers = 2,
                                    .answer = {},
                                    .tcp = tcp},
                                   zones, nullptr, &taker, keys, machine_clock());
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
                     running.zones, nullptr, nullptr, running.keys, machine_clock());
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

namespace {

Octets asking(RrType type, std::uint16_t flags = 0) {
    return test::query("example.org", {.type = static_cast<std::uint16_t>(type), .flags = flags});
}

std::uint64_t metric(const Server& server, std::string_view wanted) {
    double sum = 0;
    for (const Metric& one : server.metrics()) {
        if (one.name != wanted) continue;
        for (const auto& sample : one.samples) sum += sample.value;
    }
    return static_cast<std::uint64_t>(sum);
}

constexpr std::uint16_t notify_flags = 4 << 11, update_flags = 5 << 11;

}  // namespace

TEST_CASE("RFC 8945 §5.3: a signed query gets a signed answer, over UDP and TCP") {
    Running running;
    for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
        Octets query = test::query("web.example.org");
        auto session = wire::TsigSession::sign_request(query, key(), machine_clock().wall());
        Client client(running.address(), type);
        client.send(type == SOCK_STREAM ? framed(query) : query);
        Octets reply = type == SOCK_STREAM ? client.receive_framed() : client.receive();
        CHECK(session.verify_reply(reply, machine_clock().wall()));
        CHECK(last_octet(reply) == 0);
    }
}

TEST_CASE("RFC 8945 §5.3: the answer leaves room for its TSIG RR, and is truncated for it") {
    Running running;
    tree::ZoneEdit edit(tree::Zone::make(name("example.org")));
    edit.set(name("example.org"), test::rrset(RrType::SOA, Octets(22, 0)));
    std::vector<tree::Rdata> many;
    for (std::uint8_t i = 0; i < 28; ++i) many.push_back({{192, 0, 2, i}, 0});
    edit.set(name("web.example.org"),
             std::make_shared<const tree::RRset>(RrType::A, 5, std::move(many)));
    running.zones.publish(tree::ZoneSet().with(edit.finish()));
    Client client(running.address(), SOCK_DGRAM);
    client.send(test::query("web.example.org"));
    CHECK_FALSE(wire::decode_message(client.receive())->truncated());
    Octets query = test::query("web.example.org");
    auto session = wire::TsigSession::sign_request(query, key(), machine_clock().wall());
    client.send(query);
    Octets reply = client.receive();
    CHECK(reply.size() <= 512);
    CHECK(reply.size() > 480);
    CHECK(session.verify_reply(reply, machine_clock().wall()));
    CHECK(wire::decode_message(reply)->truncated());
}

TEST_CASE("RFC 8945 §5.2: who is not believed learns why, and nothing else") {
    Running running;
    const WallTime now = machine_clock().wall();
    struct Case {
        wire::TsigKey with;
        std::chrono::seconds apart;
        std::uint8_t error;
    };
    wire::TsigKey other_name = key(), other_secret = key();
    other_name.name = name("other-key");
    other_secret.secret = {9};
    for (const Case& one : {Case{other_name, {}, 17}, Case{other_secret, {}, 16},
                            Case{key(), std::chrono::seconds(1000), 18}}) {
        for (const std::uint16_t flags : {std::uint16_t{0}, notify_flags, update_flags}) {
            Octets query = asking(RrType::SOA, flags);
            wire::TsigSession::sign_request(query, one.with, now - one.apart);
            Client client(running.address(), SOCK_DGRAM);
            client.send(query);
            const Octets reply = client.receive();
            const auto message = wire::decode_message(reply);
            REQUIRE(message);
            CHECK(message->rcode() == wire::Rcode::NotAuth);
            CHECK(message->questions.size() == 1);
            REQUIRE(message->records.size() == 1);
            CHECK(message->records[0].type == RrType::TSIG);
            const auto rdata = message->records[0].rdata;
            CHECK(rdata[rdata.size() - 3 - (one.error == 18 ? 6 : 0)] == one.error);
        }
    }
    CHECK(metric(*running.server, "dnsd_dns_tsig_failures_total") == 9);
}

TEST_CASE("a new key counts from the next message on") {
    Running running;
    wire::TsigKey fresh{name("fresh"), wire::TsigAlgorithm::HmacSha512, {7}};
    running.keys.publish(std::make_shared<const wire::Keyring>(std::vector{fresh}));
    Octets query = test::query("web.example.org");
    auto session = wire::TsigSession::sign_request(query, fresh, machine_clock().wall());
    Client client(running.address(), SOCK_DGRAM);
    client.send(query);
    Octets reply = client.receive();
    CHECK(session.verify_reply(reply, machine_clock().wall()));
}

TEST_CASE("transfers, NOTIFY and UPDATE are handed over with the way back; queries are not") {
    Running running;
    struct Case {
        RrType type;
        std::uint16_t flags;
        int socket;
    };
    for (const Case& one :
         {Case{RrType::AXFR, 0, SOCK_STREAM}, Case{RrType::IXFR, 0, SOCK_STREAM},
          Case{RrType::IXFR, 0, SOCK_DGRAM}, Case{RrType::SOA, notify_flags, SOCK_DGRAM},
          Case{RrType::SOA, update_flags, SOCK_DGRAM},
          Case{RrType::SOA, update_flags, SOCK_STREAM}}) {
        for (const bool is_signed : {false, true}) {
            const bool tcp = one.socket == SOCK_STREAM;
            const Octets plain = asking(one.type, one.flags);
            Octets message = plain;
            if (is_signed) wire::TsigSession::sign_request(message, key(), machine_clock().wall());
            Client client(running.address(), one.socket);
            client.send(tcp ? framed(message) : message);
            const HandedOver taken = running.taker.next();
            CHECK(taken.message == plain);
            CHECK(taken.transport == (tcp ? Transport::Tcp : Transport::Udp));
            CHECK(is_loopback(taken.client.ip));
            CHECK(taken.session.has_value() == is_signed);
            taken.way_back->send({1, 2, 3}, true, {});
            CHECK((tcp ? client.receive_framed() : client.receive()) == Octets{1, 2, 3});
        }
    }
    CHECK(metric(*running.server, "dnsd_dns_handed_over_total") == 12);
}

TEST_CASE("RFC 5936 §4.2: there is no AXFR over UDP") {
    Running running;
    Client client(running.address(), SOCK_DGRAM);
    client.send(asking(RrType::AXFR));
    CHECK(wire::decode_message(client.receive())->rcode() == wire::Rcode::FormErr);
    CHECK(metric(*running.server, "dnsd_dns_handed_over_total") == 0);
}

TEST_CASE("a long reply waits for its reader, and holds no more than the limit") {
    Running running({.unsent_octets_max = 100'000});
    Client client(running.address(), SOCK_STREAM);
    client.send(framed(asking(RrType::AXFR)));
    const HandedOver taken = running.taker.next();
    constexpr std::size_t messages = 2000, octets = 60'000;
    std::atomic<std::size_t> sent{0};
    std::jthread sender([&] {
        for (std::size_t i = 0; i < messages; ++i) {
            std::promise<bool> written;
            taken.way_back->send(Octets(octets, static_cast<std::uint8_t>(i)), i + 1 == messages,
                                 [&](bool is_there) { written.set_value(is_there); });
            if (!written.get_future().get()) return;
            ++sent;
        }
    });
    for (std::size_t i = 0; i < messages; ++i) {
        const Octets message = client.receive_framed();
        REQUIRE(message == Octets(octets, static_cast<std::uint8_t>(i)));
        // What the kernel keeps of both sides is some megabytes.
        CHECK(sent <= i + 300);
    }
    sender.join();
    CHECK(sent == messages);
    client.send(framed(test::query("web.example.org")));
    CHECK(last_octet(client.receive_framed()) == 0);
}

TEST_CASE("a client that leaves, or reads nothing, ends its transfer") {
    Running running({.idle_timeout = Milliseconds(300)});
    auto client = std::make_unique<Client>(running.address(), SOCK_STREAM);
    client->send(framed(asking(RrType::AXFR)));
    for (const bool leaves : {false, true}) {
        if (leaves) {
            client = std::make_unique<Client>(running.address(), SOCK_STREAM);
            client->send(framed(asking(RrType::AXFR)));
        }
        const HandedOver taken = running.taker.next();
        if (leaves) client.reset();
        bool is_there = true;
        while (is_there) {
            std::promise<bool> written;
            taken.way_back->send(Octets(60'000, 1), false,
                                 [&](bool there) { written.set_value(there); });
            is_there = written.get_future().get();
        }
        taken.way_back->send({}, true, {});
    }
    Client other(running.address(), SOCK_DGRAM);
    other.send(test::query("web.example.org"));
    CHECK(last_octet(other.receive()) == 0);
}

TEST_CASE(
    "of one client so many messages wait at most, and a way back that is let go frees its place") {
    Running running;
    constexpr int most = 100;  // of one worker, which one socket always asks
    Client client(running.address(), SOCK_DGRAM);
    for (int round = 1; round <= 2; ++round) {
        std::vector<HandedOver> taken;
        for (int i = 0; i < most; ++i) {
            client.send(asking(RrType::SOA, notify_flags));
            taken.push_back(running.taker.next());
        }
        client.send(asking(RrType::SOA, notify_flags));
        CHECK(wire::decode_message(client.receive())->rcode() == wire::Rcode::ServFail);
        CHECK(metric(*running.server, "dnsd_dns_handover_refused_total") == round);
        // Letters are read in order: all places are free when the last one's reply is here.
        const HandedOver last = std::move(taken.back());
        taken.clear();
        last.way_back->send({1}, true, {});
        CHECK(client.receive() == Octets{1});
    }
}

TEST_CASE("a way back may outlive the server") {
    auto running = std::make_unique<Running>();
    Client client(running->address(), SOCK_STREAM);
    client.send(framed(asking(RrType::AXFR)));
    const HandedOver taken = running->taker.next();
    running->server.reset();
    taken.way_back->send({1, 2, 3}, true, [](bool) { FAIL("the server has stopped"); });
    CHECK(client.receive_framed().empty());
}
