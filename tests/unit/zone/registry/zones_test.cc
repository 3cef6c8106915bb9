#include <doctest/doctest.h>
#include <fmt/format.h>

#include <future>
#include <map>
#include <set>

#include "base/random.h"
#include "tests/support/names.h"
#include "tests/support/services.h"
#include "tests/unit/zone/store/rows.h"
#include "zone/registry/hosted.h"
#include "zone/registry/registry.h"
#include "zone/tree/difference.h"
#include "zone/tree/master_file.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::registry;
using test::name;
using wire::Rcode;
using wire::RrType;

namespace {

const std::string apex = "example.org";

std::shared_ptr<const tree::Zone> zone_of(std::string_view text, std::string_view origin = apex) {
    const auto file = tree::parse_master_file(text, name(origin));
    for (const auto& problem : file.errors) FAIL(problem.what);
    return file.zone;
}

std::string zone_text(std::uint32_t serial, std::string_view records) {
    return fmt::format(
        "@ 300 IN SOA ns1 hostmaster {} 3600 600 86400 60\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n{}",
        serial, records);
}

RdataList rdata(RrType type, std::string_view text) {
    const auto octets = wire::parse_rdata(type, text, name(apex));
    REQUIRE(octets);
    return {*octets};
}

RecordEdit set(std::string_view owner, RrType type, std::string_view text) {
    return {RecordEdit::Kind::Set, name(owner), type, 300, rdata(type, text)};
}
RecordEdit add(std::string_view owner, RrType type, std::string_view text) {
    return {RecordEdit::Kind::Add, name(owner), type, 300, rdata(type, text)};
}

// A registry over a real store.
struct Running {
    store::Folder folder;
    Registry::Options options;
    std::unique_ptr<Registry> registry;

    Running() {
        options.dns_addresses = {*parse_ip("192.0.2.1")};
        options.api_addresses = {*parse_ip("192.0.2.2")};
        start();
    }
    void start() {
        registry.reset();
        auto opened = Registry::open(options, store::must_open(folder.file()), machine_clock());
        REQUIRE(opened);
        registry = std::move(*opened);
    }
    template <class What>
    Outcome step(What what) {
        std::promise<Outcome> promise;
        registry->submit(Change{.what = std::move(what), .if_match = {}},
                         [&](Outcome outcome) { promise.set_value(std::move(outcome)); });
        return promise.get_future().get();
    }
    Outcome import(std::string_view text, std::string_view origin = apex) {
        return step(ImportZone{{.name = std::string(origin)}, zone_of(text, origin)});
    }
    Outcome change(std::vector<RecordEdit> edits, std::vector<Prerequisite> prerequisites = {},
                   bool is_update = false) {
        return step(ChangeRecords{apex, std::move(prerequisites), std::move(edits), is_update});
    }
    Outcome put_service(const std::string& service, std::string within = apex) {
        model::ServiceSpec spec;
        spec.namespace_name = std::move(within);
        spec.name = service;
        return step(PutService{spec});
    }
    std::shared_ptr<const tree::Zone> served(std::string_view origin = apex) {
        return registry->zones().load()->find_apex(name(origin));
    }
    std::uint32_t serial(const std::string& within = apex) {
        return registry->state().load()->find_namespace(within)->serial;
    }
    const tree::RRset* find(std::string_view owner, RrType type, std::string_view origin = apex) {
        held = served(origin);
        const tree::Node* node = held ? held->find(name(owner)) : nullptr;
        return node ? node->find(type) : nullptr;
    }
    std::shared_ptr<const tree::Zone> held;
};

// What an AXFR holds but for the SOA, as text.
std::multiset<std::string> transferred(const tree::Zone& zone) {
    std::multiset<std::string> lines;
    zone.for_each([&](const tree::Node& node) {
        for (const auto& rrset : node.rrsets()) {
            for (std::size_t i = 0; i < rrset->size(); ++i) {
                if (rrset->type() == RrType::SOA || !rrset->is_transferred(i)) continue;
                lines.insert(fmt::format("{} {} {} {}", node.owner().lower_cased().print(),
                                         rrset->ttl(), wire::print(rrset->type()),
                                         wire::print_rdata(rrset->type(), rrset->rdata(i))));
            }
        }
    });
    return lines;
}

std::string line_of(const tree::ZoneRecord& record) {
    return fmt::format("{} {} {} {}", record.owner.lower_cased().print(), record.ttl,
                       wire::print(record.type), wire::print_rdata(record.type, record.rdata));
}

}  // namespace

