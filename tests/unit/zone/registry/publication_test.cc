#include "zone/registry/publication.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "tests/support/services.h"
#include "zone/tree/difference.h"
#include "zone/tree/lookup.h"

using namespace dnsd;
using namespace dnsd::registry;
using model::HealthStatus;
using test::instance;
using test::noon;
using test::service;
using wire::RrType;

namespace {

const Infrastructure infrastructure{.name_server = {},
                                    .dns_addresses = {*parse_ip("192.0.2.53")},
                                    .api_addresses = {*parse_ip("192.0.2.80")}};

Namespace empty_namespace() {
    Namespace made;
    made.spec.name = "example.org";
    made.serial = 1;
    return made;
}

// A zone as plain text: owner names, with what they hold.
using Contents = std::map<std::string, std::set<std::string>>;

Contents contents(const tree::ZoneSet& zones) {
    Contents out;
    zones.find(*wire::Name::parse("example.org"))->for_each([&](const tree::Node& node) {
        std::set<std::string>& lines = out[node.owner().print()];
        for (const auto& rrset : node.rrsets()) {
            for (std::size_t i = 0; i < rrset->size(); ++i) {
                std::string line = wire::print(rrset->type()) + " " + std::to_string(rrset->ttl());
                for (const std::uint8_t octet : rrset->rdata(i))
                    line += "." + std::to_string(octet);
                lines.insert(line);
            }
        }
    });
    return out;
}

std::shared_ptr<const tree::ZoneSet> from_scratch(const Namespace& within) {
    Publication publication(std::make_shared<const tree::ZoneSet>(), infrastructure);
    publication.put_namespace(nullptr, within);
    within.services.for_each([&](const std::string&, const std::shared_ptr<const Service>& one) {
        publication.put_service(within, nullptr, one.get(), noon, {});
    });
    return publication.finish();
}

bool answers(const tree::ZoneSet& zones, std::string_view qname, RrType qtype) {
    const wire::Name name = *wire::Name::parse(qname);
    return tree::lookup(*zones.find(name), name, qtype).rrset != nullptr;
}

// Whether a secondary would hold something else.
bool moves_serial(const Publication& publication) {
    const auto zones = publication.touched().at("example.org");
    return tree::transfer_difference(*zones.before, *zones.after).has_value();
}

}  // namespace

TEST_CASE(
    "whatever the road, the zone holds what its services compile to, and the names said to change "
    "did") {
    Random random(5);
    Namespace within = empty_namespace();
    auto zones = from_scratch(within);
    const char* services[] = {"web", "web.prod", "api", "dns", "_x._tcp"};
    for (int step = 0; step < 600; ++step) {
        const std::string name = services[draw_below(random, 5)];
        const auto* found = within.services.find(name);
        const std::shared_ptr<const Service> before = found != nullptr ? *found : nullptr;
        std::shared_ptr<const Service> after;
        if (draw_below(random, 5) > 0) {
            auto next = std::make_shared<Service>(before ? *before : service(name));
            if (draw_below(random, 6) == 0) next->spec.ttl.a = draw_below(random, 3);
            if (draw_below(random, 9) == 0) next->spec.record_types = {model::RecordType::A};
            const char* ids[] = {"ns", "b", "C"};
            const std::string id = ids[draw_below(random, 3)];
            std::erase_if(next->instances, [&](const auto& one) { return one->spec.id == id; });
            if (draw_below(random, 3) > 0) {
                next->instances.push_back(std::make_shared<const model::Instance>(
                    instance(id, static_cast<HealthStatus>(draw_below(random, 3)))));
            }
            std::ranges::sort(next->instances, {}, [](const auto& one) { return one->spec.id; });
            after = std::move(next);
            within.services.set(name, after);
        } else {
            within.services.erase(name);
        }
        if (!before && !after) continue;

        const Contents was = contents(*zones);
        Publication publication(zones, infrastructure);
        const auto said = publication.put_service(within, before.get(), after.get(), noon, {});
        zones = publication.finish();
        const Contents is = contents(*zones);
        REQUIRE(is == contents(*from_scratch(within)));

        std::set<std::string> changed;
        for (const auto& [owner, lines] : is) {
            const auto old = was.find(owner);
            if (old == was.end() ? !lines.empty() : old->second != lines) changed.insert(owner);
        }
        for (const auto& [owner, lines] : was) {
            if (!is.contains(owner) && !lines.empty()) changed.insert(owner);
        }
        CHECK(std::set<std::string>(said.begin(), said.end()) == changed);
        CHECK(moves_serial(publication) == !changed.empty());
    }
}

TEST_CASE("a service without instances is NODATA under all its names, never NXDOMAIN") {
    Namespace within = empty_namespace();
    within.services.set("web", std::make_shared<const Service>(service("web")));
    const auto zones = from_scratch(within);
    for (const char* qname : {"web.example.org", "_web._tcp.example.org", "_tcp.example.org"}) {
        const wire::Name name = *wire::Name::parse(qname);
        CHECK(static_cast<int>(tree::lookup(*zones->find(name), name, RrType::SRV).kind) ==
              static_cast<int>(tree::LookupResult::Kind::NoData));
    }
}

TEST_CASE("the zone answers for itself: SOA, NS, ns.dns, api and data-api") {
    const auto zones = from_scratch(empty_namespace());
    CHECK(answers(*zones, "example.org", RrType::SOA));
    CHECK(answers(*zones, "example.org", RrType::NS));
    for (const char* qname : {"ns.dns.example.org", "api.example.org", "data-api.example.org"}) {
        CHECK(answers(*zones, qname, RrType::A));
    }
}

TEST_CASE("a namespace without DNS has no zone, and one that was removed has none any more") {
    Namespace http = empty_namespace();
    http.spec.dns = false;
    CHECK(from_scratch(http)->size() == 0);
    Publication publication(from_scratch(empty_namespace()), infrastructure);
    publication.remove_namespace("example.org");
    CHECK(publication.finish()->size() == 0);
    publication.put_namespace(nullptr, empty_namespace());
    CHECK(publication.finish()->size() == 1);
}

TEST_CASE("publishing nothing changes nothing") {
    Namespace within = empty_namespace();
    const auto web =
        std::make_shared<const Service>(service("web", {instance("a"), instance("b")}));
    within.services.set("web", web);
    Publication publication(from_scratch(within), infrastructure);
    CHECK(publication.put_service(within, web.get(), web.get(), noon, {}).empty());
    CHECK_FALSE(moves_serial(publication));
}
