#include "dnsd/transfer/transfers.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/io/mailbox.h"
#include "base/io/udp.h"
#include "tests/support/queries.h"
#include "tests/unit/dnsd/transfer/still_registry.h"
#include "zone/wire/message.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace dnsd::transfer::test;
using namespace std::chrono_literals;
using dnsd::test::name;

namespace {

wire::TsigKey key_of(std::string_view called, std::uint8_t octet) {
    return {name(called), wire::TsigAlgorithm::HmacSha256, std::vector<std::uint8_t>(32, octet)};
}

// Takes all messages at once, and tells when the last has come.
class Client final : public Answerer {
  public:
    void send(std::vector<std::uint8_t> message, bool is_last,
              std::function<void(bool)> written) override {
        messages.push_back(std::move(message));
        if (is_last) return all.set_value();
        written(true);
    }
    std::vector<std::vector<std::uint8_t>> messages;
    std::promise<void> all;
};

struct Running {
    StillRegistry registry;
    std::unique_ptr<Transfers> transfers;

    explicit Running(Transfers::Options options = {}) {
        options.allow = {{Network::parse("192.0.2.0/24"), ""}};
        transfers = Transfers::make(std::move(options), registry, nullptr, machine_clock());
    }
    std::shared_ptr<Client> ask(std::vector<std::uint8_t> octets) {
        auto client = std::make_shared<Client>();
        transfers->take({.octets = std::move(octets),
                         .client = *SocketAddress::parse("192.0.2.7:4000"),
                         .is_tcp = true,
                         .session = {},
                         .answer = client});
        client->all.get_future().wait();
        return client;
    }
    wire::Rcode rcode_of(std::vector<std::uint8_t> octets) {
        return wire::decode_message(ask(std::move(octets))->messages.at(0))->rcode();
    }
};

// A secondary on a loop of its own that acknowledges what it hears.
class Secondary {
  public:
    Secondary() : thread_([this] { loop_.run(); }) {}
    ~Secondary() {
        REQUIRE(mailbox_.post([this] { loop_.stop(); }));
        thread_.join();
    }
    SocketAddress address() const { return responder_.address(); }
    // The zones and serials that it has heard of, once there are so many.
    std::vector<std::string> heard(std::size_t count) {
        std::unique_lock lock(mutex_);
        CHECK(changed_.wait_for(lock, 30s, [&] { return heard_.size() >= count; }));
        return heard_;
    }

  private:
    std::size_t take(std::span<const std::uint8_t> query, std::span<std::uint8_t> out) {
        const auto message = wire::decode_message(query);
        const auto& soa = message->records.at(0);
        {
            const std::lock_guard lock(mutex_);
            const std::string text = wire::print_rdata(soa.type, soa.rdata);
            heard_.push_back(message->questions.at(0).name.print() + ' ' +
                             std::string(split(text, ' ').at(2)));
        }
        changed_.notify_all();
        std::ranges::copy(query, out.begin());
        out[2] |= 0x80;
        return query.size();
    }

    io::Loop loop_;
    io::Mailbox mailbox_{loop_, 4};
    io::UdpCounters counters_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> heard_;
    io::UdpResponder responder_{loop_,
                                *io::UdpSocket::bind({Ipv4{{127, 0, 0, 1}}, 0}, false),
                                {},
                                [](auto) {},
                                [this](std::span<const std::uint8_t> query, const SocketAddress&,
                                       std::span<std::uint8_t> out) { return take(query, out); },
                                counters_};
    std::thread thread_;
};

}  // namespace

TEST_CASE("each message is answered by whom it is for") {
    Running running;
    running.registry.put(zone_of(1, 5'000), {.name = "example.org"});
    running.transfers->start();
    CHECK(running.ask(dnsd::test::query("example.org", {.type = 252}))->messages.size() > 3);
    // NOTIFY of a zone that is not ours, an unsigned UPDATE, an opcode that nobody knows.
    CHECK(running.rcode_of(dnsd::test::query("example.net", {.type = 6, .flags = 0x2000})) ==
          wire::Rcode::NotAuth);
    CHECK(running.rcode_of(dnsd::test::query("example.org", {.type = 6, .flags = 0x2800})) ==
          wire::Rcode::Refused);
    CHECK(running.rcode_of(dnsd::test::query("example.org", {.flags = 0x3000})) ==
          wire::Rcode::NotImp);
    CHECK(running.rcode_of(dnsd::test::query("example.org", {.type = 6})) == wire::Rcode::FormErr);
}

TEST_CASE("messages beyond what may wait are answered SERVFAIL at once") {
    Running running({.messages_waiting_max = 0});
    running.transfers->start();
    CHECK(running.rcode_of(dnsd::test::query("example.org", {.type = 252})) ==
          wire::Rcode::ServFail);
}

TEST_CASE("keys are those of the options and of the registry, as of the last publication") {
    Running running({.keys = {key_of("file.example.org", 1), key_of("both.example.org", 1)}});
    const auto find = [&](std::string_view called) -> std::optional<std::uint8_t> {
        const auto keys = running.transfers->keyring().load();
        const wire::TsigKey* key = keys->find(name(called));
        if (key == nullptr) return std::nullopt;
        return key->secret.front();
    };
    CHECK(find("file.example.org") == 1);
    CHECK_FALSE(find("api.example.org"));
    running.registry.put(key_of("api.example.org", 2));
    running.registry.put(key_of("both.example.org", 2));
    running.registry.tell({});
    CHECK(find("api.example.org") == 2);
    CHECK(find("both.example.org") == 1);
    CHECK(find("file.example.org") == 1);

    running.transfers->reload({.keys = {key_of("other.example.org", 3)}});
    CHECK(find("other.example.org") == 3);
    CHECK(find("both.example.org") == 2);
    CHECK_FALSE(find("file.example.org"));
}

TEST_CASE("secondaries are told of all zones at the start, and of each change") {
    Secondary own, of_all;
    Running running({.notify = {{of_all.address()}}});
    running.registry.put(zone_of(1, 1), {.name = "example.org", .notify = {{own.address()}}});
    running.registry.put(tree::Zone::make(name("example.net")), {.name = "example.net"});
    running.transfers->start();
    CHECK(own.heard(1) == std::vector<std::string>{"example.org 1"});
    CHECK(of_all.heard(1) == std::vector<std::string>{"example.org 1"});

    running.registry.put(zone_of(2, 1), {.name = "example.org", .notify = {{own.address()}}});
    running.registry.tell({"example.org", "no.such.zone", "not a name .."});
    CHECK(own.heard(2).back() == "example.org 2");
    CHECK(of_all.heard(2).back() == "example.org 2");

    Secondary late;
    running.transfers->reload({.notify = {{late.address()}}});
    CHECK(late.heard(1).back() == "example.org 2");
}

TEST_CASE("news may come, and transfers be under way, when it ends") {
    Running running;
    running.registry.put(zone_of(1, 5'000), {.name = "example.org"});
    running.transfers->start();
    running.transfers.reset();
    running.registry.tell({"example.org"});
}
