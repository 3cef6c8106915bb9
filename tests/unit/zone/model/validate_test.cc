#include "zone/model/validate.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <utility>

using namespace dnsd;
using namespace dnsd::model;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> pointers(const std::vector<FieldError>& errors) {
    std::vector<std::string> out;
    for (const FieldError& error : errors) {
        CHECK_FALSE(error.detail.empty());
        out.push_back(error.pointer);
    }
    return out;
}

template <class Spec>
using Bend = std::pair<std::string, std::function<void(Spec&)>>;  // a pointer, and what breaks it

template <class Spec>
void check_each_is_refused(const Spec& good, const std::vector<Bend<Spec>>& bends) {
    REQUIRE(validate(good).empty());
    for (std::size_t i = 0; i < bends.size(); ++i) {
        CAPTURE(i);
        CAPTURE(bends[i].first);
        Spec bad = good;
        bends[i].second(bad);
        CHECK(pointers(validate(bad)) == std::vector{bends[i].first});
    }
}

NamespaceSpec good_namespace() { return {.name = "example.org"}; }

ServiceSpec good_service() {
    ServiceSpec spec = fast_defaults().service;
    spec.namespace_name = "example.org";
    spec.name = "web";
    spec.check.type = CheckType::Http;
    return spec;
}

InstanceSpec good_instance() {
    return {.id = "i-1", .ipv4 = parse_ipv4("192.0.2.1"), .port = 8080};
}

const std::string label63(63, 'a');

}  // namespace

TEST_CASE("BEHAVIOUR §1: an id's label never changes between versions") {
    const std::string a50(50, 'a');
    const std::vector<std::pair<std::string, std::string>> table{
        {"i-1", "i-1"},
        {"0", "0"},
        {"i--1", "i--1"},
        {"deadbeef", "deadbeef"},
        {"x-deadbee", "x-deadbee"},
        {"x-deadbeefa", "x-deadbeefa"},
        {a50 + "aaaa", a50 + "aaaa"},
        // Longer than 54 octets, or like an escaped one.
        {a50 + "aaaaa", a50 + "aaaa-9f4390f8"},
        {"x-deadbeef", "x-deadbeef-65f29b0e"},
        {"x-DEADBEEF", "x-deadbeef-c9af2a33"},
        // Other octets than those of a lower-case LDH label.
        {"I-1", "i-1-2e0b8465"},
        {"web_1", "web-1-c703c3ba"},
        {"10.0.0.1:8080", "10-0-0-1-8080-120e9814"},
        {"2001:db8::1", "2001-db8--1-5afd19e8"},
        {"user@host/app", "user-host-app-f3014b02"},
        {"arn:aws:ecs:eu/task.1", "arn-aws-ecs-eu-task-1-8d86739c"},
        // Outer hyphens are trimmed before it is cut, not after.
        {"-a-", "a-a75a468f"},
        {"a-", "a-9baf4407"},
        {"___", "-bda25155"},
        {a50 + "aaa-bbbbbbbbbb", a50 + "aaa--6a30f87a"},
        {std::string(64, 'A'), a50 + "aaaa-d53eda7a"},
    };
    for (const auto& [id, label] : table) {
        CAPTURE(id);
        CHECK(instance_label(id) == label);
        CHECK(label.size() <= 63);
    }
}

