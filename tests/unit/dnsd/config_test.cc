#include "dnsd/config.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

using namespace dnsd;

namespace {

Options with(std::initializer_list<const char*> assignments) {
    Options options(option_table());
    for (const char* assignment : assignments) REQUIRE(options.set(assignment));
    return options;
}

}  // namespace

TEST_CASE("every option at its default is a good configuration, and conf/dnsd.toml is just that") {
    Options options(option_table());
    CHECK(check(options));
    REQUIRE(options.set("user=dnsd"));  // but for whom root becomes
    std::ifstream file(DNSD_SOURCE "/conf/dnsd.toml");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    CHECK(text == options.print());
    Options read(option_table());
    REQUIRE(read.read_toml(text, "dnsd.toml"));
    CHECK(read.print() == options.print());
}

TEST_CASE("the shipped file pins no knob that the profile decides") {
    Options options(option_table());
    REQUIRE(options.read_file(DNSD_SOURCE "/conf/dnsd.toml"));
    REQUIRE(options.set("profile=aws"));
    CHECK(defaults_of(options).ttl == 60);
    CHECK(defaults_of(options).service.check.interval == Milliseconds(30'000));
}

TEST_CASE("conf/quickstart.toml is a good configuration that needs no privilege") {
    Options options(option_table());
    REQUIRE(options.read_file(DNSD_SOURCE "/conf/quickstart.toml"));
    REQUIRE(check(options));
    for (const char* name : {"dns.listen", "api.listen"}) {
        for (const SocketAddress& address : addresses_of(options, name)) {
            CHECK(is_loopback(address.ip));
            CHECK(address.port >= 1024);
        }
    }
}

TEST_CASE("one knob of a profile can be set by itself") {
    const model::Defaults defaults =
        defaults_of(with({"profile=aws", "defaults.ttl=10", "defaults.check_fall=5"}));
    CHECK(defaults.ttl == 10);
    CHECK(defaults.negative_ttl == 900);
    CHECK(defaults.service.check.fall == 5);
    CHECK(defaults.service.check.rise == 3);
}

TEST_CASE("a timeout follows the interval unless it is set") {
    CHECK(defaults_of(with({"defaults.check_interval=0.5"})).service.check.timeout ==
          Milliseconds(450));
    CHECK(defaults_of(with({"defaults.check_interval=0.5", "defaults.check_timeout=0.1"}))
              .service.check.timeout == Milliseconds(100));
    CHECK_FALSE(check(with({"defaults.check_timeout=5"})));
}

TEST_CASE("addresses that are none are refused with what is taken instead") {
    const auto refused = check(with({"dns.listen=localhost:53"}));
    REQUIRE_FALSE(refused);
    CHECK(
        refused.error().message ==
        "dns.listen: 'localhost:53' is no address; it takes '192.0.2.1:53' or '[2001:db8::1]:53'");
    CHECK_FALSE(check(with({"dns.listen=[]"})));
    CHECK_FALSE(check(with({"advertise=example.org"})));
}

TEST_CASE("off loopback tokens are wanted, and TLS unless plain HTTP is asked for by name") {
    CHECK(check(with({"api.listen=['127.0.0.1:0', '[::1]:0']"})));
    CHECK_FALSE(check(with({"api.listen=['0.0.0.0:8053']"})));
    CHECK_FALSE(check(with({"api.listen=['0.0.0.0:8053']", "api.insecure=true"})));
    const auto refused = check(with({"api.listen=['0.0.0.0:8053']", "api.tokens=tokens"}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message ==
          "api.listen: 0.0.0.0:8053 is not loopback, and tokens over plain HTTP can be read on the "
          "way; api.tls_cert prevents it, api.insecure = true allows it");
    CHECK(check(with({"api.listen=['0.0.0.0:8053']", "api.tokens=tokens", "api.insecure=true"})));
    CHECK(check(with({"api.listen=['0.0.0.0:8053']", "api.tokens=tokens", "api.tls_cert=dnsd.pem",
                      "api.tls_key=dnsd.key"})));
    CHECK_FALSE(check(
        with({"api.listen=['0.0.0.0:8053']", "api.tls_cert=dnsd.pem", "api.tls_key=dnsd.key"})));
}

TEST_CASE("a certificate wants its key, and a key its certificate") {
    CHECK_FALSE(check(with({"api.tls_cert=dnsd.pem"})));
    CHECK_FALSE(check(with({"api.tls_key=dnsd.key"})));
    CHECK(check(with({"api.tls_cert=dnsd.pem", "api.tls_key=dnsd.key"})));
}

TEST_CASE("cookie secrets and rate limits are checked before anything starts") {
    for (const char* assignment :
         {"dns.rate_limit_exempt=['10.0.0.1/8']", "dns.rate_limit=-1", "dns.rate_limit=100001",
          "dns.cookie_secret=['e5e973e5']", "dns.cookie_secret=['secret']"}) {
        CAPTURE(assignment);
        Options options(option_table());
        CHECK_FALSE((options.set(assignment) && check(options)));
    }
    CHECK(check(with({"dns.cookie_secret=['e5e973e5a6b2a43f48e7dc849e37bfcf', '/etc/secret']"})));
    CHECK(rate_limits_of(with({})).responses_per_second == 0);
    const nameserver::RateLimits limits =
        rate_limits_of(with({"dns.rate_limit=200", "dns.rate_limit_slip=3",
                             "dns.rate_limit_exempt=['192.0.2.0/24', '2001:db8::/32']"}));
    CHECK(limits.responses_per_second == 200);
    CHECK(limits.slip == 3);
    REQUIRE(limits.exempt.size() == 2);
    CHECK(limits.exempt[1].contains(*parse_ip("2001:db8::1")));
}

TEST_CASE("what forwarding is told is checked before anything starts") {
    for (const char* assignment :
         {"recursion_allow=['10.0.0.1/8']", "recursion_allow=['anybody']",
          "search_lists=['10.0.0.0/8']", "search_lists=['10.0.0.0/8=']",
          "search_lists=['10.0.0.0/8=.']", "search_lists=['x=example.org']",
          "forward.upstreams=['example.org']", "forward.upstreams=['192.0.2.1:x']",
          "forward.domains=['example.org']", "forward.domains=['example.org=192.0.2.1,']",
          "forward.domains=['=192.0.2.1']", "cache.ttl_min=100000"}) {
        CAPTURE(assignment);
        CHECK_FALSE(check(with({assignment})));
    }
    const Options options =
        with({"forward.upstreams=['192.0.2.1', '[2001:db8::1]:5353', '2001:db8::2']",
              "forward.domains=['corp.example=192.0.2.9:54,192.0.2.10']",
              "search_lists=['10.0.0.0/8=a.example,example']"});
    REQUIRE(check(options));
    const auto routes = routes_of(options);
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].domain.print() == "corp.example");
    CHECK(routes[0].upstreams[0].print() == "192.0.2.9:54");
    CHECK(routes[1].upstreams[1].print() == "[2001:db8::1]:5353");
    CHECK(routes[1].upstreams[2].print() == "[2001:db8::2]:53");
    CHECK(search_lists_of(options)[0].domains[1].print() == "example");
}
