#include "dnsd/transfer/update.h"

#include <doctest/doctest.h>

#include <functional>

#include "tests/support/names.h"
#include "zone/registry/registry.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::transfer;
using dnsd::test::name;
using registry::Prerequisite;
using registry::RecordEdit;
using wire::Rcode;
using wire::RrClass;
using wire::RrType;
using wire::Section;
using Octets = std::vector<std::uint8_t>;

namespace {

struct Rr {
    std::string_view owner;
    RrType type;
    RrClass rr_class = RrClass::IN;
    std::uint32_t ttl = 0;
    Octets rdata{};
};
const Octets address = {192, 0, 2, 1}, other_address = {192, 0, 2, 2};

Octets update(const std::vector<Rr>& prerequisites, const std::vector<Rr>& edits,
              wire::Question zone = {name("example.org"), RrType::SOA, RrClass::IN}) {
    wire::Query query;
    query.opcode = wire::Opcode::Update;
    query.question = zone;
    Octets octets(65'535);
    wire::ReplyWriter writer(query, octets, octets.size());
    const auto put = [&](Section section, const std::vector<Rr>& records) {
        for (const Rr& rr : records)
            REQUIRE(writer.add(section, name(rr.owner), rr.type, rr.ttl, rr.rdata, rr.rr_class));
    };
    put(Section::Answer, prerequisites);
    put(Section::Authority, edits);
    octets.resize(writer.finish(1232));
    octets[2] &= 0x7f;
    return octets;
}

Result<Update, UpdateRefusal> decoded(const std::vector<Rr>& prerequisites,
                                      const std::vector<Rr>& edits) {
    return decode_update(update(prerequisites, edits), name("example.org"));
}

}  // namespace

TEST_CASE("RFC 2136 §3.1.1: an update names one zone") {
    const auto good = decode_update_zone(update({}, {}));
    REQUIRE(good);
    CHECK(good->name == name("example.org"));
    const wire::Question no_soa{name("example.org"), RrType::A, RrClass::IN};
    CHECK(decode_update_zone(update({}, {}, no_soa)).error().rcode == Rcode::FormErr);
    Octets none = update({}, {});
    none.resize(12);
    none[5] = 0;
    CHECK(decode_update_zone(none).error().rcode == Rcode::FormErr);
    Octets two = update({}, {});
    const Octets question(two.begin() + 12, two.end());
    two.insert(two.end(), question.begin(), question.end());
    two[5] = 2;
    CHECK(decode_update_zone(two).error().rcode == Rcode::FormErr);
    Octets cut = update({}, {});
    cut.pop_back();
    CHECK(decode_update_zone(cut).error().rcode == Rcode::FormErr);
}

TEST_CASE("RFC 2136 §2.4: the forms of prerequisites") {
    const auto update = decoded({{"a.example.org", RrType::A, RrClass::IN, 0, address},
                                 {"b.example.org", RrType::TXT, RrClass::ANY},
                                 {"c.example.org", RrType::TXT, RrClass::NONE},
                                 {"d.example.org", RrType::ANY, RrClass::ANY},
                                 {"e.example.org", RrType::ANY, RrClass::NONE},
                                 {"A.example.org", RrType::A, RrClass::IN, 0, other_address}},
                                {});
    REQUIRE(update);
    using Kind = Prerequisite::Kind;
    const auto& found = update->prerequisites;
    REQUIRE(found.size() == 5);
    CHECK(found[0].kind == Kind::RRsetExists);
    CHECK(found[0].owner == name("b.example.org"));
    CHECK(found[0].type == RrType::TXT);
    CHECK(found[1].kind == Kind::RRsetAbsent);
    CHECK(found[1].type == RrType::TXT);
    CHECK(found[2].kind == Kind::NameInUse);
    CHECK(found[2].owner == name("d.example.org"));
    CHECK(found[3].kind == Kind::NameNotInUse);
    CHECK(found[3].owner == name("e.example.org"));
    // §3.2.3: those of one RRset are compared together, after the others.
    CHECK(found[4].kind == Kind::RRsetEquals);
    CHECK(found[4].owner == name("a.example.org"));
    CHECK(found[4].type == RrType::A);
    CHECK(found[4].records == registry::RdataList{address, other_address});
}

TEST_CASE("RFC 2136 §3.2.5: prerequisites that are refused") {
    struct Case {
        Rr prerequisite;
        Rcode rcode;
    };
    const std::vector<Case> cases = {
        {{"a.example.org", RrType::A, RrClass::ANY, 1}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::NONE, 1}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::IN, 1, address}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::ANY, 0, address}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::NONE, 0, address}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::IN}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::IN, 0, {1, 2, 3}}, Rcode::FormErr},
        {{"a.example.org", RrType::ANY, RrClass::IN, 0, address}, Rcode::FormErr},
        {{"a.example.org", RrType::AXFR, RrClass::ANY}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::CH, 0, address}, Rcode::FormErr},
        {{"a.example.net", RrType::A, RrClass::ANY}, Rcode::NotZone},
        {{"org", RrType::ANY, RrClass::ANY}, Rcode::NotZone},
    };
    for (const Case& each : cases) {
        CAPTURE(each.prerequisite.owner);
        CAPTURE(wire::print(each.prerequisite.type));
        CAPTURE(wire::print(each.prerequisite.rr_class));
        const auto update = decoded({each.prerequisite}, {});
        REQUIRE_FALSE(update);
        CHECK(update.error().rcode == each.rcode);
        CHECK_FALSE(update.error().text.empty());
    }
}

