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
