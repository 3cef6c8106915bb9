#include "tools/failover-lab/model/request_log.h"

#include <doctest/doctest.h>

using namespace dnsd::lab;

namespace {

const std::vector<Request> two{
    {1'000'000, 350, 12, Outcome::Ok, 2, 1, 0},
    {4'294'967'295, 1'000'000, 70'000, Outcome::Timeout, Request::none, 3, 15}};

}  // namespace

TEST_CASE("a log of requests comes back as it was") {
    const auto decoded = decode_log(encode_log(two));
    REQUIRE(decoded);
    REQUIRE(decoded->size() == 2);
    const Request& last = decoded->back();
    CHECK(last.intended_us == 4'294'967'295);
    CHECK(last.latency_us == 1'000'000);
    CHECK(last.lag_us == 70'000);
    CHECK(last.outcome == Outcome::Timeout);
    CHECK(last.instance == Request::none);
    CHECK(last.tries == 3);
    CHECK(last.client == 15);
    CHECK(decode_log(encode_log({}))->empty());
}

TEST_CASE("a log is little endian, sixteen octets a request") {
    const std::string octets = encode_log({{0x01020304, 0, 0, Outcome::Refused, 5, 6, 7}});
    REQUIRE(octets.size() == 24);
    CHECK(octets.substr(0, 12) == std::string("dnsdlab1\x04\x03\x02\x01"));
    CHECK(octets.substr(20) == std::string("\x01\x05\x06\x07"));
}

TEST_CASE("a log that is cut short, or no log, or of unknown outcomes is an error that says so") {
    std::string octets = encode_log(two);
    CHECK(decode_log("").error().message == "it does not begin with dnsdlab1");
    CHECK(decode_log(octets.substr(0, octets.size() - 1)).error().message ==
          "it ends within record 1");
    octets[8 + 16 + 12] = 9;
    CHECK(decode_log(octets).error().message == "record 1: there is no outcome 9");
}

TEST_CASE("bad is what failed, or took more than 250 ms") {
    CHECK(!Request{.latency_us = 250'000}.bad());
    CHECK(Request{.latency_us = 250'001}.bad());
    CHECK(Request{.latency_us = 1, .outcome = Outcome::HttpError}.bad());
}

TEST_CASE("CSV has a line for each request, and nothing for an instance that nobody knows") {
    CHECK(print_csv(two) ==
          "intended_us,latency_us,lag_us,outcome,instance,tries,client\n"
          "1000000,350,12,ok,2,1,0\n"
          "4294967295,1000000,70000,timeout,,3,15\n");
}