TEST_CASE("RFC 2136 §2.5: the forms of updates, in their order") {
    const auto update =
        decoded({}, {{"a.example.org", RrType::A, RrClass::IN, 60, address},
                     {"a.example.org", RrType::A, RrClass::ANY},
                     {"a.example.org", RrType::ANY, RrClass::ANY},
                     {"a.example.org", RrType::A, RrClass::NONE, 0, address},
                     {"a.example.org", RrType::A, RrClass::IN, 0x8000'0000, other_address}});
    REQUIRE(update);
    using Kind = RecordEdit::Kind;
    const auto& edits = update->edits;
    REQUIRE(edits.size() == 5);
    CHECK(edits[0].kind == Kind::Add);
    CHECK(edits[0].owner == name("a.example.org"));
    CHECK(edits[0].type == RrType::A);
    CHECK(edits[0].ttl == 60);
    CHECK(edits[0].records == registry::RdataList{address});
    CHECK(edits[1].kind == Kind::DeleteRRset);
    CHECK(edits[1].type == RrType::A);
    CHECK(edits[2].kind == Kind::DeleteName);
    CHECK(edits[3].kind == Kind::DeleteRecord);
    CHECK(edits[3].type == RrType::A);
    CHECK(edits[3].records == registry::RdataList{address});
    CHECK(edits[4].ttl == 0);  // RFC 2181 §8
}

TEST_CASE("RFC 2136 §3.4.1: updates that are refused") {
    struct Case {
        Rr edit;
        Rcode rcode;
    };
    const std::vector<Case> cases = {
        {{"a.example.org", RrType::ANY, RrClass::IN, 60, address}, Rcode::FormErr},
        {{"a.example.org", RrType::AXFR, RrClass::IN, 60, address}, Rcode::FormErr},
        {{"a.example.org", RrType::MAILA, RrClass::ANY}, Rcode::FormErr},
        {{"a.example.org", RrType::MAILB, RrClass::NONE}, Rcode::FormErr},
        {{"a.example.org", RrType::ANY, RrClass::NONE}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::ANY, 1}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::ANY, 0, address}, Rcode::FormErr},
        {{"a.example.org", RrType::ANY, RrClass::ANY, 0, address}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::NONE, 1, address}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::NONE}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::IN, 60, {1, 2, 3, 4, 5}}, Rcode::FormErr},
        {{"a.example.org", RrType::A, RrClass::HS, 60, address}, Rcode::FormErr},
        {{"a.example.net", RrType::A, RrClass::IN, 60, address}, Rcode::NotZone},
        {{"org", RrType::A, RrClass::ANY}, Rcode::NotZone},
    };
    for (const Case& each : cases) {
        CAPTURE(each.edit.owner);
        CAPTURE(wire::print(each.edit.type));
        CAPTURE(wire::print(each.edit.rr_class));
        const auto update =
            decoded({}, {{"b.example.org", RrType::A, RrClass::IN, 60, address}, each.edit});
        REQUIRE_FALSE(update);
        CHECK(update.error().rcode == each.rcode);
    }
}

TEST_CASE("names in the data of an update are made whole") {
    const wire::Name target = name("mail.example.org");
    Octets mx = {0, 10};
    mx.insert(mx.end(), target.octets().begin(), target.octets().end());
    const auto update = decoded({}, {{"example.org", RrType::MX, RrClass::IN, 60, mx}});
    REQUIRE(update);
    CHECK(update->edits[0].records == registry::RdataList{mx});
}

