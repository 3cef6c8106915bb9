#include "dnsd/transfer/outgoing.h"

#include <doctest/doctest.h>

#include <deque>
#include <set>

#include "dnsd/transfer/request.h"
#include "tests/support/manual_clock.h"
#include "tests/support/queries.h"
#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace dnsd::transfer::test;
using namespace std::chrono_literals;
using dnsd::test::name;
using wire::Rcode;
using wire::RrType;

namespace {

constexpr std::uint16_t axfr = 252, ixfr = 251;

// A client that takes a message when the test says so.
class Client final : public Answerer {
  public:
    void send(std::vector<std::uint8_t> message, bool is_last,
              std::function<void(bool)> written) override {
        CHECK_FALSE(is_over);
        is_over = is_last;
        messages.push_back(std::move(message));
        next = std::move(written);
    }
    // Whether it was owed another message.
    bool take_one(bool is_there = true) {
        if (!next) return false;
        std::exchange(next, nullptr)(is_there);
        return true;
    }

    std::vector<std::vector<std::uint8_t>> messages;
    std::function<void(bool)> next;
    bool is_over = false;
};

std::string line_of(const wire::Name& owner, RrType type, std::uint32_t ttl,
                    std::span<const std::uint8_t> rdata) {
    return owner.print() + ' ' + std::to_string(ttl) + ' ' + wire::print(type) + ' ' +
           wire::print_rdata(type, rdata);
}

// The records of all messages, in their order; of OPT none.
std::vector<std::string> lines_of(const std::vector<std::vector<std::uint8_t>>& messages) {
    std::vector<std::string> lines;
    for (const auto& octets : messages) {
        const auto message = wire::decode_message(octets);
        REQUIRE(message);
        for (const wire::Record& record : message->records) {
            if (record.type == RrType::OPT) continue;
            CHECK(record.section == wire::Section::Answer);
            const auto at = static_cast<std::size_t>(record.rdata.data() - octets.data());
            const auto rdata = wire::decode_rdata(record.type, octets, at, record.rdata.size());
            REQUIRE(rdata);
            lines.push_back(line_of(record.owner, record.type, record.ttl, *rdata));
        }
    }
    return lines;
}

std::vector<std::string> lines_of(const tree::Zone& zone) {
    std::vector<std::string> lines;
    zone.for_each([&](const tree::Node& node) {
        for (const auto& rrset : node.rrsets()) {
            for (std::size_t i = 0; i < rrset->size(); ++i) {
                if (rrset->is_transferred(i))
                    lines.push_back(
                        line_of(node.owner(), rrset->type(), rrset->ttl(), rrset->rdata(i)));
            }
        }
    });
    return lines;
}

std::string soa_line(std::uint32_t serial) {
    return line_of(name("example.org"), RrType::SOA, 300, soa_of(serial)->rdata(0));
}

std::uint32_t serial_in(std::string_view line) {
    const auto words = split(line, ' ');
    REQUIRE(words.at(2) == "SOA");
    return static_cast<std::uint32_t>(*parse_unsigned(words.at(5)));
}

Rcode rcode_of(const Client& client) {
    REQUIRE(client.messages.size() == 1);
    REQUIRE(client.is_over);
    return wire::decode_message(client.messages[0])->rcode();
}

// The info code of the extended error, if there is one.
std::optional<std::uint16_t> extended_error(const Client& client) {
    const auto message = wire::decode_message(client.messages.at(0));
    for (const wire::Record& record : message->records) {
        if (record.type == RrType::OPT && record.rdata.size() >= 6)
            return static_cast<std::uint16_t>(record.rdata[4] << 8 | record.rdata[5]);
    }
    return std::nullopt;
}

struct Serving {
    io::Loop loop;
    dnsd::test::ManualClock clock;
    StillRegistry registry;
    std::shared_ptr<std::vector<tree::Difference>> chain;
    std::deque<std::function<void()>> letters;
    std::unique_ptr<Outgoing> outgoing;
    SocketAddress client = *SocketAddress::parse("192.0.2.7:4000");

    explicit Serving(Outgoing::Options options = {}) {
        if (options.allow.empty()) options.allow = {{Network::parse("192.0.2.0/24"), ""}};
        auto history = std::make_unique<StillHistory>();
        chain = history->chain;
        outgoing = std::make_unique<Outgoing>(
            loop, std::move(options), registry, std::move(history),
            [this](std::function<void()> letter) { letters.push_back(std::move(letter)); }, clock);
    }

