#include "zone/registry/answerable.h"

#include <doctest/doctest.h>

#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::registry;
using model::FailurePolicy;
using model::HealthStatus;
using test::instance;
using test::noon;
using test::service;

namespace {

std::string ids(const std::vector<const model::Instance*>& instances) {
    std::string out;
    for (const model::Instance* one : instances) out += (out.empty() ? "" : " ") + one->spec.id;
    return out;
}
std::string answered(const Service& of, WallTime now = noon) {
    return ids(answerable(of, now).instances);
}

model::Instance awaiting(std::string id) {
    model::Instance one = instance(std::move(id), HealthStatus::Unknown);
    one.awaits_verdict = true;
    return one;
}

}  // namespace

TEST_CASE("only the healthy are answered, or everyone where there is no check") {
    Service of = service("web", {instance("a"), instance("b", HealthStatus::Unhealthy),
                                 instance("c", HealthStatus::Unknown)});
    CHECK(answered(of) == "a");
    of.spec.check.type = model::CheckType::None;
    CHECK(answered(of) == "a b c");
}

TEST_CASE("disabled and draining instances are never answered, by no policy") {
    model::Instance disabled = instance("a");
    disabled.spec.disabled = true;
    model::Instance draining = instance("b");
    draining.drain = model::Drain{noon, noon + std::chrono::seconds(6), 7};
    for (const FailurePolicy policy :
         {FailurePolicy::FailOpen, FailurePolicy::FailClosed, FailurePolicy::LastKnownGood}) {
        Service of = service("web", {disabled, draining});
        of.spec.failure_policy = policy;
        CHECK(answered(of).empty());
    }
}

TEST_CASE("when none is healthy the failure policy decides") {
    model::Instance lost = instance("a", HealthStatus::Unhealthy);
    lost.healthy_last = noon - std::chrono::seconds(200);
    Service of = service("web", {lost, instance("b", HealthStatus::Unhealthy)});
    of.spec.failure_policy = FailurePolicy::FailOpen;
    CHECK(answered(of) == "a b");
    of.spec.failure_policy = FailurePolicy::FailClosed;
    CHECK(answered(of).empty());
    of.spec.failure_policy = FailurePolicy::LastKnownGood;
    CHECK(answered(of) == "a");
    CHECK(answerable(of, noon).until == noon + std::chrono::seconds(100));  // max_age is 300 s
    CHECK(answered(of, noon + std::chrono::seconds(100)).empty());
}

TEST_CASE("while a first verdict is not yet due, no policy answers for it") {
    const Service of = service("web", {awaiting("a")});
    CHECK(answered(of).empty());
    const auto due = answerable(of, noon).until;
    REQUIRE(due);
    CHECK(answered(of, *due) == "a");  // fail_open: the check is late
}

TEST_CASE("a panic threshold applies the failure policy while some are still healthy") {
    Service of = service("web", {instance("a"), instance("b", HealthStatus::Unhealthy),
                                 instance("c", HealthStatus::Unhealthy)});
    of.spec.panic_threshold = 50;
    CHECK(answered(of) == "a b c");
    of.spec.panic_threshold = 30;
    CHECK(answered(of) == "a");
}

TEST_CASE("min_healthy keeps those that were healthy most recently") {
    model::Instance older = instance("a", HealthStatus::Unhealthy),
                    newer = instance("b", HealthStatus::Unhealthy);
    older.healthy_last = noon - std::chrono::seconds(20);
    newer.healthy_last = noon - std::chrono::seconds(10);
    Service of = service("web", {older, newer, instance("c")});
    of.spec.min_healthy = 2;
    CHECK(answered(of) == "b c");
}

TEST_CASE("failover takes the lowest priority that has a healthy member") {
    model::Instance first = instance("a", HealthStatus::Unhealthy), second = instance("b"),
                    third = instance("c");
    second.spec.priority = 1;
    third.spec.priority = 2;
    const Service of = service("web", {first, second, third});
    CHECK(ids(failover_group(of, answerable(of, noon).instances)) == "b");
    const Service none = service("web", {first});
    CHECK(ids(failover_group(none, answerable(none, noon).instances)) == "a");
}
