#include "zone/registry/compile.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::registry;
using model::HealthStatus;
using model::RecordType;
using test::instance;
using test::noon;
using test::service;
using wire::RrType;

namespace {

const wire::Name apex = *wire::Name::parse("example.org");
const model::NamespaceSpec within{
    .name = "example.org", .dns = true, .ttl = 5, .negative_ttl = 2, .description = {}};

std::vector<std::uint8_t> octets(std::span<const std::uint8_t> span) {
    return {span.begin(), span.end()};
}

// Record sets as plain text, from RRsets and from a plain reading of BEHAVIOUR: independent of
// compile.cc.
using Text = std::map<std::string, std::set<std::string>>;

Text text_of(const ServiceRecords& records) {
    Text text;
    for (const RRsetPointer& rrset : {records.a, records.aaaa, records.srv}) {
        if (!rrset) continue;
        std::set<std::string>& lines =
            text[wire::print(rrset->type()) + " " + std::to_string(rrset->ttl())];
        for (std::size_t i = 0; i < rrset->size(); ++i) {
            std::string line;
            for (const std::uint8_t octet : rrset->rdata(i)) line += std::to_string(octet) + ".";
            lines.insert(line);
        }
    }
    return text;
}

Text naive(const Service& of) {
    Text text;
    std::vector<model::Instance> out, healthy;
    for (const auto& one : of.instances) {
        if (one->drain || one->spec.disabled) continue;
        out.push_back(*one);
        if (one->status == HealthStatus::Healthy) healthy.push_back(*one);
    }
    const auto& answered = healthy.empty() ? out : healthy;  // fail_open
    for (const model::Instance& one : answered) {
        std::string v4;
        for (const std::uint8_t octet : one.spec.ipv4->octets) v4 += std::to_string(octet) + ".";
        text["A 5"].insert(v4);
        std::string srv = "0." + std::to_string(one.spec.priority) + ".0." +
                          std::to_string(one.spec.weight) + "." +
                          std::to_string(*one.spec.port >> 8) + "." +
                          std::to_string(*one.spec.port & 255) + ".";
        for (const std::string& label :
             {one.spec.id, of.spec.name, std::string("example"), std::string("org")}) {
            srv += std::to_string(label.size()) + ".";
            for (const char c : label) srv += std::to_string(static_cast<unsigned char>(c)) + ".";
        }
        text["SRV 5"].insert(srv + "0.");
    }
    return text;
}

}  // namespace

TEST_CASE(
    "random services compile as a plain reading of the rules says, in any order of registration") {
    Random random(11);
    for (int round = 0; round < 300; ++round) {
        std::vector<model::Instance> instances;
        for (std::uint32_t i = draw_below(random, 12); i > 0; --i) {
            model::Instance one =
                instance("i" + std::to_string(i), static_cast<HealthStatus>(draw_below(random, 3)));
            one.spec.ipv4 = Ipv4{{192, 0, 2, static_cast<std::uint8_t>(draw_below(random, 8))}};
            one.spec.priority = static_cast<std::uint16_t>(draw_below(random, 3));
            one.spec.weight = static_cast<std::uint16_t>(draw_below(random, 3));
            one.spec.disabled = draw_below(random, 8) == 0;
            if (draw_below(random, 8) == 0) one.drain = model::Drain{noon, noon, 1};
            instances.push_back(std::move(one));
        }
        const Service of = service("web", instances);
        CHECK(text_of(compile_service(within, of, apex, noon, {})) == naive(of));
        std::ranges::shuffle(instances, random);
        const ServiceRecords again =
            compile_service(within, service("web", instances), apex, noon, {});
        CHECK(text_of(again) == naive(of));
    }
}

TEST_CASE("the routing policy says how A and AAAA are drawn; SRV clients choose for themselves") {
    Service of = service("web", {instance("a"), instance("b")});
    of.spec.max_answers = 3;
    const auto draw = [&](model::RoutingPolicy policy) {
        of.spec.routing_policy = policy;
        const ServiceRecords records = compile_service(within, of, apex, noon, {});
        CHECK(records.srv->draw() == tree::Draw::Sample);
        CHECK(records.srv->answers_max() == 3);
        return records.a->draw();
    };
    CHECK(draw(model::RoutingPolicy::Multivalue) == tree::Draw::Sample);
    CHECK(draw(model::RoutingPolicy::Failover) == tree::Draw::Sample);
    CHECK(draw(model::RoutingPolicy::Weighted) == tree::Draw::Weighted);
    CHECK(draw(model::RoutingPolicy::Simple) == tree::Draw::Rotated);
}

TEST_CASE("only the record types that a service asks for are made, each with its own TTL") {
    Service of = service("web", {instance("a")});
    of.spec.record_types = {RecordType::Srv};
    of.spec.ttl.srv = 30;
    const ServiceRecords records = compile_service(within, of, apex, noon, {});
    CHECK(records.a == nullptr);
    REQUIRE(records.srv);
    CHECK(records.srv->ttl() == 30);
}

TEST_CASE("a service without instances has no RRset at all") {
    const ServiceRecords records = compile_service(within, service("web"), apex, noon, {});
    CHECK((records.a == nullptr && records.aaaa == nullptr && records.srv == nullptr));
}

TEST_CASE("an instance's own name is answered whatever its health, and while it drains") {
    model::Instance one = instance("a", HealthStatus::Unhealthy);
    one.drain = model::Drain{noon, noon, 1};
    const InstanceRecords records = compile_instance(within, service("web").spec, one, nullptr);
    REQUIRE(records.a);
    CHECK(octets(records.a->rdata(0)) == std::vector<std::uint8_t>{192, 0, 2, 'a'});
}

TEST_CASE("RFC 2308 §4: the SOA's TTL and its MINIMUM are both the negative TTL") {
    const auto soa = compile_soa(within, apex, *wire::Name::parse("ns.dns.example.org"), 7);
    const auto rdata = octets(soa->rdata(0));
    CHECK(soa->ttl() == 2);
    CHECK(std::vector(rdata.end() - 4, rdata.end()) == std::vector<std::uint8_t>{0, 0, 0, 2});
    CHECK(std::vector(rdata.end() - 20, rdata.end() - 16) == std::vector<std::uint8_t>{0, 0, 0, 7});
}
