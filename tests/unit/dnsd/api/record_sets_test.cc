#include "dnsd/api/record_sets.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::api;
using wire::Name;
using wire::RrType;

namespace {

const Name apex = *Name::parse("example.org");
constexpr std::uint32_t default_ttl = 5;

std::shared_ptr<const tree::RRset> rrset(RrType type, std::vector<std::string> texts) {
    std::vector<tree::Rdata> records;
    for (const std::string& text : texts) records.push_back({*wire::parse_rdata(type, text, apex)});
    return std::make_shared<const tree::RRset>(type, 60, std::move(records));
}

std::shared_ptr<const tree::Zone> zone_of(
    const std::vector<std::pair<std::string, std::shared_ptr<const tree::RRset>>>& rrsets) {
    tree::ZoneEdit edit(tree::Zone::make(apex));
    for (const auto& [name, one] : rrsets) edit.set(*parse_owner(name, apex), one);
    return edit.finish();
}

// The pointers of all errors, or the status alone.
template <class Value>
std::string refused(const Result<Value, Problem>& read) {
    if (read) return "";
    std::string text = std::to_string(read.error().status);
    for (const model::FieldError& error : read.error().errors) text += ' ' + error.pointer;
    return text;
}

std::string decoded(std::string_view body) {
    return refused(decode_record_set(body, *Name::parse("www.example.org"), RrType::A, apex, 5));
}

// What comes of a batch: the pointer of what is to blame, or the edits.
std::string planned(const std::string& changes, const tree::Zone& zone,
                    const registry::Namespace& within = {}) {
    const auto decoded_changes =
        decode_record_set_changes(R"({"changes":[)" + changes + "]}", apex, default_ttl);
    if (!decoded_changes) return refused(decoded_changes);
    const auto made = plan(*decoded_changes, within, zone);
    if (!made) return refused(made);
    return fmt::format("{} edits, {} prerequisites", made->edits.size(),
                       made->prerequisites.size());
}

RecordSetQuery query(std::size_t limit, std::string after = "") {
    RecordSetQuery asked;
    asked.listing.limit = limit;
    asked.listing.after = std::move(after);
    return asked;
}

}  // namespace

TEST_CASE("zones are named in paths as they are, with escapes, or as @") {
    for (const auto& [asked, name] :
         std::vector<std::pair<std::string, std::string>>{{"@", "."},
                                                          {".", "."},
                                                          {"Example.ORG", "example.org"},
                                                          {"example.org.", "example.org"},
                                                          {"a b.org", "a\\032b.org"},
                                                          {"a\\032b.org", "a\\032b.org"},
                                                          {"\xc3\xbc", "\\195\\188"},
                                                          {"*.org", "*.org"},
                                                          {"A..b", "a..b"}}) {
        CAPTURE(asked);
        CHECK(zone_name(asked) == name);
    }
}

TEST_CASE("names are relative to the zone unless they end in a dot, and @ is the apex") {
    CHECK(*parse_owner("www", apex) == *Name::parse("www.example.org"));
    CHECK(*parse_owner("www.example.org", apex) == *Name::parse("www.example.org.example.org"));
    CHECK(*parse_owner("www.example.org.", apex) == *Name::parse("www.example.org"));
    CHECK(*parse_owner("@", apex) == apex);
    CHECK(*parse_owner("@", Name()) == Name());
    CHECK(*parse_owner("www", Name()) == *Name::parse("www"));
    CHECK_FALSE(parse_owner("www.example.net.", apex));
    CHECK_FALSE(parse_owner("org.", apex));
    CHECK_FALSE(parse_owner("", apex));
    CHECK_FALSE(parse_owner("a..b", apex));
    for (const char* name :
         {"@", "www", "a.b.c", "*", "*.x", "a\\.b", "\\@", "sp\\032ace", "\\255"}) {
        CAPTURE(name);
        CHECK(print_owner(*parse_owner(name, apex), apex) == name);
        CHECK(print_owner(*parse_owner(name, Name()), Name()) == name);
    }
}

TEST_CASE("types of queries are none of records") {
    CHECK(*parse_record_set_type("mx") == RrType::MX);
    CHECK(*parse_record_set_type("TYPE65280") == RrType(65280));
    for (const char* type : {"ANY", "AXFR", "OPT", "TSIG", "nonsense", ""})
        CHECK_FALSE(parse_record_set_type(type));
}

TEST_CASE("a record set is read field by field, and its path may be told again") {
    CHECK(decoded(R"({"records": ["192.0.2.1"]})").empty());
    CHECK(decoded(R"({"name": "WWW", "type": "a", "ttl": 0, "records": ["192.0.2.1"]})").empty());
    CHECK(decoded(R"({"name": "www.example.org.", "records": ["192.0.2.1"]})").empty());
    CHECK(decoded("{}") == "422 /records");
    CHECK(decoded(R"({"records": null})") == "422 /records");
    CHECK(decoded(R"({"records": []})") == "422 /records");
    CHECK(decoded(R"({"records": "192.0.2.1"})") == "422 /records");
    CHECK(decoded(R"({"records": ["192.0.2.1", 5, "2001:db8::1"]})") ==
          "422 /records/1 /records/2");
    CHECK(decoded(R"({"records": ["192.0.2.1"], "ttl": 2147483648})") == "422 /ttl");
    CHECK(decoded(R"({"records": ["192.0.2.1"], "name": "mail"})") == "422 /name");
    CHECK(decoded(R"({"records": ["192.0.2.1"], "name": 5, "type": "MX"})") == "422 /name /type");
    CHECK(decoded(R"({"records": ["192.0.2.1"], "colour": "blue"})") == "422 /colour");
    CHECK(decoded("[]") == "400");
    const auto mx = decode_record_set(R"({"records": ["10 mail"]})", apex, RrType::MX, apex, 7);
    REQUIRE(mx);
    CHECK(mx->ttl == 7);
    CHECK(mx->records[0] == *wire::parse_rdata(RrType::MX, "10 mail.example.org.", Name()));
}

