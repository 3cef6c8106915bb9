#include "zone/tree/lookup.h"

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "tests/support/zones.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;
using test::rrset;
using wire::RrType;
using Kind = LookupResult::Kind;

namespace {

using Contents = std::vector<std::pair<std::string, RrType>>;

std::shared_ptr<const Zone> zone_of(const Contents& contents) {
    ZoneEdit edit(Zone::make(name("example")));
    edit.set(name("example"), rrset(RrType::SOA));
    edit.set(name("example"), rrset(RrType::NS));
    for (const auto& [owner, type] : contents) edit.set(name(owner), rrset(type));
    return edit.finish();
}

struct Row {
    const char* qname;
    RrType qtype;
    Kind kind;
    const char* owner;  // of the node; null: there is none
    bool synthesized = false;
};

void check(const std::shared_ptr<const Zone>& zone, std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        CAPTURE(row.qname);
        CAPTURE(print(row.qtype));
        const LookupResult result = lookup(*zone, name(row.qname), row.qtype);
        CHECK(static_cast<int>(result.kind) == static_cast<int>(row.kind));
        CHECK((result.node == nullptr) == (row.owner == nullptr));
        if (result.node != nullptr && row.owner != nullptr)
            CHECK(result.node->owner() == name(row.owner));
        CHECK(result.synthesized == row.synthesized);
        CHECK(result.closest_encloser != nullptr);
    }
}

}  // namespace

TEST_CASE("RFC 4592 §2.2.1: the example zone answers as the RFC says") {
    const auto zone = zone_of({{"*.example", RrType::TXT},
                               {"*.example", RrType::MX},
                               {"sub.*.example", RrType::TXT},
                               {"host1.example", RrType::A},
                               {"_ssh._tcp.host1.example", RrType::SRV},
                               {"_ssh._tcp.host2.example", RrType::SRV},
                               {"subdel.example", RrType::NS}});
    check(zone, {
                    {"host3.example", RrType::MX, Kind::Answer, "*.example", true},
                    {"host3.example", RrType::A, Kind::NoData, "*.example", true},
                    {"foo.bar.example", RrType::TXT, Kind::Answer, "*.example", true},
                    {"host1.example", RrType::MX, Kind::NoData, "host1.example"},
                    {"sub.*.example", RrType::MX, Kind::NoData, "sub.*.example"},
                    {"_telnet._tcp.host1.example", RrType::SRV, Kind::NxDomain, nullptr},
                    {"host.subdel.example", RrType::A, Kind::Referral, "subdel.example"},
                    {"ghost.*.example", RrType::MX, Kind::NxDomain, nullptr},
                });
}

TEST_CASE("RFC 4592 §2.2.2: an empty non-terminal is NODATA, and blocks the wildcard above it") {
    const auto zone = zone_of({{"*.example", RrType::A}, {"a.b.example", RrType::A}});
    check(zone, {
                    {"b.example", RrType::A, Kind::NoData, "b.example"},
                    {"c.b.example", RrType::A, Kind::NxDomain, nullptr},
                    {"c.example", RrType::A, Kind::Answer, "*.example", true},
                });
}

TEST_CASE("RFC 1034 §4.3.2 step 3a: an alias answers every type but its own and ANY") {
    const auto zone = zone_of({{"www.example", RrType::CNAME}});
    check(zone, {
                    {"www.example", RrType::A, Kind::Cname, "www.example"},
                    {"www.example", RrType::CNAME, Kind::Answer, "www.example"},
                    {"www.example", RrType::ANY, Kind::Answer, "www.example"},
                });
}

TEST_CASE(
    "RFC 1034 §4.3.2 step 3b: below a zone cut nothing is ours; RFC 4035 §3.1.4.1: but its DS is") {
    const auto zone = zone_of({{"sub.example", RrType::NS},
                               {"sub.example", RrType::DS},
                               {"ns.sub.example", RrType::A},
                               {"deep.ns.sub.example", RrType::NS}});
    check(zone, {
                    {"sub.example", RrType::A, Kind::Referral, "sub.example"},
                    {"sub.example", RrType::NS, Kind::Referral, "sub.example"},
                    {"ns.sub.example", RrType::A, Kind::Referral, "sub.example"},
                    {"x.deep.ns.sub.example", RrType::A, Kind::Referral, "sub.example"},
                    {"sub.example", RrType::DS, Kind::Answer, "sub.example"},
                    {"ns.sub.example", RrType::DS, Kind::Referral, "sub.example"},
                    {"example", RrType::NS, Kind::Answer, "example"},
                });
}