    void put(std::shared_ptr<const tree::Zone> zone, std::vector<model::Admission> transfer = {}) {
        registry.put(std::move(zone), {.name = "example.org", .transfer = std::move(transfer)});
    }
    // Publishes the next version; history knows how it came to be.
    void change(const std::shared_ptr<const tree::Zone>& to) {
        const auto before = registry.zones().load()->find_apex(name("example.org"));
        chain->push_back(*tree::transfer_difference(*before, *to));
        put(to);
    }
    void deliver() {
        while (!letters.empty()) {
            const auto letter = std::move(letters.front());
            letters.pop_front();
            letter();
        }
    }
    std::shared_ptr<Client> ask(std::vector<std::uint8_t> octets, bool is_tcp = true,
                                std::optional<wire::TsigSession> session = {}) {
        auto answer = std::make_shared<Client>();
        outgoing->take({.octets = std::move(octets),
                        .client = client,
                        .is_tcp = is_tcp,
                        .session = std::move(session),
                        .answer = answer});
        return answer;
    }
    // All of the reply.
    std::shared_ptr<Client> fetch(std::vector<std::uint8_t> octets, bool is_tcp = true) {
        auto answer = ask(std::move(octets), is_tcp);
        while (answer->take_one()) deliver();
        CHECK(answer->is_over);
        return answer;
    }
    double metric(std::string_view wanted, std::string_view kind = {},
                  std::string_view outcome = {}) const {
        for (const Metric& metric : outgoing->metrics()) {
            if (metric.name != wanted) continue;
            for (const Metric::Sample& sample : metric.samples) {
                if (sample.labels.empty() ||
                    (sample.labels[0].second == kind && sample.labels[1].second == outcome))
                    return sample.value;
            }
        }
        FAIL("no such metric");
        return 0;
    }
};

std::vector<std::uint8_t> axfr_query(std::string_view zone = "example.org") {
    return dnsd::test::query(zone, {.type = axfr, .flags = 0, .udp_payload = 1232});
}

std::vector<std::uint8_t> ixfr_query(std::uint32_t serial, bool edns = true) {
    auto octets = dnsd::test::query("example.org", {.type = ixfr, .flags = 0});
    octets[9] = 1;  // NSCOUNT
    const auto put = [&](std::span<const std::uint8_t> more) {
        octets.insert(octets.end(), more.begin(), more.end());
    };
    const auto soa = soa_of(serial);
    const auto rdata = soa->rdata(0);
    put(name("example.org").octets());
    put(std::vector<std::uint8_t>{0, 6, 0, 1, 0, 0, 0, 0, 0,
                                  static_cast<std::uint8_t>(rdata.size())});
    put(rdata);
    if (!edns) return octets;
    octets[11] = 1;  // ARCOUNT
    put(std::vector<std::uint8_t>{0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0});
    return octets;
}

std::shared_ptr<const tree::Zone> with(const std::shared_ptr<const tree::Zone>& zone,
                                       std::string_view owner, std::uint32_t serial,
                                       std::string_view address) {
    tree::ZoneEdit edit(zone);
    edit.set(name("example.org"), soa_of(serial));
    if (address.empty())
        edit.remove(name(owner), RrType::A);
    else
        edit.set(name(owner), rrset_of(RrType::A, {std::string(address)}));
    return edit.finish();
}

}  // namespace

