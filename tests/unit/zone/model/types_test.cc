#include "zone/model/types.h"

#include <doctest/doctest.h>

#include <array>

using namespace dnsd;
using namespace dnsd::model;
using namespace std::chrono_literals;

namespace {

template <class Enum, std::size_t count, class Parse>
void check_words(const std::array<std::string_view, count>& words, Parse parse) {
    for (std::size_t i = 0; i < count; ++i) {
        CAPTURE(words[i]);
        CHECK(print(static_cast<Enum>(i)) == words[i]);
        CHECK(parse(words[i]) == static_cast<Enum>(i));
    }
    for (const std::string_view other : {"", "nonsense", "Healthy", " tcp", "a", "HTTP"}) {
        CAPTURE(other);
        CHECK_FALSE(parse(other));
    }
}

}  // namespace

TEST_CASE("each enumerator has one word, and no other word is taken for it") {
    check_words<HealthStatus, 3>({"unknown", "healthy", "unhealthy"}, parse_health_status);
    check_words<RoutingPolicy, 4>({"multivalue", "weighted", "failover", "simple"},
                                  parse_routing_policy);
    check_words<FailurePolicy, 3>({"fail_open", "fail_closed", "last_known_good"},
                                  parse_failure_policy);
    check_words<CheckType, 7>({"none", "tcp", "http", "https", "grpc", "lease", "custom"},
                              parse_check_type);
    check_words<Protocol, 2>({"tcp", "udp"}, parse_protocol);
    check_words<RecordType, 3>({"A", "AAAA", "SRV"}, parse_record_type);
}

TEST_CASE("the profile fast is the least that is safe") {
    const Defaults fast = fast_defaults();
    CHECK(fast.ttl == 5);
    CHECK(fast.negative_ttl == 2);
    CHECK(fast.service.check.type == CheckType::None);
    CHECK(fast.service.check.interval == 1s);
    CHECK(fast.service.check.timeout == 900ms);
    CHECK_FALSE(fast.service.check.connect_timeout);
    CHECK(fast.tcp_timeout == 900ms);
    CHECK(fast.timeout_follows_interval);
    CHECK(fast.service.check.rise == 1);
    CHECK(fast.service.check.fall == 2);
    CHECK(fast.service.check.lease_ttl == 10s);
    CHECK(fast.service.custom_health_delay == 0s);
}

TEST_CASE("the profile aws does what AWS does") {
    const Defaults aws = aws_defaults();
    CHECK(aws.ttl == 60);
    CHECK(aws.negative_ttl == 900);
    CHECK(aws.service.check.type == CheckType::None);
    CHECK(aws.service.check.interval == 30s);
    CHECK(aws.service.check.timeout == 6s);
    CHECK(aws.service.check.connect_timeout == Milliseconds(4s));
    CHECK(aws.tcp_timeout == 10s);
    CHECK_FALSE(aws.timeout_follows_interval);
    CHECK(aws.service.check.rise == 3);
    CHECK(aws.service.check.fall == 3);
    CHECK(aws.service.check.lease_ttl == 90s);
    CHECK(aws.service.custom_health_delay == 30s);
}

TEST_CASE("what both profiles share") {
    for (const Defaults& defaults : {fast_defaults(), aws_defaults()}) {
        CHECK(defaults.service.check.path == "/");
        CHECK(defaults.service.check.expected_status_least == 200);
        CHECK(defaults.service.check.expected_status_most == 399);
        CHECK(defaults.service.max_answers == 8);
        CHECK(defaults.service.panic_threshold == 0);
        CHECK(defaults.service.min_healthy == 0);
        CHECK(defaults.service.flap_limit == 0);
        CHECK(defaults.service.flap_window == 60s);
        CHECK(defaults.service.max_age == 300s);
        CHECK(defaults.service.routing_policy == RoutingPolicy::Multivalue);
        CHECK(defaults.service.failure_policy == FailurePolicy::FailOpen);
    }
}

TEST_CASE("the index of an instance is the larger of its revisions") {
    Instance instance;
    instance.revision = 7;
    instance.health_revision = 9;
    CHECK(instance.index() == 9);
    instance.revision = 11;
    CHECK(instance.index() == 11);
}
