#include "dnsd/api/codec.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::api;

namespace {

const model::Defaults fast = model::fast_defaults(), aws = model::aws_defaults();

// The pointers of all errors, or the status alone.
template <class Spec>
std::string refused(const Result<Spec, Problem>& read) {
    if (read) return "";
    std::string text = std::to_string(read.error().status);
    for (const model::FieldError& error : read.error().errors) text += ' ' + error.pointer;
    return text;
}

std::string service(std::string_view body, const model::Defaults& defaults = fast) {
    return refused(decode_service(body, "example.org", "web", defaults));
}
std::string zone(std::string_view body) {
    return refused(decode_namespace(body, "example.org", fast));
}
std::string key(std::string_view body) {
    return refused(decode_key(body, *wire::Name::parse("xfr.example.org")));
}
std::string instance(std::string_view body) { return refused(decode_instance(body, "i-1")); }

}  // namespace

TEST_CASE("what is no JSON object is 400, what is not allowed in it 422 with a pointer each") {
    CHECK(instance("") == "400");
    CHECK(instance("{") == "400");
    CHECK(instance("[]") == "400");
    CHECK(instance("{} {}") == "400");
    CHECK(instance("{\"ipv4\": \"\xff\"}") == "400");
    CHECK(instance(R"({"port": 1, "port": 2})") == "400");
    CHECK(instance("{\"a\":" + std::string(100'000, '[')) == "400");
    CHECK(instance(R"({"ipv4": "192.0.2.1", "port": 80})").empty());
    CHECK(instance(R"({"ipv4": "192.0.2", "port": 80})") == "422 /ipv4");
    CHECK(instance(R"({"port": 65536})") == "422 /port");
    CHECK(instance(R"({"port": -1})") == "422 /port");
    CHECK(instance(R"({"port": 80.5})") == "422 /port");
    CHECK(instance(R"({"port": 99999999999999999999999})") == "422 /port");
    CHECK(instance(R"({"port": "80", "colour": 1, "a/b~c": 1})") == "422 /port /colour /a~1b~0c");
    CHECK(instance(R"({"id": "i-2"})") == "422 /id");
    CHECK(instance(R"({"attributes": {"a/b": 1}})") == "422 /attributes/a~1b");
    CHECK(service(R"({"ttl": -1})") == "422 /ttl");
    CHECK(service(R"({"ttl": {"A": 1, "MX": 1}})") == "422 /ttl/MX");
    CHECK(service(R"({"routing_policy": "best"})") == "422 /routing_policy");
    CHECK(service(R"({"record_types": ["A", "MX"]})") == "422 /record_types");
    CHECK(service(R"({"check": {"type": "http", "interval": 1, "timeout": 2}})") ==
          "422 /check/timeout");
    CHECK(service(R"({"check": {"type": "http", "expected_status": "20-399"}})") ==
          "422 /check/expected_status");
    CHECK(service(R"({"check": {"type": "http", "interval": "often"}})") == "422 /check/interval");
}

TEST_CASE("one bad element of a set is named by its place") {
    const auto read = decode_instances(
        R"({"instances": [{"id": "a", "ipv4": "192.0.2.1"}, {"ipv4": "192.0.2.2"}, 3,
                          {"id": "d", "port": 0}]})");
    CHECK(refused(read) == "422 /instances/1/id /instances/2 /instances/3/port");
    CHECK(refused(decode_instances("{}")) == "422 /instances");
}

TEST_CASE("null is as if the field were not there") {
    CHECK(instance(R"({"ipv4": "192.0.2.1", "ipv6": null, "port": null})").empty());
}

TEST_CASE("durations are seconds, and a timeout follows the interval unless it is given") {
    const auto read = decode_service(R"({"check": {"type": "tcp", "interval": 0.5}})",
                                     "example.org", "web", fast);
    REQUIRE(read);
    CHECK(read->check.interval == Milliseconds(500));
    CHECK(read->check.timeout == Milliseconds(450));
    const auto slow = decode_service(R"({"check": {"type": "tcp"}})", "example.org", "web", aws);
    REQUIRE(slow);
    CHECK(slow->check.timeout == Milliseconds(10'000));
    const auto http = decode_service(R"({"check": {"type": "http"}})", "example.org", "web", aws);
    REQUIRE(http);
    CHECK(http->check.timeout == Milliseconds(6'000));
    CHECK(http->check.connect_timeout == Milliseconds(4'000));
    // A default of six seconds does not fit an interval of one.
    CHECK(
        decode_service(R"({"check": {"type": "http", "interval": 1}})", "example.org", "web", aws));
}

TEST_CASE("a status of one number, of a range, and as text") {
    for (const char* text : {"200", "\"200\"", "\"200-200\""}) {
        const auto read = decode_service(
            std::string(R"({"check": {"type": "http", "expected_status": )") + text + "}}",
            "example.org", "web", fast);
        REQUIRE(read);
        CHECK(read->check.expected_status_least == 200);
        CHECK(read->check.expected_status_most == 200);
    }
}

TEST_CASE("text that is no UTF-8 does not reach a client as such") {
    model::Event event;
    event.cause = "health";
    event.probes.push_back({{}, {}, false, "\xff"});
    CHECK(print(event).find("\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("what zones alone have is pointed at, and comes back as it was shown") {
    CHECK(zone(R"({"primaries": ["192.0.2.1"], "notify": ["[2001:db8::1]:5300 key k"]})").empty());
    CHECK(zone(R"({"primaries": ["192.0.2.1", "nonsense", 5]})") ==
          "422 /primaries/1 /primaries/2");
    CHECK(zone(R"({"notify": "192.0.2.1"})") == "422 /notify");
    CHECK(zone(R"({"transfer": ["192.0.2.1/24"]})") == "422 /transfer/0");
    CHECK(zone(R"({"updaters": ["a..b"]})") == "422 /updaters/0");
    CHECK(zone(R"({"dns": false, "reverse": true, "updaters": ["k"]})") ==
          "422 /reverse /updaters");
    CHECK(zone(R"({"dns": false, "reverse": false, "updaters": []})").empty());
    const auto primary = decode_namespace(
        R"({"reverse": true, "transfer": ["key k", "10.0.0.0/8"], "updaters": ["Up.Example.org."]})",
        "example.org", fast);
    REQUIRE(primary);
    registry::Namespace within;
    within.spec = *primary;
    CHECK(print(within).find(R"("updaters":["up.example.org"])") != std::string::npos);
    CHECK(print(within).find("refreshed") == std::string::npos);
    CHECK(decode_namespace(print(within), "example.org", fast) == *primary);
    const auto secondary =
        decode_namespace(R"({"primaries": ["192.0.2.1 key K."]})", "example.org", fast);
    REQUIRE(secondary);
    within.spec = *secondary;
    within.following = {WallTime(Milliseconds(1000)), false};
    const std::string shown = print(within);
    CHECK(shown.find(R"("refreshed":"1970-01-01T00:00:01.000Z","expired":false)") != shown.npos);
    CHECK(decode_namespace(shown, "example.org", fast) == *secondary);
    within.spec.dns = false;
    CHECK(print(within).find("reverse") == std::string::npos);
}

TEST_CASE("a secret is base64 of a length that cannot be guessed, or is left out") {
    const auto drawn = decode_key("{}", *wire::Name::parse("k"));
    REQUIRE(drawn);
    CHECK(drawn->algorithm == wire::TsigAlgorithm::HmacSha256);
    CHECK(drawn->secret.empty());
    CHECK(key(R"({"name": "xfr.example.org", "secret": "MDEyMzQ1Njc4OWFiY2RlZg=="})").empty());
    CHECK(key(R"({"secret": "MDEyMzQ1Njc4OWFiY2Rl"})") == "422 /secret");
    CHECK(key(R"({"secret": "not base64"})") == "422 /secret");
    CHECK(key(R"({"secret": ""})") == "422 /secret");
    CHECK(key(R"({"algorithm": "hmac-md5", "name": "other"})") == "422 /name /algorithm");
}

TEST_CASE("problems of a zone file have a line and a column where they have a place") {
    const Problem problem{422, "zone file", {}, {{{3, 5}, "no type"}, {{0, 0}, "no SOA"}}};
    CHECK(print_problem(problem).find(
              R"("errors":[{"line":3,"column":5,"detail":"no type"},{"detail":"no SOA"}])") !=
          std::string::npos);
}