TEST_CASE("an import is served, durable, and moves the serial forward (RFC 1982)") {
    Running running;
    const auto made = running.import(zone_text(7, "www 300 A 192.0.2.10\n"));
    REQUIRE(made);
    CHECK(made->created);
    CHECK(running.serial() == 7);
    CHECK(running.find("www.example.org", RrType::A));
    CHECK(running.registry->state().load()->find_namespace(apex)->spec.negative_ttl == 60);
    SUBCASE("the same again changes nothing") {
        const auto again = running.import(zone_text(7, "www 300 A 192.0.2.10\n"));
        REQUIRE(again);
        CHECK_FALSE(again->changed);
        CHECK(running.serial() == 7);
    }
    SUBCASE("an older serial does not take it back") {
        REQUIRE(running.import(zone_text(3, "www 300 A 192.0.2.11\n")));
        CHECK(running.serial() == 8);
    }
    SUBCASE("a newer serial is taken, even if nothing else is new") {
        REQUIRE(running.import(zone_text(2'000'000'000, "www 300 A 192.0.2.10\n")));
        CHECK(running.serial() == 2'000'000'000);
        CHECK(soa_of(*running.served()->soa()).serial == 2'000'000'000);
    }
    SUBCASE("a restart serves the same") {
        const auto before = running.served();
        running.start();
        CHECK(transferred(*running.served()) == transferred(*before));
        CHECK(soa_of(*running.served()->soa()).serial == 7);
    }
    SUBCASE("what is not in the file is gone") {
        REQUIRE(running.import(zone_text(8, "")));
        CHECK_FALSE(running.find("www.example.org", RrType::A));
    }
}

TEST_CASE("a zone without SOA and NS of its own reads back what is made up for it") {
    Running running;
    REQUIRE(running.step(PutNamespace{{.name = apex}}));
    REQUIRE(running.put_service("web"));
    REQUIRE(running.change({set("txt.example.org", RrType::TXT, "\"hello\"")}));
    const auto state = running.registry->state().load();
    const auto plain = plain_zone(*state->find_namespace(apex), *running.served());
    std::string text;
    tree::print_master_file(*plain, [&](std::string_view piece) { text += piece; });
    const std::uint32_t serial = running.serial();
    const auto again = running.import(text);
    REQUIRE(again);
    CHECK_FALSE(again->changed);
    CHECK(running.serial() == serial);
    CHECK_FALSE(has_own_apex(*running.registry->state().load()->find_namespace(apex)));
    CHECK(running.find("api.example.org", RrType::A));
}

TEST_CASE("a zone with a SOA of its own holds nothing that is made up") {
    Running running;
    REQUIRE(running.import(zone_text(1, "")));
    for (const char* owner : {"api.example.org", "data-api.example.org", "ns.dns.example.org"})
        CHECK_FALSE(running.find(owner, RrType::A));
    REQUIRE(running.put_service("web"));
    CHECK_FALSE(running.find("api.example.org", RrType::A));
}

TEST_CASE("services and plain records have names of their own") {
    Running running;
    REQUIRE(running.import(
        zone_text(1, "www 300 A 192.0.2.10\ncut 300 NS ns1\nd 300 DNAME elsewhere.example.\n")));
    for (const char* taken : {"www", "cut", "a.cut", "x.d"}) {
        const auto outcome = running.put_service(taken);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == Refusal::Kind::Conflict);
    }
    REQUIRE(running.put_service("web"));
    REQUIRE(running.step(PutInstance{apex, "web", test::spec("i-1")}));
    for (const char* owned : {"web.example.org", "_web._tcp.example.org", "i-1.web.example.org"}) {
        const auto outcome = running.change({set(owned, RrType::TXT, "\"mine\"")});
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == Refusal::Kind::Conflict);
        CHECK(outcome.error().rcode == Rcode::Refused);
        CHECK(outcome.error().detail.contains("service web"));
    }
    CHECK_FALSE(running.change({set("web.example.org", RrType::NS, "ns1.example.org.")}));
    const auto over = running.import(zone_text(9, "web 300 A 192.0.2.11\n"));
    REQUIRE_FALSE(over);
    CHECK(over.error().kind == Refusal::Kind::Conflict);
    CHECK(running.find("web.example.org", RrType::A)->rdata(0)[3] == 1);
    CHECK(running.find("www.example.org", RrType::A));
}

TEST_CASE("RFC 2136 §3.2: prerequisites, of names that services own too") {
    using Kind = Prerequisite::Kind;
    Running running;
    REQUIRE(running.import(zone_text(1, "www 300 A 192.0.2.10\n")));
    REQUIRE(running.put_service("web"));
    REQUIRE(running.step(PutInstance{apex, "web", test::spec("i-1")}));
    const struct {
        Prerequisite wanted;
        Rcode rcode;
    } rows[] = {
        {{Kind::RRsetExists, name("www.example.org"), RrType::A, {}}, Rcode::NoError},
        {{Kind::RRsetExists, name("www.example.org"), RrType::AAAA, {}}, Rcode::NxRrset},
        {{Kind::RRsetExists, name("web.example.org"), RrType::A, {}}, Rcode::NoError},
        {{Kind::RRsetEquals, name("www.example.org"), RrType::A, rdata(RrType::A, "192.0.2.10")},
         Rcode::NoError},
        {{Kind::RRsetEquals, name("www.example.org"), RrType::A, rdata(RrType::A, "192.0.2.11")},
         Rcode::NxRrset},
        {{Kind::RRsetAbsent, name("www.example.org"), RrType::A, {}}, Rcode::YxRrset},
        {{Kind::RRsetAbsent, name("new.example.org"), RrType::A, {}}, Rcode::NoError},
        {{Kind::NameInUse, name("www.example.org"), {}, {}}, Rcode::NoError},
        {{Kind::NameInUse, name("new.example.org"), {}, {}}, Rcode::NxDomain},
        {{Kind::NameNotInUse, name("i-1.web.example.org"), {}, {}}, Rcode::YxDomain},
        {{Kind::NameNotInUse, name("new.example.org"), {}, {}}, Rcode::NoError},
        {{Kind::NameInUse, name("www.example.net"), {}, {}}, Rcode::NotZone},
    };
    for (const auto& row : rows) {
        const std::uint32_t serial = running.serial();
        const auto outcome =
            running.change({set("made.example.org", RrType::TXT, fmt::format("\"{}\"", serial))},
                           {row.wanted}, true);
        CHECK((outcome ? Rcode::NoError : *outcome.error().rcode) == row.rcode);
        CHECK(running.serial() == serial + (outcome ? 1 : 0));
    }
}

TEST_CASE(
    "RFC 2136 §3.4.2: what makes no sense is passed over in an update, and refused elsewhere") {
    Running running;
    REQUIRE(running.import(zone_text(1, "www 300 A 192.0.2.10\nalias 300 CNAME www\n")));
    const std::vector<RecordEdit> rows[] = {
        {add("www.example.org", RrType::CNAME, "alias.example.org.")},
        {add("alias.example.org", RrType::A, "192.0.2.1")},
        {{RecordEdit::Kind::DeleteRRset, name(apex), RrType::SOA}},
        {{RecordEdit::Kind::DeleteRRset, name(apex), RrType::NS}},
        {{RecordEdit::Kind::DeleteRecord, name(apex), RrType::NS, 0,
          rdata(RrType::NS, "ns1.example.org.")}},
        {add("www.example.org", RrType::SOA, "ns1 h 9 1 1 1 1")},
    };
    for (const auto& edits : rows) {
        const auto update = running.change(edits, {}, true);
        REQUIRE(update);
        CHECK_FALSE(update->changed);
        CHECK_FALSE(running.change(edits));
        CHECK(running.serial() == 1);
    }
    SUBCASE("a SOA that is not newer is passed over, a newer one is taken") {
        REQUIRE(running.change({add(apex, RrType::SOA, "ns1 h 1 1 1 1 1")}, {}, true));
        CHECK(running.serial() == 1);
        REQUIRE(running.change({add(apex, RrType::SOA, "ns1 h 77 1 1 1 1")}, {}, true));
        CHECK(running.serial() == 77);
    }
    SUBCASE("all or nothing") {
        CHECK_FALSE(running.change({set("a.example.org", RrType::A, "192.0.2.1"),
                                    set("a.example.net", RrType::A, "192.0.2.1")}));
        CHECK_FALSE(running.find("a.example.org", RrType::A));
    }
    SUBCASE("deleting a name at the apex leaves its SOA and NS") {
        REQUIRE(running.change({set(apex, RrType::TXT, "\"x\"")}));
        REQUIRE(running.change({{RecordEdit::Kind::DeleteName, name(apex)}}, {}, true));
        CHECK_FALSE(running.find(apex, RrType::TXT));
        CHECK(running.find(apex, RrType::SOA));
        CHECK(running.find(apex, RrType::NS));
    }
}

TEST_CASE(
    "a secondary answers nothing until its first transfer, and nothing after it has expired") {
    Running running;
    const auto peer = model::parse_peer("192.0.2.9");
    model::NamespaceSpec spec{.name = apex};
    spec.primaries = {*peer};
    REQUIRE(running.step(PutNamespace{spec}));
    REQUIRE(running.served());
    CHECK_FALSE(running.served()->soa());
    CHECK_FALSE(running.put_service("web"));
    CHECK_FALSE(running.change({set("a.example.org", RrType::A, "192.0.2.1")}));
    CHECK_FALSE(running.import(zone_text(1, "")));

    const WallTime noon = test::noon;
    REQUIRE(running.step(TakeTransfer{apex, zone_of(zone_text(41, "www 60 A 192.0.2.1\n")), noon}));
    CHECK(running.serial() == 41);
    CHECK(running.find("www.example.org", RrType::A));
    CHECK_FALSE(running.find("api.example.org", RrType::A));
    REQUIRE(running.step(SetFreshness{apex, {noon, true}}));
    CHECK_FALSE(running.served()->soa());
    running.start();
    CHECK_FALSE(running.served()->soa());
    REQUIRE(running.step(SetFreshness{apex, {noon + std::chrono::hours(1), false}}));
    CHECK(running.find("www.example.org", RrType::A));
    CHECK(running.serial() == 41);
    SUBCASE("as a primary it goes on with what it holds") {
        spec.primaries.clear();
        spec.negative_ttl = 60;
        REQUIRE(running.step(PutNamespace{spec}));
        CHECK(running.find("www.example.org", RrType::A));
        CHECK(running.serial() == 41);
        REQUIRE(running.change({set("a.example.org", RrType::A, "192.0.2.1")}));
        CHECK(running.serial() == 42);
    }
    SUBCASE("a primary with services does not become one") {
        REQUIRE(running.step(PutNamespace{{.name = "example.net"}}));
        REQUIRE(running.put_service("web", "example.net"));
        spec.name = "example.net";
        const auto outcome = running.step(PutNamespace{spec});
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().kind == Refusal::Kind::Conflict);
    }
}

TEST_CASE("instances have PTR records where their namespace asks and a reverse zone is hosted") {
    Running running;
    model::NamespaceSpec spec{.name = apex, .reverse = true};
    const std::string reverse = "2.0.192.in-addr.arpa";
    const auto pointers = [&](int octet) {
        const auto* rrset =
            running.find(fmt::format("{}.{}", octet, reverse), RrType::PTR, reverse);
        return rrset ? rrset->size() : 0;
    };
    REQUIRE(running.step(PutNamespace{spec}));
    REQUIRE(running.put_service("web"));
    REQUIRE(running.put_service("shop"));
    REQUIRE(running.step(PutInstance{apex, "web", test::spec("i-1", 7)}));
    REQUIRE(running.step(PutNamespace{{.name = reverse}}));
    CHECK(pointers(7) == 1);
    const std::uint32_t serial = running.serial(reverse);
    REQUIRE(running.step(PutInstance{apex, "shop", test::spec("s-1", 7)}));
    CHECK(pointers(7) == 2);
    CHECK(running.serial(reverse) == serial + 1);
    REQUIRE(running.step(PutInstance{apex, "shop", test::spec("s-1", 8)}));
    CHECK(pointers(7) == 1);
    CHECK(pointers(8) == 1);
    SUBCASE("a user's own record stays, and ours comes back after it") {
        const std::string owner = "7." + reverse;
        REQUIRE(running.step(ChangeRecords{reverse,
                                           {},
                                           {{RecordEdit::Kind::Set, name(owner), RrType::PTR, 60,
                                             rdata(RrType::PTR, "a.example.net.")}}}));
        CHECK(running.find(owner, RrType::PTR, reverse)->ttl() == 60);
        REQUIRE(running.step(PutInstance{apex, "shop", test::spec("s-2", 7)}));
        CHECK(pointers(7) == 1);
        REQUIRE(running.step(ChangeRecords{
            reverse, {}, {{RecordEdit::Kind::DeleteRRset, name(owner), RrType::PTR}}}));
        CHECK(pointers(7) == 2);
    }
    SUBCASE("a restart answers the same") {
        running.start();
        CHECK(pointers(7) == 1);
        CHECK(pointers(8) == 1);
    }
    SUBCASE("a namespace that no longer asks takes them away") {
        spec.reverse = false;
        REQUIRE(running.step(PutNamespace{spec}));
        CHECK(pointers(7) == 0);
        CHECK(pointers(8) == 0);
    }
}

TEST_CASE("options that change what a zone holds move its serial at the start") {
    Running running;
    REQUIRE(running.step(PutNamespace{{.name = apex}}));
    const std::uint32_t serial = running.serial();
    running.start();
    CHECK(running.serial() == serial);
    running.options.api_addresses = {*parse_ip("192.0.2.77")};
    running.start();
    CHECK(running.serial() == serial + 1);
    CHECK(soa_of(*running.served()->soa()).serial == serial + 1);
    running.start();
    CHECK(running.serial() == serial + 1);
}

TEST_CASE("a key that a zone names stays; secrets come back from the store") {
    Running running;
    const wire::TsigKey key{name("xfr.example.org"), wire::TsigAlgorithm::HmacSha512, {1, 0, 2}};
    REQUIRE(running.step(PutKey{key}));
    model::NamespaceSpec spec{.name = apex};
    spec.updaters = {"xfr.example.org"};
    REQUIRE(running.step(PutNamespace{spec}));
    running.start();
    CHECK((*running.registry->state().load()->keys.find("xfr.example.org"))->tsig == key);
    CHECK_FALSE(running.step(DeleteKey{"xfr.example.org"}));
    spec.updaters.clear();
    REQUIRE(running.step(PutNamespace{spec}));
    REQUIRE(running.step(DeleteKey{"xfr.example.org"}));
    CHECK(running.registry->state().load()->keys.empty());
}

TEST_CASE(
    "whatever happens, the serial moves exactly when a transfer would hold something else, and the "
    "differences lead from any serial to what is served") {
    Running running;
    Random random(11);
    REQUIRE(
        running.import(zone_text(4'294'967'290u, "www 300 A 192.0.2.10\n")));  // and over the end
    for (const char* service : {"a", "b"}) {
        model::ServiceSpec spec;
        spec.namespace_name = apex;
        spec.name = service;
        spec.routing_policy = model::RoutingPolicy::Weighted;
        spec.check.type = model::CheckType::Custom;
        REQUIRE(running.step(PutService{spec}));
    }
    auto history = store::HistoryReader::open(running.folder.file());
    REQUIRE(history);
    std::map<std::uint32_t, std::multiset<std::string>> held;  // by serial
    auto before = running.served();
    for (int step = 0; step < 300; ++step) {
        const std::string id = fmt::format("i-{}", draw_below(random, 4));
        const std::string service = draw_below(random, 2) == 0 ? "a" : "b";
        const std::string owner = fmt::format("r{}.example.org", draw_below(random, 5));
        switch (draw_below(random, 7)) {
            case 0:
            case 1: {
                model::InstanceSpec spec =
                    test::spec(id, static_cast<std::uint8_t>(draw_below(random, 9)));
                spec.weight = static_cast<std::uint16_t>(draw_below(random, 3));
                running.step(PutInstance{apex, service, spec});
                break;
            }
            case 2:
                running.step(DeleteInstance{apex, service, id});
                break;
            case 3:
                running.step(SetHealth{apex, service, id,
                                       draw_below(random, 2) == 0
                                           ? model::HealthStatus::Healthy
                                           : model::HealthStatus::Unhealthy});
                break;
            case 4:
                running.change(
                    {set(owner, RrType::A, fmt::format("192.0.2.{}", draw_below(random, 3)))});
                break;
            case 5:
                running.change({{RecordEdit::Kind::DeleteName, name(owner)}}, {}, true);
                break;
            case 6:
                running.step(PutNamespace{
                    {.name = apex, .ttl = 5 + draw_below(random, 2), .negative_ttl = 60}});
                break;
        }
        const auto after = running.served();
        const std::uint32_t was = soa_of(*before->soa()).serial, is = soa_of(*after->soa()).serial;
        REQUIRE((was != is) == tree::transfer_difference(*before, *after).has_value());
        REQUIRE((was == is || is == was + 1));
        const auto state = running.registry->state().load();
        REQUIRE(state->find_namespace(apex)->content == tree::content_sum(*after));
        REQUIRE(state->find_namespace(apex)->serial == is);
        held[was] = transferred(*before);
        held[is] = transferred(*after);
        before = after;
        if (step % 60 == 59) {
            running.start();
            REQUIRE(transferred(*running.served()) == transferred(*after));
            REQUIRE(running.serial() == is);
            before = running.served();
        }
    }
    const std::uint32_t last = running.serial();
    for (const auto& [serial, lines] : held) {
        const auto rows = (*history)->after(apex, serial);
        REQUIRE(rows);
        REQUIRE(rows->empty() == (serial == last));
        auto now = lines;
        for (const auto& row : *rows) {
            const auto removed = tree::decode_records(row.removed);
            const auto added = tree::decode_records(row.added);
            REQUIRE(removed);
            REQUIRE(added);
            for (const auto& record : *removed) {
                if (record.type != RrType::SOA) REQUIRE(now.extract(line_of(record)));
            }
            for (const auto& record : *added) {
                if (record.type != RrType::SOA) now.insert(line_of(record));
            }
        }
        CHECK(now == held[last]);
    }
}
