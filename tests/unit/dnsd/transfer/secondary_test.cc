// Secondary zones beside primaries that do as the test says, over sockets on loopback and one loop.
// Beside real primaries they are tested in tests/integration.
#include "dnsd/transfer/secondary.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <functional>
#include <list>

#include "base/io/tcp.h"
#include "base/io/udp.h"
#include "dnsd/transfer/message_writer.h"
#include "dnsd/transfer/primary_messages.h"
#include "dnsd/transfer/secondary_timers.h"
#include "tests/support/names.h"
#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace std::chrono_literals;
using dnsd::test::name;
using transfer::test::zone_of;
using wire::RrType;
using Octets = std::vector<std::uint8_t>;
using ZonePointer = std::shared_ptr<const tree::Zone>;

namespace {

const IpAddress here = Ipv4{{127, 0, 0, 1}};
const wire::TsigKey key{name("xfr.example.org"), wire::TsigAlgorithm::HmacSha256, Octets(32, 7)};

// Holds example.org alone, and takes over what it is told of it.
class OneZoneRegistry final : public registry::Registry {
  public:
    void submit(registry::Change change,
                std::move_only_function<void(registry::Outcome)> done) override {
        const registry::Namespace* before = state_.load()->find_namespace("example.org");
        auto within = std::make_shared<registry::Namespace>(*before);
        if (const auto* take = std::get_if<registry::TakeTransfer>(&change.what)) {
            ++transfers;
            within->records = take->zone;
            within->following = {take->refreshed, false};
        } else if (const auto* set = std::get_if<registry::SetFreshness>(&change.what)) {
            ++confirmations;
            within->following = set->following;
        }
        put(within);
        done(registry::Applied{});
    }
    void attach(health::Checker*) override {}
    void transitions(std::vector<health::Transition>) override {}
    void on_published(std::function<void(const registry::Published&)>) override {}
    void set_followers(std::size_t) override {}
    std::string identity() const override { return "one zone"; }
    const Snapshot<tree::ZoneSet>& zones() const noexcept override { return zones_; }
    const Snapshot<registry::State>& state() const noexcept override { return state_; }
    Result<> check_writable() override { return {}; }
    std::vector<Metric> metrics() const override { return {}; }

    void put(std::shared_ptr<const registry::Namespace> within) {
        auto state = std::make_shared<registry::State>(*state_.load());
        state->namespaces.set("example.org", std::move(within));
        state_.publish(std::move(state));
    }
    void follow(const std::vector<model::Peer>& primaries, ZonePointer held = nullptr,
                WallTime refreshed = {}) {
        auto within = std::make_shared<registry::Namespace>();
        within->spec.name = "example.org";
        within->spec.primaries = primaries;
        within->records = std::move(held);
        within->following = {refreshed, within->records == nullptr};
        put(within);
    }
    std::shared_ptr<const registry::Namespace> within() const {
        return *state_.load()->namespaces.find("example.org");
    }
    std::uint32_t serial() const {
        const auto now = within();
        const auto timers = now->records ? soa_timers(*now->records) : std::nullopt;
        return timers ? timers->serial : 0;
    }

    int transfers = 0, confirmations = 0;

  private:
    Snapshot<tree::ZoneSet> zones_{std::make_shared<const tree::ZoneSet>()};
    Snapshot<registry::State> state_{std::make_shared<const registry::State>()};
};

wire::Question question_of(const Octets& message) {
    const auto decoded = wire::decode_message(message);
    REQUIRE(decoded);
    REQUIRE(decoded->questions.size() == 1);
    return decoded->questions[0];
}

// A primary of example.org on loopback.
class Primary {
  public:
    Primary(io::Loop& loop, ZonePointer holds)
        : zone(std::move(holds)),
          loop_(loop),
          sockets_(bound()),
          udp_(
              loop, std::move(sockets_.first), {}, [](auto) {},
              [this](auto query, const auto&, auto reply) { return answer_soa(query, reply); },
              counters_),
          listener_(std::move(sockets_.second)),
          poll_(loop, listener_.number(), [this](unsigned) { accept(); }) {
        poll_.watch(io::Poll::Readable);
    }

    model::Peer peer(std::string with_key = {}) const {
        return {udp_.address(), std::move(with_key)};
    }

    ZonePointer zone;
    wire::Rcode soa_rcode = wire::Rcode::NoError;
    bool truncates = false;
    // What a transfer query is answered with; empty: the whole zone.
    std::function<std::vector<Octets>(const wire::Query& query)> transfer;
    bool wants_key = false, is_forger = false;
    std::vector<RrType> asked;  // in order; SOA over TCP too

