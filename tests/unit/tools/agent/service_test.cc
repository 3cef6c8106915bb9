#include "tools/agent/service.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace dnsd::agent;

namespace {

std::string instance(const char* id, const char* status, const char* more = "") {
    return fmt::format(R"({{"id":"{}","status":"{}","ipv4":"192.0.2.1","port":80{}}})", id, status,
                       more);
}

std::string list(std::initializer_list<std::string> instances) {
    std::string out;
    for (const std::string& one : instances) out += (out.empty() ? "" : ",") + one;
    return R"({"instances":[)" + out + "]}";
}

std::string service(const char* failure_policy, const char* routing_policy = "multivalue") {
    return fmt::format(
        R"({{"failure_policy":"{}","routing_policy":"{}","check":{{"type":"http"}}}})",
        failure_policy, routing_policy);
}

std::string used(const std::string& service_json, const std::string& instances_json,
                 const Members& before = {}) {
    const auto members = judge_members(service_json, instances_json, before);
    REQUIRE(members);
    std::string out;
    for (const Member& member : members->used) out += member.id + ' ';
    return out;
}

}  // namespace

TEST_CASE("the healthy are used; those that drain, died or are disabled are not") {
    const auto members = judge_members(
        service("fail_closed"),
        list({instance("a", "healthy"), instance("b", "unhealthy"), instance("c", "draining"),
              instance("d", "unknown"), instance("e", "healthy", R"(,"disabled":true)")}),
        {});
    REQUIRE(members);
    REQUIRE(members->used.size() == 1);
    CHECK(members->used[0].endpoint() == "192.0.2.1:80");
    CHECK(members->dead == std::set<std::string>{"b"});
    CHECK(members->draining == std::set<std::string>{"c"});
}

TEST_CASE("without a check all are healthy") {
    CHECK(used(R"({"check":{"type":"none"}})", list({instance("a", "unknown")})) == "a ");
}

TEST_CASE("where none is healthy the failure policy decides") {
    const std::string dead = list({instance("a", "unhealthy"), instance("b", "unhealthy")});
    CHECK(used(service("fail_open"), dead) == "a b ");
    CHECK(used(service("fail_closed"), dead) == "");
    Members before;
    before.used = {Member{.id = "b", .address = "192.0.2.1", .port = 80}};
    CHECK(used(service("last_known_good"), dead, before) == "b ");
}

TEST_CASE("failover uses the lowest priority that has a healthy member") {
    const std::string all = list({instance("a", "unhealthy", R"(,"priority":1)"),
                                  instance("b", "healthy", R"(,"priority":2)"),
                                  instance("c", "healthy", R"(,"priority":3)")});
    CHECK(used(service("fail_open", "failover"), all) == "b ");
    CHECK(used(service("fail_open"), all) == "b c ");
}

TEST_CASE("weight 0 is left out unless all have it; without a port or an address there is nobody") {
    const char* light = R"(,"weight":0)";
    CHECK(used(service("fail_open"),
               list({instance("a", "healthy", light), instance("b", "healthy")})) == "b ");
    CHECK(used(service("fail_open"), list({instance("a", "healthy", light)})) == "a ");
    CHECK(used(service("fail_open"), R"({"instances":[{"id":"a","status":"healthy","port":80},
        {"id":"b","status":"healthy","ipv4":"192.0.2.1"},
        {"id":"c","status":"healthy","ipv4":"192.0.2.1; quit","port":80},
        {"id":"d","status":"healthy","ipv6":"2001:db8::1","port":80}]})") == "d ");
}

TEST_CASE("what is no list of instances is an error, and a list that is cut too") {
    for (const char* text : {"", "[]", "{}", R"({"instances":[1]})", R"({"instances":[{"id":1}]})",
                             R"({"instances":[],"truncated":true})"})
        CHECK_MESSAGE(!judge_members(service("fail_open"), text, {}), text);
}

TEST_CASE("weights are brought to 1..256 in proportion, and only if they must") {
    const auto weights = [](std::initializer_list<std::uint32_t> all) {
        std::vector<Member> members;
        for (const std::uint32_t weight : all) members.push_back({"a", "192.0.2.1", 80, weight});
        std::vector<std::uint32_t> out;
        for (const Member& member : with_weights_of_256(members)) out.push_back(member.weight);
        return out;
    };
    CHECK(weights({1, 100, 256}) == std::vector<std::uint32_t>{1, 100, 256});
    CHECK(weights({1, 500, 1000}) == std::vector<std::uint32_t>{1, 128, 256});
    CHECK(weights({65535, 65535}) == std::vector<std::uint32_t>{256, 256});
}