TEST_CASE("what stands in the additional section is passed over") {
    Octets octets = update({}, {{"a.example.org", RrType::A, RrClass::IN, 60, address}});
    const Octets opt = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    octets.insert(octets.end(), opt.begin(), opt.end());
    octets[11] = 1;
    const auto update = decode_update(octets, name("example.org"));
    REQUIRE(update);
    CHECK(update->edits.size() == 1);
}

namespace {

const wire::TsigKey key{name("upd.example.org"), wire::TsigAlgorithm::HmacSha256, Octets(32, 7)};
const wire::TsigKey other_key{name("other.example.org"), wire::TsigAlgorithm::HmacSha256,
                              Octets(32, 8)};

// Answers every change as the test says.
class AnsweringRegistry final : public registry::Registry {
  public:
    void submit(registry::Change change,
                std::move_only_function<void(registry::Outcome)> done) override {
        submitted.push_back(std::get<registry::ChangeRecords>(std::move(change.what)));
        if (holds_back) return waiting.push_back(std::move(done));
        done(outcome);
    }
    void attach(health::Checker*) override {}
    void transitions(std::vector<health::Transition>) override {}
    void on_published(std::function<void(const registry::Published&)>) override {}
    void set_followers(std::size_t) override {}
    std::string identity() const override { return "answering"; }
    const Snapshot<tree::ZoneSet>& zones() const noexcept override { return zones_; }
    const Snapshot<registry::State>& state() const noexcept override { return state_; }
    Result<> check_writable() override { return {}; }
    std::vector<Metric> metrics() const override { return {}; }

    void put(model::NamespaceSpec spec) {
        auto state = std::make_shared<registry::State>(*state_.load());
        auto within = std::make_shared<registry::Namespace>();
        within->spec = std::move(spec);
        state->namespaces.set(within->spec.name, within);
        state_.publish(std::move(state));
    }

    std::vector<registry::ChangeRecords> submitted;
    registry::Outcome outcome = registry::Applied{};
    bool holds_back = false;
    std::vector<std::move_only_function<void(registry::Outcome)>> waiting;

  private:
    Snapshot<tree::ZoneSet> zones_{std::make_shared<const tree::ZoneSet>()};
    Snapshot<registry::State> state_{std::make_shared<const registry::State>()};
};

struct Kept final : Answerer {
    std::vector<Octets> messages;
    void send(Octets message, bool is_last, std::function<void(bool)>) override {
        CHECK(is_last);
        messages.push_back(std::move(message));
    }
};

struct Fixture {
    io::Loop loop;
    AnsweringRegistry registry;
    std::unique_ptr<Updates> updates =
        std::make_unique<Updates>(loop, registry, machine_clock(), Updates::Options{2});
    std::shared_ptr<Kept> kept = std::make_shared<Kept>();

    Fixture() {
        model::NamespaceSpec hosted, followed;
        hosted.name = "example.org";
        hosted.updaters = {"upd.example.org"};
        registry.put(hosted);
        followed.name = "followed.example.net";
        followed.primaries = {{*SocketAddress::parse("192.0.2.1:53")}};
        registry.put(followed);
    }

    // Signed as a client does; `client` believes the reply.
    std::optional<wire::TsigSession> client;
    void send(Octets octets, const wire::TsigKey* with = &key) {
        std::optional<wire::TsigSession> session;
        if (with != nullptr) {
            const WallTime now = machine_clock().wall();
            client = wire::TsigSession::sign_request(octets, *with, now);
            auto believed = wire::TsigSession::verify_request(octets, wire::Keyring({*with}), now);
            REQUIRE(believed);
            session = *std::move(believed);
        }
        updates->take(
            {std::move(octets), {Ipv4{{127, 0, 0, 1}}, 1234}, true, std::move(session), kept});
    }
    void send(std::string_view zone, const wire::TsigKey* with = &key) {
        send(update({}, {{"a.example.org", RrType::A, RrClass::IN, 60, address}},
                    {name(zone), RrType::SOA, RrClass::IN}),
             with);
    }