  private:
    // Both on one port: one that the kernel gives for UDP may be taken for TCP.
    static std::pair<io::UdpSocket, io::Descriptor> bound() {
        for (;;) {
            auto socket = io::UdpSocket::bind({here, 0}, false);
            REQUIRE(socket);
            auto listener = io::listen_tcp(socket->address(), false);
            if (listener) return {*std::move(socket), *std::move(listener)};
        }
    }

    std::optional<wire::TsigSession> session_of(Octets& query) const {
        if (!wants_key) return std::nullopt;
        auto session =
            wire::TsigSession::verify_request(query, wire::Keyring({key}), machine_clock().wall());
        REQUIRE(session);
        return *std::move(session);
    }

    static wire::Query heading(const Octets& query) {
        wire::Query heading;
        heading.id = static_cast<std::uint16_t>(query[0] << 8 | query[1]);
        heading.question = question_of(query);
        return heading;
    }

    std::size_t answer_soa(std::span<const std::uint8_t> octets, std::span<std::uint8_t> reply) {
        Octets query(octets.begin(), octets.end());
        auto session = session_of(query);
        asked.push_back(question_of(query).type);
        Octets message = soa_answer(query, truncates);
        if (session) session->sign_reply(message, machine_clock().wall());
        if (is_forger) message[message.size() - 20] ^= 1;
        std::ranges::copy(message, reply.begin());
        return message.size();
    }
    Octets soa_answer(const Octets& query, bool is_cut) const {
        const wire::Query about = heading(query);
        Octets message(512);
        wire::ReplyWriter writer(about, message, message.size());
        writer.set_authoritative(true);
        writer.set_rcode(soa_rcode);
        if (is_cut)
            writer.set_truncated();
        else
            writer.add(wire::Section::Answer, about.question->name, RrType::SOA, 300,
                       zone->soa()->rdata(0));
        message.resize(writer.finish(1232));
        return message;
    }

    void accept() {
        connections_.push_back({io::accept_tcp(listener_).descriptor, {}, nullptr});
        Connection& connection = connections_.back();
        if (connection.socket.number() < 0) return connections_.pop_back();
        connection.poll = std::make_unique<io::Poll>(
            loop_, connection.socket.number(), [this, &connection](unsigned) { read(connection); });
        connection.poll->watch(io::Poll::Readable);
    }

    struct Connection {
        io::Descriptor socket;
        Octets received;
        std::unique_ptr<io::Poll> poll;
    };

    void read(Connection& connection) {
        Octets more(4096);
        const ssize_t got = ::read(connection.socket.number(), more.data(), more.size());
        if (got <= 0) return connection.poll->watch(0);
        connection.received.insert(connection.received.end(), more.begin(), more.begin() + got);
        if (connection.received.size() < 2) return;
        const std::size_t size = std::size_t{connection.received[0]} << 8 | connection.received[1];
        if (connection.received.size() < 2 + size) return;
        Octets query(connection.received.begin() + 2, connection.received.end());
        auto session = session_of(query);
        asked.push_back(question_of(query).type);
        const wire::Query about = heading(query);
        std::vector<Octets> messages;
        if (about.question->type == RrType::SOA)
            messages = {soa_answer(query, false)};
        else
            messages = transfer ? transfer(about) : whole(about);
        for (Octets& message : messages) {
            if (session) session->sign_reply(message, machine_clock().wall());
            const std::array<std::uint8_t, 2> length = {
                static_cast<std::uint8_t>(message.size() >> 8),
                static_cast<std::uint8_t>(message.size())};
            REQUIRE(::write(connection.socket.number(), length.data(), 2) == 2);
            REQUIRE(::write(connection.socket.number(), message.data(), message.size()) ==
                    static_cast<ssize_t>(message.size()));
        }
        if (messages.empty()) {  // it hangs up
            connection.poll.reset();
            connection.socket = io::Descriptor();
        }
    }

