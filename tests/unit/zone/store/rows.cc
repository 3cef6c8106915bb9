#include "tests/unit/zone/store/rows.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace dnsd::store {

using namespace std::chrono_literals;

namespace {

WallTime at(std::int64_t milliseconds) { return WallTime(Milliseconds(milliseconds)); }

}  // namespace

Folder::Folder() : path((std::filesystem::temp_directory_path() / "dnsd-store-XXXXXX").string()) {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
}
Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

NamespaceRow full_namespace() {
    NamespaceRow row;
    row.spec = {.name = "example.org",
                .dns = true,
                .ttl = 2'147'483'647,
                .negative_ttl = 7,
                .description = "it's \"quoted\" \xc3\xa4",
                .reverse = true,
                .primaries = {{*SocketAddress::parse("192.0.2.1:53"), "k.example.org"},
                              {*SocketAddress::parse("[2001:db8::1]:5300"), ""}},
                .notify = {{*SocketAddress::parse("192.0.2.2:53"), ""}},
                .transfer = {{Network::parse("192.0.2.0/24"), "k"}, {{}, "l"}},
                .updaters = {"u.example.org"}};
    row.revision = 11;
    row.serial = 4'294'967'295;
    row.content = 18'446'744'073'709'551'615U;
    row.refreshed = WallTime(std::chrono::milliseconds(1'700'000'000'001));
    row.expired = false;
    return row;
}

ServiceRow full_service() {
    ServiceRow row;
    row.spec = {.namespace_name = "example.org",
                .name = "web",
                .description = "front",
                .routing_policy = model::RoutingPolicy::Failover,
                .failure_policy = model::FailurePolicy::LastKnownGood,
                .ttl = {.a = 1, .aaaa = 0, .srv = 2},
                .record_types = {model::RecordType::A, model::RecordType::Srv},
                .protocol = model::Protocol::Udp,
                .max_answers = 65'535,
                .panic_threshold = 12.5,
                .min_healthy = 3,
                .max_age = 301s,
                .flap_limit = 4,
                .flap_window = 61s,
                .custom_health_delay = 5s,
                .report_threshold = 7,
                .report_window = 11s,
                .check = {.type = model::CheckType::Https,
                          .interval = 2500ms,
                          .timeout = 1700ms,
                          .connect_timeout = 900ms,
                          .rise = 5,
                          .fall = 6,
                          .path = "/health?a=b",
                          .host = "host.example.org",
                          .port = 8443,
                          .expected_status_least = 201,
                          .expected_status_most = 204,
                          .body_substring = "fine",
                          .verify_tls = true,
                          .grpc_service = "web.v1.Front",
                          .lease_ttl = 12s,
                          .initial_status = model::HealthStatus::Healthy}};
    row.revision = 12;
    row.health_revision = 13;
    row.address_lapses = at(1'700'000'000'001);
    row.srv_lapses = at(1'700'000'000'002);
    return row;
}

InstanceRow full_instance() {
    InstanceRow row;
    row.namespace_name = "example.org";
    row.service = "web";
    row.instance.spec = {.id = "user@host/app",
                         .ipv4 = parse_ipv4("192.0.2.1"),
                         .ipv6 = parse_ipv6("2001:db8::1"),
                         .port = 65'535,
                         .weight = 7,
                         .priority = 8,
                         .disabled = true,
                         .attributes = {{"az", "a"}, {"note", "say \"hi\"\t\\ "}, {"empty", ""}}};
    row.instance.dns_name = "user-host-app-f3014b02.web.example.org";
    row.instance.status = model::HealthStatus::Unhealthy;
    row.instance.awaits_verdict = true;
    row.instance.status_since = at(1'700'000'000'003);
    row.instance.healthy_last = at(1'700'000'000'004);
    row.instance.registered = at(1'700'000'000'005);
    row.instance.revision = 14;
    row.instance.health_revision = 15;
    row.instance.drain = model::Drain{
        .since = at(1'700'000'000'006), .safe_after = at(1'700'000'000'007), .revision = 16};
    return row;
}

model::Event full_event(model::Revision revision) {
    model::Event event;
    event.revision = revision;
    event.cause = "health";
    event.namespace_name = "example.org";
    event.service = "web";
    event.instances = {{"i-1", "unhealthy", "healthy"}, {"i-2", "draining", "unknown"}};
    event.dns_names = {"web.example.org", "_web._udp.example.org"};
    event.serial = 99;
    event.times = {.detected = at(1),
                   .submitted = at(2),
                   .committed = at(3),
                   .published = at(4),
                   .first_answered = at(5)};
    event.probes = {{.tick = at(6), .ended = at(7), .success = false, .outcome = "timeout"},
                    {.tick = at(8), .ended = at(9), .success = true, .outcome = "200"}};
    return event;
}

InstanceRow numbered_instance(int number) {
    InstanceRow row;
    row.namespace_name = "example.org";
    row.service = "web";
    row.instance.spec.id = "i-" + std::to_string(number);
    row.instance.spec.ipv4 = parse_ipv4("192.0.2.1");
    row.instance.revision = static_cast<model::Revision>(number);
    return row;
}

std::unique_ptr<Store> must_open(const std::string& path, std::uint64_t events_keep) {
    auto opened = Store::open({.path = path, .synchronous_full = true, .events_keep = events_keep});
    if (!opened) FAIL(opened.error().message);
    return std::move(*opened);
}

std::string octets_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_octets(const std::string& path, const std::string& octets) {
    std::ofstream(path, std::ios::binary) << octets;
}

}  // namespace dnsd::store