TEST_CASE("RFC 6672 §2.3: a DNAME redirects the names below its owner, not the owner") {
    const auto zone = zone_of({{"d.example", RrType::DNAME}, {"d.example", RrType::A}});
    check(zone, {
                    {"d.example", RrType::A, Kind::Answer, "d.example"},
                    {"d.example", RrType::DNAME, Kind::Answer, "d.example"},
                    {"a.d.example", RrType::A, Kind::Dname, "d.example"},
                    {"b.a.d.example", RrType::DNAME, Kind::Dname, "d.example"},
                });
}

TEST_CASE("a name of 127 labels is looked up like any other") {
    std::string longest;
    for (int i = 0; i < 122; ++i) longest += "a.";
    check(zone_of({{"*.example", RrType::A}}),
          {{(longest + "example").c_str(), RrType::A, Kind::Answer, "*.example", true}});
}

// The same algorithm over a plain map, written as RFC 1034 and RFC 4592 tell it.
namespace {

struct Naive {
    std::map<std::string, std::vector<RrType>> names;  // with empty non-terminals

    explicit Naive(const Contents& contents) {
        names["example"] = {RrType::SOA, RrType::NS};
        for (const auto& [owner, type] : contents) {
            names[owner].push_back(type);
            for (std::string up = owner; up != "example";) {
                up = up.substr(up.find('.') + 1);
                names[up];
            }
        }
    }
    bool has(const std::string& owner, RrType type) const {
        const auto found = names.find(owner);
        return found != names.end() && std::ranges::count(found->second, type) > 0;
    }
    Kind at(const std::string& owner, RrType qtype) const {
        if (has(owner, RrType::CNAME) && qtype != RrType::CNAME) return Kind::Cname;
        return has(owner, qtype) ? Kind::Answer : Kind::NoData;
    }
    Kind lookup(const std::string& qname, RrType qtype) const {
        std::vector<std::string> path;  // from qname up to the apex
        for (std::string up = qname;; up = up.substr(up.find('.') + 1)) {
            path.push_back(up);
            if (up == "example") break;
        }
        for (auto name = path.rbegin(); name != path.rend(); ++name) {
            if (!names.contains(*name)) {
                const std::string wildcard = "*." + *(name - 1);
                return names.contains(wildcard) ? at(wildcard, qtype) : Kind::NxDomain;
            }
            if (*name != "example" && has(*name, RrType::NS)) return Kind::Referral;
            if (*name != qname && has(*name, RrType::DNAME)) return Kind::Dname;
        }
        return at(qname, qtype);
    }
};

}  // namespace

TEST_CASE("random zones are looked up as a plain reading of the RFCs says") {
    Random random(20260101);
    const char* labels[] = {"a", "b", "*", "c"};
    const RrType types[] = {RrType::A, RrType::TXT, RrType::NS, RrType::CNAME, RrType::DNAME};
    const auto random_name = [&] {
        std::string text = "example";
        for (std::uint32_t depth = draw_below(random, 4) + 1; depth > 0; --depth) {
            text = std::string(labels[draw_below(random, 4)]) + "." + text;
        }
        return text;
    };
    for (int round = 0; round < 300; ++round) {
        Contents contents;
        for (std::uint32_t i = draw_below(random, 12); i > 0; --i) {
            const std::string owner = random_name();
            const RrType type = types[draw_below(random, 5)];
            // A wildcard that is a zone cut or a DNAME is undefined (RFC 4592 §4.2, §4.4).
            if (owner.starts_with("*") && (type == RrType::NS || type == RrType::DNAME)) continue;
            contents.emplace_back(owner, type);
        }
        const auto zone = zone_of(contents);
        const Naive naive(contents);
        for (int query = 0; query < 100; ++query) {
            const std::string qname = random_name();
            const RrType qtype = types[draw_below(random, 2)];
            CAPTURE(qname);
            REQUIRE(static_cast<int>(lookup(*zone, name(qname), qtype).kind) ==
                    static_cast<int>(naive.lookup(qname, qtype)));
        }
    }
}