  public:
    static Octets message_of(const wire::Query& query,
                             const std::vector<tree::ZoneRecord>& records) {
        MessageWriter writer(query, true, 65'535);
        for (const tree::ZoneRecord& record : records)
            REQUIRE(writer.add({record.owner.octets(), record.type, record.ttl, record.rdata}));
        return writer.finish();
    }
    static tree::ZoneRecord soa_record(const tree::Zone& of) {
        const auto rdata = of.soa()->rdata(0);
        return {of.apex(), RrType::SOA, of.soa()->ttl(), {rdata.begin(), rdata.end()}};
    }
    std::vector<Octets> whole(const wire::Query& query) const {
        std::vector<tree::ZoneRecord> records = {soa_record(*zone)};
        zone->for_each([&](const tree::Node& node) {
            for (const auto& rrset : node.rrsets()) {
                if (rrset->type() == RrType::SOA) continue;
                for (std::size_t i = 0; i < rrset->size(); ++i)
                    records.push_back({node.owner(),
                                       rrset->type(),
                                       rrset->ttl(),
                                       {rrset->rdata(i).begin(), rrset->rdata(i).end()}});
            }
        });
        std::vector<Octets> messages = {message_of(query, records)};
        messages.push_back(message_of(query, {soa_record(*zone)}));
        return messages;
    }
    static std::vector<Octets> difference(const wire::Query& query, const tree::Zone& before,
                                          const tree::Zone& after) {
        const auto found = tree::transfer_difference(before, after);
        REQUIRE(found);
        std::vector<tree::ZoneRecord> records = {soa_record(after)};
        records.insert(records.end(), found->removed.begin(), found->removed.end());
        records.insert(records.end(), found->added.begin(), found->added.end());
        records.push_back(soa_record(after));
        return {message_of(query, records)};
    }
    static Octets refusal(const wire::Query& query, wire::Rcode rcode) {
        Octets message(512);
        wire::ReplyWriter writer(query, message, message.size());
        writer.set_rcode(rcode);
        message.resize(writer.finish(1232));
        return message;
    }

  private:
    io::Loop& loop_;
    io::UdpCounters counters_;
    std::pair<io::UdpSocket, io::Descriptor> sockets_;
    io::UdpResponder udp_;
    io::Descriptor listener_;
    std::list<Connection> connections_;
    io::Poll poll_;
};

// Where replies to NOTIFY go.
struct Kept final : Answerer {
    std::vector<Octets> messages;
    void send(Octets message, bool, std::function<void(bool)>) override {
        messages.push_back(std::move(message));
    }
};

struct Fixture {
    io::Loop loop;
    OneZoneRegistry registry;
    Snapshot<wire::Keyring> keyring{
        std::make_shared<const wire::Keyring>(std::vector<wire::TsigKey>{key})};
    std::unique_ptr<Secondaries> secondaries;

    void begin(Secondaries::Options options = {}) {
        options.query_timeout = 100ms;
        options.message_timeout = 2000ms;
        secondaries =
            std::make_unique<Secondaries>(loop, registry, keyring, machine_clock(), options);
    }

    // Runs the loop until it is so; false: it was not, for long.
    bool comes(const std::function<bool()>& is_so) {
        bool came = false;
        int looks = 0;
        io::Timer look(loop, [&] {
            came = is_so();
            if (came || ++looks > 5000) loop.stop();
        });
        look.repeat(2ms);
        loop.run();
        return came;
    }