    // The reply, which may be there already; it is signed if the request was.
    wire::Rcode rcode() {
        io::Timer look(loop, [&] { loop.stop(); });
        for (int i = 0; i < 1000 && kept->messages.empty(); ++i) {
            look.start(Milliseconds(1));
            loop.run();
        }
        REQUIRE(kept->messages.size() == 1);
        Octets message = std::exchange(kept->messages, {}).front();
        if (client) {
            CHECK(client->verify_reply(message, machine_clock().wall()));
            CHECK(client->ends_signed());
        }
        client.reset();
        const auto reply = wire::decode_message(message);
        REQUIRE(reply);
        CHECK((reply->flags & 0xf800) == 0xa800);  // a response to an UPDATE
        CHECK(reply->questions.size() == 1);       // RFC 2136 §3.8
        return reply->rcode();
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "an update with a key of the zone's reaches the registry, as one change") {
    send(update({{"a.example.org", RrType::ANY, RrClass::NONE}},
                {{"a.example.org", RrType::A, RrClass::IN, 60, address},
                 {"b.example.org", RrType::A, RrClass::ANY}},
                {name("Example.ORG"), RrType::SOA, RrClass::IN}));
    CHECK(rcode() == Rcode::NoError);
    REQUIRE(registry.submitted.size() == 1);
    CHECK(registry.submitted[0].namespace_name == "example.org");
    CHECK(registry.submitted[0].prerequisites.size() == 1);
    CHECK(registry.submitted[0].edits.size() == 2);
    CHECK(registry.submitted[0].is_update);
}

TEST_CASE_FIXTURE(Fixture, "updates that the registry does not see") {
    SUBCASE("BEHAVIOUR §7: without a key") {
        send("example.org", nullptr);
        CHECK(rcode() == Rcode::Refused);
    }
    SUBCASE("with another key") {
        send("example.org", &other_key);
        CHECK(rcode() == Rcode::Refused);
    }
    SUBCASE("of no zone of ours, nor of a name inside one") {
        for (const char* zone : {"example.net", "a.example.org", "org", "."}) {
            send(zone);
            CHECK(rcode() == Rcode::NotAuth);
        }
    }
    SUBCASE("of a zone that we follow") {
        send("followed.example.net");
        CHECK(rcode() == Rcode::NotImp);
    }
    SUBCASE("of another class") {
        send(update({}, {}, {name("example.org"), RrType::SOA, RrClass::CH}));
        CHECK(rcode() == Rcode::NotAuth);
    }
    SUBCASE("malformed, but only whoever may update is told") {
        const Octets octets = update({}, {{"a.example.org", RrType::AXFR, RrClass::ANY}});
        send(octets);
        CHECK(rcode() == Rcode::FormErr);
        send(octets, nullptr);
        CHECK(rcode() == Rcode::Refused);
    }
    CHECK(registry.submitted.empty());
}

TEST_CASE_FIXTURE(Fixture, "what the registry refuses has its rcode") {
    using Kind = registry::Refusal::Kind;
    struct Case {
        Kind kind;
        std::optional<Rcode> rcode;
        Rcode answered;
    };
    for (const Case& each :
         {Case{Kind::PreconditionFailed, Rcode::YxDomain, Rcode::YxDomain},
          Case{Kind::Unprocessable, Rcode::NxRrset, Rcode::NxRrset},
          Case{Kind::NotFound, {}, Rcode::NotAuth}, Case{Kind::Conflict, {}, Rcode::Refused},
          Case{Kind::Unprocessable, {}, Rcode::Refused},
          Case{Kind::Unavailable, {}, Rcode::ServFail}}) {
        registry.outcome = std::unexpected(registry::Refusal{each.kind, "because", {}, each.rcode});
        send("example.org");
        CHECK(rcode() == each.answered);
    }
}

TEST_CASE_FIXTURE(Fixture, "the reason is told to clients with EDNS (RFC 8914)") {
    Octets octets = update({}, {{"a.example.org", RrType::A, RrClass::IN, 60, address}});
    const Octets opt = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    octets.insert(octets.end(), opt.begin(), opt.end());
    octets[11] = 1;
    send(octets, nullptr);
    REQUIRE(kept->messages.size() == 1);
    const std::string reply(kept->messages[0].begin(), kept->messages[0].end());
    CHECK(reply.find("updates of this zone want a TSIG key") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "so many updates wait, others are told to come again") {
    registry.holds_back = true;
    send("example.org");
    send("example.org");
    CHECK(kept->messages.empty());
    send("example.org");
    CHECK(rcode() == Rcode::ServFail);
    // What the registry answers when nobody is there any more goes nowhere.
    updates.reset();
    for (auto& done : registry.waiting) done(registry::Applied{});
    CHECK(kept->messages.empty());
}