TEST_CASE("RFC 5936 §2.2: an AXFR is the zone, between two copies of its SOA") {
    for (const int hosts : {0, 1, 5'000}) {
        CAPTURE(hosts);
        Serving serving;
        const auto zone = zone_of(7, hosts);
        serving.put(zone);
        const auto client = serving.fetch(axfr_query());
        auto lines = lines_of(client->messages);
        CHECK(lines.front() == soa_line(7));
        CHECK(lines.back() == soa_line(7));
        lines.pop_back();
        auto expected = lines_of(*zone);
        std::ranges::sort(lines);
        std::ranges::sort(expected);
        CHECK(lines == expected);
        for (std::size_t i = 0; i < client->messages.size(); ++i) {
            const auto message = wire::decode_message(client->messages[i]);
            CHECK(message->id == 0x1234);
            CHECK(message->authoritative());
            CHECK(message->questions.size() == (i == 0 ? 1 : 0));
            CHECK(client->messages[i].size() <= 16 * 1024);
        }
        if (hosts == 5'000) CHECK(client->messages.size() > 3);
        CHECK(serving.metric("dnsd_transfers_total", "axfr", "done") == 1);
        CHECK(serving.metric("dnsd_transfers_under_way") == 0);
    }
}

TEST_CASE("of weighted records an AXFR holds those that TCP would answer") {
    Serving serving;
    tree::ZoneEdit edit(zone_of(1, 0));
    edit.set(name("web.example.org"),
             std::make_shared<const tree::RRset>(
                 RrType::A, 5, std::vector<tree::Rdata>{{{192, 0, 2, 1}, 0}, {{192, 0, 2, 2}, 10}},
                 tree::Draw::Weighted));
    serving.put(edit.finish());
    const auto lines = lines_of(serving.fetch(axfr_query())->messages);
    CHECK(std::ranges::count(lines, "web.example.org 5 A 192.0.2.1") == 0);
    CHECK(std::ranges::count(lines, "web.example.org 5 A 192.0.2.2") == 1);
}

TEST_CASE("one message at a time, and the zone as it was when the transfer began") {
    Serving serving;
    serving.put(zone_of(7, 5'000));
    const auto client = serving.ask(axfr_query());
    CHECK(client->messages.size() == 1);
    serving.deliver();
    CHECK(client->messages.size() == 1);  // it has not taken it yet
    serving.put(zone_of(8, 1));
    while (client->take_one()) {
        const std::size_t before = client->messages.size();
        serving.deliver();
        CHECK(client->messages.size() == before + 1);
    }
    const auto lines = lines_of(client->messages);
    CHECK(lines.size() == 10'004);
    CHECK(lines.back() == soa_line(7));
}

TEST_CASE("a record that is larger than our messages goes alone, a larger one ends the transfer") {
    Serving serving;
    tree::ZoneEdit edit(zone_of(1, 0));
    const auto texts = [](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) text += '"' + std::string(255, 'x') + "\" ";
        return text;
    };
    edit.set(name("large.example.org"), rrset_of(RrType::TXT, {texts(100)}));
    serving.put(edit.finish());
    CHECK(lines_of(serving.fetch(axfr_query())->messages).size() == 5);

    edit.set(name("large.example.org"),
             rrset_of(RrType::TXT, {texts(255) + '"' + std::string(254, 'x') + '"'}));
    serving.put(edit.finish());
    const auto client = serving.fetch(axfr_query());
    CHECK(wire::decode_message(client->messages.back())->rcode() == Rcode::ServFail);
    CHECK(serving.metric("dnsd_transfers_total", "axfr", "failed") == 1);
}

TEST_CASE("a transfer is refused, and says why") {
    Serving serving;
    serving.put(zone_of(1, 1));
    SUBCASE("to those who are not let in") {
        serving.client = *SocketAddress::parse("127.0.0.1:4000");
        const auto client = serving.fetch(axfr_query());
        CHECK(rcode_of(*client) == Rcode::Refused);
        CHECK(extended_error(*client) == 18);  // Prohibited
        CHECK(lines_of(client->messages).empty());
        CHECK(rcode_of(*serving.fetch(ixfr_query(1))) == Rcode::Refused);
        CHECK(rcode_of(*serving.fetch(ixfr_query(1), false)) == Rcode::Refused);
        CHECK(serving.metric("dnsd_transfers_total", "axfr", "refused") == 1);

        serving.put(zone_of(1, 1), {{Network::parse("127.0.0.0/8"), ""}});
        CHECK(rcode_of(*serving.fetch(axfr_query())) == Rcode::NoError);
        serving.put(zone_of(1, 1));
        serving.outgoing->allow({{Network::parse("127.0.0.1"), ""}});
        CHECK(rcode_of(*serving.fetch(axfr_query())) == Rcode::NoError);
    }
    SUBCASE("of zones that are not ours") {
        const auto client = serving.fetch(axfr_query("example.net"));
        CHECK(rcode_of(*client) == Rcode::NotAuth);
        CHECK(extended_error(*client) == 20);  // Not Authoritative
        CHECK(rcode_of(*serving.fetch(axfr_query("host-0.example.org"))) == Rcode::NotAuth);
    }
    SUBCASE("of a secondary that has nothing") {
        serving.put(tree::Zone::make(name("example.org")));
        const auto client = serving.fetch(axfr_query());
        CHECK(rcode_of(*client) == Rcode::ServFail);
        CHECK(extended_error(*client) == 14);  // Not Ready
    }
    SUBCASE("where it cannot be meant: AXFR over UDP, what is malformed, another version of EDNS") {
        CHECK(rcode_of(*serving.fetch(axfr_query(), false)) == Rcode::FormErr);
        CHECK(rcode_of(*serving.fetch(dnsd::test::query("example.org", {.type = ixfr}))) ==
              Rcode::FormErr);
        const auto client = serving.fetch(dnsd::test::query(
            "example.org", {.type = axfr, .udp_payload = 1232, .edns_version = 1}));
        CHECK(rcode_of(*client) == Rcode::NoError);  // the upper bits stand in the OPT RR
        const auto message = wire::decode_message(client->messages[0]);
        CHECK(message->records.at(0).ttl / 0x1000000 == 1);
    }
}

TEST_CASE("transfers at the same time are bounded, in all and for one client") {
    Serving serving({.transfers_max = 3, .transfers_per_client_max = 2});
    serving.put(zone_of(1, 5'000));
    const auto first = serving.ask(axfr_query()), second = serving.ask(axfr_query());
    CHECK(serving.metric("dnsd_transfers_under_way") == 2);
    CHECK(rcode_of(*serving.ask(axfr_query())) == Rcode::ServFail);
    serving.client = *SocketAddress::parse("192.0.2.8:4000");
    const auto third = serving.ask(axfr_query());
    CHECK_FALSE(third->is_over);
    CHECK(rcode_of(*serving.ask(axfr_query())) == Rcode::ServFail);
    CHECK(serving.metric("dnsd_transfers_total", "axfr", "busy") == 2);

    first->take_one(false);  // it has left
    serving.deliver();
    CHECK(serving.metric("dnsd_transfers_total", "axfr", "client_left") == 1);
    CHECK_FALSE(serving.ask(axfr_query())->is_over);
}

TEST_CASE("RFC 1995 §4: an IXFR is one difference, condensed from all since the client's serial") {
    Serving serving;
    const auto v1 = zone_of(1, 20);
    const auto v2 = with(v1, "new.example.org", 2, "192.0.2.10");
    const auto v3 = with(v2, "passing.example.org", 3, "192.0.2.11");
    const auto v4 = with(v3, "passing.example.org", 4, "");
    const auto v5 = with(v4, "host-0.example.org", 5, "");
    serving.put(v1);
    for (const auto& version : {v2, v3, v4, v5}) serving.change(version);

    const auto lines = lines_of(serving.fetch(ixfr_query(1))->messages);
    REQUIRE(lines.size() == 7);
    CHECK(lines[0] == soa_line(5));
    CHECK(lines[1] == soa_line(1));
    CHECK(std::set(lines.begin() + 2, lines.begin() + 4) ==
          std::set<std::string>{"host-0.example.org 300 A 192.0.2.1",
                                "host-0.example.org 300 A 192.0.2.2"});
    CHECK(lines[4] == soa_line(5));
    CHECK(lines[5] == "new.example.org 300 A 192.0.2.10");
    CHECK(lines[6] == soa_line(5));
    CHECK(serving.metric("dnsd_transfers_total", "ixfr", "done") == 1);

    SUBCASE("from the last but one") {
        const auto short_lines = lines_of(serving.fetch(ixfr_query(4))->messages);
        CHECK(short_lines.size() == 6);
        CHECK(short_lines[1] == soa_line(4));
    }
    SUBCASE("what is committed and not yet published is not in it") {
        serving.chain->push_back(
            *tree::transfer_difference(*v5, *with(v5, "a.example.org", 6, "192.0.2.1")));
        const auto same = lines_of(serving.fetch(ixfr_query(1))->messages);
        CHECK(same == lines);
    }
    SUBCASE("RFC 1995 §2: a client that has the newest gets the SOA alone, a newer one too") {
        for (const std::uint32_t serial : {5U, 6U}) {
            const auto alone = lines_of(serving.fetch(ixfr_query(serial))->messages);
            CHECK(alone == std::vector{soa_line(5)});
        }
    }
    SUBCASE("over UDP, if it fits the datagram") {
        CHECK(lines_of(serving.fetch(ixfr_query(1), false)->messages) == lines);
    }
}

TEST_CASE("RFC 1995 §4: where history does not help, an IXFR is answered with the whole zone") {
    Serving serving;
    const auto v1 = zone_of(1, 3);
    serving.put(v1);
    serving.change(with(v1, "new.example.org", 2, "192.0.2.10"));
    const auto is_whole = [](const std::vector<std::string>& lines) {
        return lines.size() > 2 && serial_in(lines.front()) == serial_in(lines.back()) &&
               lines[1].find("SOA") == std::string::npos;
    };
    SUBCASE("it does not reach back so far") {
        CHECK(is_whole(lines_of(serving.fetch(ixfr_query(0))->messages)));
    }
    SUBCASE("it does not reach what is published") {
        serving.put(zone_of(3, 3));
        CHECK(is_whole(lines_of(serving.fetch(ixfr_query(1))->messages)));
    }
    SUBCASE("the difference is larger than the zone") {
        serving.change(zone_of(3, 0));
        const auto lines = lines_of(serving.fetch(ixfr_query(2))->messages);
        CHECK(is_whole(lines));
        CHECK(lines.size() == 4);
    }
    CHECK(serving.metric("dnsd_transfers_total", "axfr_for_ixfr", "done") == 1);
}

TEST_CASE(
    "RFC 1995 §2: what does not fit a datagram is the SOA alone, and the client comes by TCP") {
    Serving serving;
    const auto v1 = zone_of(1, 100);
    serving.put(v1);
    tree::ZoneEdit edit(v1);
    edit.set(name("example.org"), soa_of(2));
    for (int i = 0; i < 30; ++i)
        edit.set(name("a-rather-long-label-" + std::to_string(i) + ".example.org"),
                 rrset_of(RrType::A, {"192.0.2.1"}));
    serving.change(edit.finish());
    CHECK(lines_of(serving.fetch(ixfr_query(1))->messages).size() == 34);
    // 30 such records are more than 512 octets and less than 1232 + 1.
    CHECK(lines_of(serving.fetch(ixfr_query(1, false), false)->messages) ==
          std::vector{soa_line(2)});
    CHECK(lines_of(serving.fetch(ixfr_query(0), false)->messages) == std::vector{soa_line(2)});
    CHECK(serving.metric("dnsd_transfers_total", "soa", "done") == 2);
}

TEST_CASE("RFC 8945 §5.3.1: every message is signed, and the key lets the client in") {
    Serving serving;
    serving.put(zone_of(1, 5'000), {{std::nullopt, "xfr.example.org"}});
    serving.client = *SocketAddress::parse("198.51.100.1:4000");
    const wire::TsigKey key{name("xfr.example.org"), wire::TsigAlgorithm::HmacSha256,
                            std::vector<std::uint8_t>(32, 7)};
    auto octets = axfr_query();
    auto asking = wire::TsigSession::sign_request(octets, key, serving.clock.wall());
    auto session =
        wire::TsigSession::verify_request(octets, wire::Keyring({key}), serving.clock.wall());
    REQUIRE(session);
    const auto client = serving.ask(octets, true, *session);
    while (client->take_one()) serving.deliver();
    REQUIRE(client->is_over);
    CHECK(client->messages.size() > 3);
    for (auto& message : client->messages) {
        CHECK(wire::has_tsig(message));
        REQUIRE(asking.verify_reply(message, serving.clock.wall()));
        CHECK(asking.ends_signed());
    }
    CHECK(lines_of(client->messages).size() == 10'004);
}

TEST_CASE("transfers end with what makes them") {
    Serving serving;
    serving.put(zone_of(1, 5'000));
    const auto client = serving.ask(axfr_query());
    serving.outgoing.reset();
    CHECK(client->is_over);
    client->take_one();
    serving.deliver();
    CHECK(client->messages.size() == 2);
    CHECK(client->messages[1].empty());
}
