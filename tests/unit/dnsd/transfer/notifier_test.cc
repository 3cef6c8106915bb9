#include "dnsd/transfer/notifier.h"

#include <doctest/doctest.h>

#include "base/io/udp.h"
#include "tests/unit/dnsd/transfer/still_registry.h"
#include "zone/wire/message.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace dnsd::transfer::test;
using namespace std::chrono_literals;
using dnsd::test::name;
using wire::RrType;

namespace {

const wire::TsigKey key{name("xfr.example.org"), wire::TsigAlgorithm::HmacSha256,
                        std::vector<std::uint8_t>(32, 7)};

// A secondary on loopback, and the notifier on the same loop.
struct Exchange {
    io::Loop loop;
    Snapshot<wire::Keyring> keyring{
        std::make_shared<const wire::Keyring>(std::vector<wire::TsigKey>{key})};
    Notifier notifier{loop, keyring, machine_clock()};
    io::UdpCounters counters;
    std::vector<std::vector<std::uint8_t>> heard;
    // What the secondary says: the reply's octets, written into its argument.
    std::function<void(std::vector<std::uint8_t>&)> reply = [](auto&) {};
    io::UdpResponder secondary{loop,
                               *io::UdpSocket::bind({Ipv4{{127, 0, 0, 1}}, 0}, false),
                               {},
                               [](auto) {},
                               [this](std::span<const std::uint8_t> query, const SocketAddress&,
                                      std::span<std::uint8_t> out) {
                                   heard.emplace_back(query.begin(), query.end());
                                   std::vector<std::uint8_t> octets = heard.back();
                                   reply(octets);
                                   std::ranges::copy(octets, out.begin());
                                   return octets.size();
                               },
                               counters};

    double metric(std::string_view result) const {
        const std::vector<Metric> metrics = notifier.metrics();
        for (const Metric::Sample& sample : metrics.at(0).samples) {
            if (sample.labels[0].second == result) return sample.value;
        }
        return -1;
    }
    // Runs until the count is there, or for so long that it never will be.
    void run_until(std::string_view result, double count) {
        int turns = 0;
        io::Timer watch(loop, [&] {
            if (metric(result) >= count || ++turns > 5'000) loop.stop();
        });
        watch.repeat(1ms);
        loop.run();
        CHECK(metric(result) == count);
    }
    void change(std::uint32_t serial, std::string with_key = {}) {
        notifier.changed(name("example.org"), soa_of(serial),
                         {{secondary.address(), std::move(with_key)}}, 0ms);
    }
};

void set_response(std::vector<std::uint8_t>& octets, unsigned rcode = 0) {
    octets[2] |= 0x80;
    octets[3] = static_cast<std::uint8_t>(rcode);
}

}  // namespace

TEST_CASE("RFC 1996 §3.7: a NOTIFY names the zone, and holds its SOA") {
    Exchange exchange;
    exchange.reply = [](auto& octets) { set_response(octets); };
    exchange.change(7);
    exchange.run_until("acknowledged", 1);
    REQUIRE(exchange.heard.size() == 1);
    const auto message = wire::decode_message(exchange.heard[0]);
    REQUIRE(message);
    CHECK((message->flags & 0xf800) == 0x2000);  // a query with the opcode 4
    CHECK(message->authoritative());
    REQUIRE(message->questions.size() == 1);
    CHECK(message->questions[0].name == name("example.org"));
    CHECK(message->questions[0].type == RrType::SOA);
    REQUIRE(message->records.size() == 1);
    CHECK(message->records[0].type == RrType::SOA);
    CHECK(std::ranges::equal(message->records[0].rdata, soa_of(7)->rdata(0)));
}

TEST_CASE("a peer with a key gets signed messages, and is believed if it signs as well") {
    Exchange exchange;
    SUBCASE("it does") {
        exchange.reply = [](auto& octets) {
            auto session = wire::TsigSession::verify_request(octets, wire::Keyring({key}),
                                                             machine_clock().wall());
            REQUIRE(session);
            set_response(octets);
            session->sign_reply(octets, machine_clock().wall());
        };
        exchange.change(7, "xfr.example.org");
        exchange.run_until("acknowledged", 1);
    }
    SUBCASE("it does not: that says nothing, and it is told again") {
        exchange.reply = [](auto& octets) { set_response(octets); };
        exchange.change(7, "xfr.example.org");
        exchange.run_until("sent", 2);
        CHECK(exchange.metric("acknowledged") == 0);
    }
}

TEST_CASE("a refusal ends it too: the peer has heard of it") {
    Exchange exchange;
    exchange.reply = [](auto& octets) { set_response(octets, 5); };
    exchange.change(7);
    exchange.run_until("refused", 1);
}

TEST_CASE("replies are told from others by id, opcode and question") {
    const Notice notice{name("example.org"), {}, soa_of(7), 0x1234, 1};
    const auto reply_with = [&](const std::function<void(std::vector<std::uint8_t>&)>& change) {
        auto octets = encode_notify(notice);
        set_response(octets);
        change(octets);
        return is_reply_to(octets, notice);
    };
    CHECK(reply_with([](auto&) {}));
    CHECK(reply_with([](auto& octets) { octets[13] = 'E'; }));
    CHECK_FALSE(reply_with([](auto& octets) { octets[2] &= 0x7f; }));
    CHECK_FALSE(reply_with([](auto& octets) { octets[1] ^= 1; }));
    CHECK_FALSE(reply_with([](auto& octets) { octets[2] ^= 0x08; }));
    CHECK_FALSE(reply_with([](auto& octets) { octets[13] = 'f'; }));
    CHECK_FALSE(reply_with([](auto& octets) { octets.pop_back(); }));
    // A header alone, as some say what they do not know.
    const auto header = [](auto& octets) {
        octets.resize(12);
        octets[5] = octets[7] = 0;
    };
    CHECK_FALSE(reply_with(header));
    CHECK(reply_with([&](auto& octets) {
        header(octets);
        octets[3] = 4;
    }));
}