    wire::Rcode notify(std::optional<std::uint32_t> serial, IpAddress from = here,
                       std::string_view zone = "example.org",
                       std::optional<wire::TsigSession> session = {}) {
        Octets octets = encode_soa_query(77, name(zone));
        octets[2] = 0x24;  // NOTIFY, AA
        if (serial) {
            wire::Query query;
            query.id = 77;
            query.opcode = wire::Opcode::Notify;
            query.question = {{name(zone), RrType::SOA, wire::RrClass::IN}};
            octets.assign(512, 0);
            wire::ReplyWriter writer(query, octets, octets.size());
            writer.add(wire::Section::Answer, name(zone), RrType::SOA, 300,
                       transfer::test::soa_of(*serial)->rdata(0));
            octets.resize(writer.finish(1232));
            octets[2] &= 0x7f;
        }
        const auto kept = std::make_shared<Kept>();
        secondaries->take_notify({octets, {from, 1234}, false, std::move(session), kept});
        REQUIRE(kept->messages.size() == 1);
        const auto reply = wire::decode_message(kept->messages[0]);
        REQUIRE(reply);
        CHECK(reply->id == 77);
        CHECK((reply->flags & 0xf800) == 0xa000);  // a response to a NOTIFY
        CHECK(reply->questions.size() == 1);
        return reply->rcode();
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a zone that is not here yet comes whole, without a question before") {
    Primary primary(loop, zone_of(5, 300));
    registry.follow({primary.peer()});
    begin();
    REQUIRE(comes([&] { return registry.transfers == 1; }));
    CHECK(registry.serial() == 5);
    CHECK(primary.asked == std::vector{RrType::AXFR});
    CHECK_FALSE(registry.within()->following.expired);
    bool are_equal = true;
    tree::for_each_change(*registry.within()->records, *primary.zone,
                          [&](const auto&, auto, auto, auto) { are_equal = false; });
    CHECK(are_equal);
}

TEST_CASE_FIXTURE(Fixture, "what was hosted here before there were primaries is not theirs") {
    Primary primary(loop, zone_of(5, 3));
    registry.follow({primary.peer()}, zone_of(8, 9));
    begin();
    REQUIRE(comes([&] { return registry.transfers == 1; }));
    CHECK(registry.serial() == 5);
    CHECK(primary.asked == std::vector{RrType::AXFR});
}

TEST_CASE_FIXTURE(Fixture, "a restart goes on with what is here, and asks") {
    Primary primary(loop, zone_of(5, 3));
    registry.follow({primary.peer()}, zone_of(5, 3), machine_clock().wall());
    SUBCASE("nothing new") {
        begin();
        REQUIRE(comes([&] { return registry.confirmations == 1; }));
        CHECK(registry.transfers == 0);
        CHECK(primary.asked == std::vector{RrType::SOA});
    }
    SUBCASE("the answer is cut: over TCP again") {
        primary.truncates = true;
        begin();
        REQUIRE(comes([&] { return registry.confirmations == 1; }));
        CHECK(primary.asked == std::vector{RrType::SOA, RrType::SOA});
    }
    SUBCASE("RFC 1995: a difference") {
        const ZonePointer before = primary.zone;
        primary.zone = zone_of(6, 4);
        primary.transfer = [&](const wire::Query& query) {
            return Primary::difference(query, *before, *primary.zone);
        };
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(registry.serial() == 6);
        CHECK(primary.asked == std::vector{RrType::SOA, RrType::IXFR});
        CHECK(registry.within()->records->find(name("host-3.example.org")) != nullptr);
    }
    SUBCASE("a primary that knows no IXFR, in one way or another") {
        primary.zone = zone_of(6, 4);
        primary.transfer = [&](const wire::Query& query) -> std::vector<Octets> {
            if (query.question->type == RrType::AXFR) return primary.whole(query);
            return {Primary::refusal(query, wire::Rcode::NotImp)};
        };
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(registry.serial() == 6);
        CHECK(primary.asked == std::vector{RrType::SOA, RrType::IXFR, RrType::AXFR});
    }
    SUBCASE("a difference of another zone than ours: the whole one") {
        primary.zone = zone_of(6, 4);
        primary.transfer = [&](const wire::Query& query) -> std::vector<Octets> {
            if (query.question->type == RrType::AXFR) return primary.whole(query);
            return Primary::difference(query, *zone_of(5, 9), *primary.zone);
        };
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(primary.asked == std::vector{RrType::SOA, RrType::IXFR, RrType::AXFR});
        CHECK(registry.within()->records->find(name("host-8.example.org")) == nullptr);
    }
}

TEST_CASE_FIXTURE(Fixture, "the next primary is asked where one fails") {
    Primary first(loop, zone_of(9, 3)), second(loop, zone_of(6, 3));
    registry.follow({first.peer(), second.peer()}, zone_of(5, 3), machine_clock().wall());
    SUBCASE("it refuses") { first.soa_rcode = wire::Rcode::Refused; }
    SUBCASE("it hangs up") {
        first.transfer = [](const wire::Query&) { return std::vector<Octets>(); };
    }
    SUBCASE("its serial is behind ours") { first.zone = zone_of(4, 3); }
    begin();
    REQUIRE(comes([&] { return registry.transfers == 1; }));
    CHECK(registry.serial() == 6);
}

TEST_CASE_FIXTURE(Fixture, "nobody is there: what is here stays") {
    SocketAddress nobody;
    {
        Primary gone(loop, zone_of(1, 1));
        nobody = gone.peer().address;
    }
    registry.follow({{nobody}}, zone_of(5, 3), machine_clock().wall());
    begin();
    const auto failed = [&] {
        for (const Metric& metric : secondaries->metrics()) {
            if (metric.name == "dnsd_secondary_refreshes_total") return metric.samples[1].value;
        }
        return 0.0;
    };
    REQUIRE(comes([&] { return failed() > 0; }));
    CHECK(registry.serial() == 5);
    CHECK_FALSE(registry.within()->following.expired);
}

TEST_CASE_FIXTURE(Fixture, "RFC 1034 §4.3.5: a zone that was not refreshed for so long expires") {
    SocketAddress nobody;
    {
        Primary gone(loop, zone_of(1, 1));
        nobody = gone.peer().address;
    }
    // Its SOA says a day.
    registry.follow({{nobody}}, zone_of(5, 3), machine_clock().wall() - 25h);
    begin();
    REQUIRE(comes([&] { return registry.within()->following.expired; }));
    CHECK(registry.serial() == 5);

    // A primary that comes back ends it, though nothing is new.
    Primary primary(loop, zone_of(5, 3));
    auto within = std::make_shared<registry::Namespace>(*registry.within());
    within->spec.primaries = {primary.peer()};
    registry.put(within);
    model::Event event;
    event.cause = "namespace_put";
    secondaries->news(
        {registry.state().load(), {std::make_shared<const model::Event>(event)}, {}, {}});
    REQUIRE(comes([&] { return !registry.within()->following.expired; }));
    CHECK(registry.transfers == 0);
}

TEST_CASE_FIXTURE(Fixture, "RFC 1996: a NOTIFY from a primary begins a refresh") {
    Primary primary(loop, zone_of(5, 3));
    registry.follow({primary.peer()}, zone_of(5, 3), machine_clock().wall());
    begin();
    REQUIRE(comes([&] { return registry.confirmations == 1; }));
    SUBCASE("a newer serial") {
        primary.zone = zone_of(6, 4);
        CHECK(notify(6) == wire::Rcode::NoError);
        REQUIRE(comes([&] { return registry.serial() == 6; }));
    }
    SUBCASE("no serial") {
        primary.zone = zone_of(6, 4);
        CHECK(notify(std::nullopt) == wire::Rcode::NoError);
        CHECK(notify(std::nullopt) == wire::Rcode::NoError);
        REQUIRE(comes([&] { return registry.serial() == 6; }));
    }
    SUBCASE("the serial that is here: nobody is asked") {
        const std::size_t asked = primary.asked.size();
        CHECK(notify(5) == wire::Rcode::NoError);
        primary.zone = zone_of(6, 4);
        CHECK(notify(6) == wire::Rcode::NoError);
        REQUIRE(comes([&] { return registry.serial() == 6; }));
        CHECK(primary.asked[asked] == RrType::SOA);
        CHECK(primary.asked[asked + 1] == RrType::IXFR);
    }
    SUBCASE("from elsewhere, or of another zone") {
        CHECK(notify(6, Ipv4{{192, 0, 2, 1}}) == wire::Rcode::Refused);
        CHECK(notify(6, here, "example.net") == wire::Rcode::NotAuth);
    }
}

TEST_CASE_FIXTURE(Fixture, "RFC 8945: a primary with a key is asked with it, and believed by it") {
    Primary primary(loop, zone_of(6, 300));
    primary.wants_key = true;
    SUBCASE("a whole zone") {
        registry.follow({primary.peer("xfr.example.org")});
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(registry.serial() == 6);
    }
    SUBCASE("a SOA, and then the zone") {
        registry.follow({primary.peer("xfr.example.org")}, zone_of(5, 3), machine_clock().wall());
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(primary.asked[0] == RrType::SOA);
    }
    SUBCASE("forged answers are passed over") {
        primary.is_forger = true;
        Primary honest(loop, zone_of(7, 3));
        registry.follow({primary.peer("xfr.example.org"), honest.peer()}, zone_of(5, 3),
                        machine_clock().wall());
        begin();
        REQUIRE(comes([&] { return registry.transfers == 1; }));
        CHECK(registry.serial() == 7);
    }
    SUBCASE("a key that is not here, and one that comes") {
        keyring.publish(std::make_shared<const wire::Keyring>());
        registry.follow({primary.peer("xfr.example.org")});
        begin();
        CHECK(primary.asked.empty());
        keyring.publish(std::make_shared<const wire::Keyring>(std::vector<wire::TsigKey>{key}));
        model::Event event;
        event.cause = "key_put";
        secondaries->news(
            {registry.state().load(), {std::make_shared<const model::Event>(event)}, {}, {}});
        REQUIRE(comes([&] { return registry.transfers == 1; }));
    }
}

TEST_CASE_FIXTURE(Fixture, "a refresh that is asked for fetches everything if it is to") {
    Primary primary(loop, zone_of(5, 3));
    registry.follow({primary.peer()}, zone_of(5, 3), machine_clock().wall());
    begin();
    REQUIRE(comes([&] { return registry.confirmations == 1; }));
    CHECK(secondaries->refresh_now("example.net"));
    CHECK(secondaries->refresh_now("example.org"));
    REQUIRE(comes([&] { return registry.confirmations == 2; }));
    CHECK(registry.transfers == 0);
    primary.zone = zone_of(3, 1);  // it has begun anew
    CHECK(secondaries->refresh_now("example.org", true));
    REQUIRE(comes([&] { return registry.transfers == 1; }));
    CHECK(registry.serial() == 3);
}