TEST_CASE("a namespace is refused field by field") {
    check_each_is_refused<NamespaceSpec>(
        good_namespace(),
        {
            {"/name", [](auto& spec) { spec.name = ""; }},
            {"/name", [](auto& spec) { spec.name = label63 + "a.org"; }},
            {"/name", [](auto& spec) { spec.name = "a..org"; }},
            {"/name", [](auto& spec) { spec.name = ".org"; }},
            {"/name", [](auto& spec) { spec.name = "example.org."; }},
            {"/name", [](auto& spec) { spec.name = "Example.org"; }},
            {"/name", [](auto& spec) { spec.name = "exa mple.org"; }},
            {"/name", [](auto& spec) { spec.name = "ex\xc3\xa4mple.org"; }},
            {"/name", [](auto& spec) { spec.name = "arn:example"; }},
            {"/name", [](auto& spec) { spec.name = "a\\"; }},
            {"/name", [](auto& spec) { spec.name = "a\\25"; }},
            {"/name", [](auto& spec) { spec.name = "a\\256"; }},
            {"/name", [](auto& spec) { spec.dns = false, spec.name = ""; }},
            {"/name", [](auto& spec) { spec.dns = false, spec.name = std::string(1025, 'a'); }},
            {"/name", [](auto& spec) { spec.dns = false, spec.name = "a b"; }},
            {"/ttl", [](auto& spec) { spec.ttl = 2'147'483'648; }},
            {"/negative_ttl", [](auto& spec) { spec.negative_ttl = 4'294'967'295; }},
            {"/description", [](auto& spec) { spec.description = std::string(1025, 'a'); }},
            {"/description", [](auto& spec) { spec.description = "\xc3"; }},
        });
}

TEST_CASE("RFC 1035 §2.3.4: labels of 63 and names of 255 octets are allowed, not more") {
    const std::string three = label63 + "." + label63 + "." + label63 + ".";
    for (const std::string& name :
         {std::string("."), std::string("org"), label63 + ".org", three + std::string(61, 'a'),
          std::string("a\\.b.org"), std::string("a\\000b.org"),
          three + std::string(60, 'a') + "\\255"}) {
        CAPTURE(name);
        CHECK(validate(NamespaceSpec{.name = name}).empty());
    }
    CHECK(pointers(validate(NamespaceSpec{.name = three + std::string(62, 'a')})) ==
          std::vector<std::string>{"/name"});
}

TEST_CASE("an HTTP namespace may have any visible name, and TTLs have both ends") {
    NamespaceSpec spec{.name = "My!Name/" + std::string(1016, 'x'), .dns = false};
    CHECK(validate(spec).empty());
    spec.ttl = 0;
    spec.negative_ttl = 2'147'483'647;
    CHECK(validate(spec).empty());
}

TEST_CASE("service names are Cloud Map's") {
    ServiceSpec spec = good_service();
    for (const char* name :
         {"web", "a", "7", "a.b", "_web._tcp", "web_", "__", "a-b", "Web", "."}) {
        CAPTURE(name);
        spec.name = name;
        CHECK(validate(spec).empty());
    }
    for (const std::string& name :
         {std::string(""), std::string("_"), std::string("-a"), std::string("a-"),
          std::string("a..b"), std::string("a."), std::string(".a"), std::string("a b"),
          std::string("a@b"), label63 + "a", label63 + "." + label63 + ".a"}) {
        CAPTURE(name);
        spec.name = name;
        CHECK(pointers(validate(spec)) == std::vector<std::string>{"/name"});
    }
}

TEST_CASE("a service is refused field by field") {
    check_each_is_refused<ServiceSpec>(
        good_service(),
        {
            {"/description", [](auto& spec) { spec.description = std::string(1025, 'a'); }},
            {"/ttl/A", [](auto& spec) { spec.ttl.a = 2'147'483'648; }},
            {"/ttl/AAAA", [](auto& spec) { spec.ttl.aaaa = 2'147'483'648; }},
            {"/ttl/SRV", [](auto& spec) { spec.ttl.srv = 2'147'483'648; }},
            {"/ttl", [](auto& spec) { spec.ttl = {2'147'483'648, 2'147'483'648, 2'147'483'648}; }},
            {"/record_types",
             [](auto& spec) { spec.record_types = {RecordType::A, RecordType::A}; }},
            {"/max_answers", [](auto& spec) { spec.max_answers = 0; }},
            {"/panic_threshold", [](auto& spec) { spec.panic_threshold = -1; }},
            {"/panic_threshold", [](auto& spec) { spec.panic_threshold = 100.5; }},
            {"/panic_threshold",
             [](auto& spec) { spec.panic_threshold = std::numeric_limits<double>::quiet_NaN(); }},
            {"/max_age", [](auto& spec) { spec.max_age = -1ms; }},
            {"/flap_window", [](auto& spec) { spec.flap_window = 0ms; }},
            {"/custom_health_delay", [](auto& spec) { spec.custom_health_delay = 30'001ms; }},
            {"/custom_health_delay", [](auto& spec) { spec.custom_health_delay = -1ms; }},
            {"/check/interval",
             [](auto& spec) { spec.check.interval = 99ms, spec.check.timeout = 50ms; }},
            {"/check/interval", [](auto& spec) { spec.check.interval = 3'600'001ms; }},
            {"/check/timeout", [](auto& spec) { spec.check.timeout = 1'001ms; }},
            {"/check/timeout", [](auto& spec) { spec.check.timeout = 0ms; }},
            {"/check/connect_timeout", [](auto& spec) { spec.check.connect_timeout = 901ms; }},
            {"/check/connect_timeout", [](auto& spec) { spec.check.connect_timeout = 0ms; }},
            {"/check/rise", [](auto& spec) { spec.check.rise = 0; }},
            {"/check/fall", [](auto& spec) { spec.check.fall = 1001; }},
            {"/check/path", [](auto& spec) { spec.check.path = ""; }},
            {"/check/path", [](auto& spec) { spec.check.path = "health"; }},
            {"/check/path", [](auto& spec) { spec.check.path = "/a HTTP/1.1\r\nHost: b"; }},
            {"/check/path", [](auto& spec) { spec.check.path = "/" + std::string(255, 'a'); }},
            {"/check/host", [](auto& spec) { spec.check.host = ""; }},
            {"/check/host", [](auto& spec) { spec.check.host = "a\r\nX: b"; }},
            {"/check/port", [](auto& spec) { spec.check.port = 0; }},
            {"/check/expected_status", [](auto& spec) { spec.check.expected_status_least = 99; }},
            {"/check/expected_status", [](auto& spec) { spec.check.expected_status_most = 600; }},
            {"/check/expected_status", [](auto& spec) { spec.check.expected_status_least = 400; }},
            {"/check/body_substring", [](auto& spec) { spec.check.body_substring = ""; }},
            {"/check/body_substring",
             [](auto& spec) { spec.check.body_substring = std::string(5121, 'a'); }},
            {"/report_threshold", [](auto& spec) { spec.report_threshold = 0; }},
            {"/report_threshold", [](auto& spec) { spec.report_threshold = 1001; }},
            {"/report_window", [](auto& spec) { spec.report_window = 99ms; }},
            {"/report_window", [](auto& spec) { spec.report_window = 3601s; }},
            {"/check/grpc_service", [](auto& spec) { spec.check.grpc_service = "a b"; }},
            {"/check/grpc_service",
             [](auto& spec) { spec.check.grpc_service = std::string(256, 'a'); }},
            {"/check/lease_ttl", [](auto& spec) { spec.check.lease_ttl = 99ms; }},
            {"/check/lease_ttl", [](auto& spec) { spec.check.lease_ttl = 24h + 1ms; }},
        });
}

TEST_CASE("the timeout is bound to the interval only where there are probes") {
    ServiceSpec spec = good_service();
    spec.check.interval = 100ms;
    spec.check.timeout = 100ms;
    CHECK(validate(spec).empty());
    spec.check.timeout = 900ms;
    CHECK_FALSE(validate(spec).empty());
    for (const CheckType type : {CheckType::None, CheckType::Lease, CheckType::Custom}) {
        spec.check.type = type;
        CHECK(validate(spec).empty());
    }
}

TEST_CASE("every bad field is named, not the first alone") {
    ServiceSpec spec = good_service();
    spec.name = "-";
    spec.max_answers = 0;
    spec.check.rise = 0;
    CHECK(pointers(validate(spec)) ==
          std::vector<std::string>{"/name", "/max_answers", "/check/rise"});
}

TEST_CASE("an instance is refused field by field") {
    const auto attribute = [](std::string key, std::string value) {
        return [key = std::move(key), value = std::move(value)](InstanceSpec& spec) {
            spec.attributes[key] = value;
        };
    };
    check_each_is_refused<InstanceSpec>(
        good_instance(),
        {
            {"/id", [](auto& spec) { spec.id = ""; }},
            {"/id", [](auto& spec) { spec.id = std::string(65, 'a'); }},
            {"/id", [](auto& spec) { spec.id = "a b"; }},
            {"/id", [](auto& spec) { spec.id = "a%2F"; }},
            {"/ipv4", [](auto& spec) { spec.ipv4 = Ipv4{}; }},
            {"/ipv6", [](auto& spec) { spec.ipv6 = Ipv6{}; }},
            {"/port", [](auto& spec) { spec.port = 0; }},
            {"/attributes/", attribute("", "b")},
            {"/attributes/a b", attribute("a b", "c")},
            {"/attributes/a~1b~0", attribute("a/b~", " c")},
            {"/attributes/a", attribute("a", "\xc3\xa4")},
            {"/attributes/a", attribute("a", "a\nb")},
            {"/attributes/a", attribute("a", std::string(1025, 'b'))},
            {"/attributes/" + std::string(256, 'a'), attribute(std::string(256, 'a'), "")},
            {"/attributes",
             [](auto& spec) {
                 for (int i = 0; i < 31; ++i) spec.attributes["key" + std::to_string(i)] = "";
             }},
            {"/attributes",
             [](auto& spec) {  // 5 times 1,001
                 for (const char key : {'a', 'b', 'c', 'd', 'e'})
                     spec.attributes[std::string(1, key)] = std::string(1000, 'v');
             }},
        });
}

TEST_CASE("attributes up to every limit are allowed") {
    InstanceSpec spec = good_instance();
    for (int i = 0; i < 30; ++i) spec.attributes["key" + std::to_string(i)] = "a \t b~! ";
    CHECK(validate(spec).empty());
    spec.attributes = {{std::string(255, 'k'), std::string(1024, 'v')}};
    CHECK(validate(spec).empty());
    spec.attributes.clear();
    for (const char key : {'a', 'b', 'c', 'd', 'e'})
        spec.attributes[std::string(1, key)] = std::string(999, 'v');
    CHECK(validate(spec).empty());
    spec.id = "_/:.@-" + std::string(58, 'Z');
    CHECK(validate(spec).empty());
}

TEST_CASE("fields of zones are for zones, and those of primaries not for secondaries") {
    const auto key = [](std::string name) {
        return Peer{*SocketAddress::parse("192.0.2.1:53"), std::move(name)};
    };
    const std::string long_label(64, 'a');
    check_each_is_refused<NamespaceSpec>(
        good_namespace(), {{"/primaries/0", [&](auto& s) { s.primaries = {key(long_label)}; }},
                           {"/notify/1", [&](auto& s) { s.notify = {key(""), key("a..b")}; }},
                           {"/notify", [&](auto& s) { s.notify.assign(65, key("")); }},
                           {"/transfer/0", [&](auto& s) { s.transfer = {{{}, long_label}}; }},
                           {"/updaters/0", [](auto& s) { s.updaters = {""}; }},
                           {"/reverse",
                            [&](auto& s) {
                                s.primaries = {key("")};
                                s.reverse = true;
                            }},
                           {"/updaters", [&](auto& s) {
                                s.primaries = {key("")};
                                s.updaters = {"k"};
                            }}});
    NamespaceSpec without_zone = good_namespace();
    without_zone.dns = false;
    check_each_is_refused<NamespaceSpec>(without_zone,
                                         {{"/reverse", [](auto& s) { s.reverse = true; }},
                                          {"/primaries", [&](auto& s) { s.primaries = {key("")}; }},
                                          {"/notify", [&](auto& s) { s.notify = {key("")}; }},
                                          {"/transfer", [](auto& s) { s.transfer = {{{}, "k"}}; }},
                                          {"/updaters", [](auto& s) { s.updaters = {"k"}; }}});
}