TEST_CASE("a batch is judged change by change, each by what those before it leave") {
    const auto zone = zone_of({{"www", rrset(RrType::A, {"192.0.2.1", "192.0.2.2"})}});
    const std::string create =
        R"({"action":"create","name":"www","type":"A","records":["192.0.2.9"]})";
    const std::string remove = R"({"action":"delete","name":"www","type":"A"})";
    const std::string upsert =
        R"({"action":"upsert","name":"www","type":"A","records":["192.0.2.9"]})";
    CHECK(planned(create, *zone) == "409 /changes/0");
    CHECK(planned(upsert, *zone) == "1 edits, 0 prerequisites");
    CHECK(planned(remove, *zone) == "1 edits, 1 prerequisites");
    CHECK(planned(remove + ',' + create, *zone) == "2 edits, 1 prerequisites");
    CHECK(planned(remove + ',' + remove, *zone) == "404 /changes/1");
    CHECK(planned(upsert + ',' + create, *zone) == "409 /changes/1");
    CHECK(planned(
              R"({"action":"delete","name":"www","type":"A","records":["192.0.2.2","192.0.2.1"]})",
              *zone) == "1 edits, 1 prerequisites");
    CHECK(planned(R"({"action":"delete","name":"www","type":"A","records":["192.0.2.1"]})",
                  *zone) == "409 /changes/0");
    CHECK(
        planned(upsert + R"(,{"action":"delete","name":"www","type":"A","records":["192.0.2.9"]})",
                *zone) == "2 edits, 0 prerequisites");
    CHECK(planned(R"({"action":"delete","name":"x","type":"A"})", *zone) == "404 /changes/0");
    CHECK(planned(R"({"action":"create","name":"x","type":"A"})", *zone) ==
          "422 /changes/0/records");
    CHECK(planned(R"({"name":"x"})", *zone) == "422 /changes/0/action /changes/0/type");
    CHECK(planned("", *zone) == "422 /changes");
}

TEST_CASE("what a service owns is not changed beside it") {
    registry::Namespace within;
    within.spec.name = "example.org";
    auto service = std::make_shared<registry::Service>();
    service->spec.namespace_name = "example.org";
    service->spec.name = "web";
    within.services.set("web", service);
    const std::string upsert = R"({"action":"upsert","name":"web","type":"TXT","records":["x"]})";
    CHECK(planned(upsert, *tree::Zone::make(apex), within) == "409 /changes/0");
    CHECK(planned(upsert, *tree::Zone::make(apex)) == "1 edits, 0 prerequisites");
}

TEST_CASE("pages follow each other in canonical order") {
    const auto zone = zone_of({{"z", rrset(RrType::A, {"192.0.2.1"})},
                               {"a.z", rrset(RrType::A, {"192.0.2.1"})},
                               {"*", rrset(RrType::A, {"192.0.2.1"})},
                               {"@", rrset(RrType::NS, {"ns1"})},
                               {"Y", rrset(RrType::TXT, {"x"})},
                               {"Y", rrset(RrType::A, {"192.0.2.1"})}});
    std::vector<std::string> pages;
    std::string token;
    for (const std::string next : {"Y A", "z A", ""}) {
        const auto page = print_record_sets(*zone, query(token.empty() ? 3 : 2, token), "");
        REQUIRE(page);
        const bool is_last = next.empty();
        CHECK((page->find(R"("truncated":false)") != page->npos) == is_last);
        if (!is_last) CHECK(page->find(R"("next_page_token":")" + next + '"') != page->npos);
        pages.push_back(*page);
        token = next;
    }
    CHECK(pages[0].find(R"({"name":"@","type":"NS","ttl":60,"records":["ns1.example.org."]})") !=
          std::string::npos);
    CHECK(pages[0].find(R"("name":"*")") < pages[0].find(R"("name":"Y","type":"A")"));
    CHECK(pages[2].find(R"("name":"a.z")") != std::string::npos);
    RecordSetQuery of_one = query(10);
    of_one.owner = *Name::parse("y.example.org");
    of_one.type = RrType::TXT;
    CHECK(
        *print_record_sets(*zone, of_one, "") ==
        R"({"record_sets":[{"name":"Y","type":"TXT","ttl":60,"records":["\"x\""]}],"truncated":false})");
    CHECK(refused(print_record_sets(*zone, query(1, "nonsense"), "")) == "400");
    CHECK(refused(print_record_sets(*zone, query(1, "a..b A"), "")) == "400");
}

TEST_CASE("a serial alone is no difference") {
    const auto soa = [](const char* serial) {
        return zone_of({{"@", rrset(RrType::SOA, {fmt::format("ns1 host {} 1 2 3 4", serial)})}});
    };
    CHECK_FALSE(differs(*soa("1"), *soa("2")));
    CHECK(differs(*soa("1"), *zone_of({{"@", rrset(RrType::SOA, {"ns1 host 1 1 2 3 5"})}})));
    CHECK(differs(*soa("1"), *tree::Zone::make(apex)));
}
