#include "tools/agent/config.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

using namespace dnsd;
using namespace dnsd::agent;

TEST_CASE(
    "every option at its default is a good configuration, and the shipped file is just that") {
    const Options options(agent::option_table());
    CHECK(check(options));
    std::ifstream file(DNSD_SOURCE "/conf/dnsd-agent.toml");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    CHECK(text == options.print());
}

TEST_CASE("lists are read element by element") {
    Options options(agent::option_table());
    REQUIRE(options.set("caches=['unbound', 'bind=rndc -p 9953']"));
    REQUIRE(options.set("haproxy.socket=/run/haproxy.sock"));
    REQUIRE(options.set("haproxy.backends=['web=Example.org/web']"));
    REQUIRE(options.set("outputs=['example.org/web nginx /etc/nginx/web.conf nginx -s reload']"));
    REQUIRE(check(options));
    CHECK(caches_of(options).size() == 2);
    CHECK(bindings_of(options).at(0).service == ServiceKey{"example.org", "web"});
    const OutputRule rule = outputs_of(options).at(0);
    CHECK(rule.format == "nginx");
    CHECK(rule.file == "/etc/nginx/web.conf");
    CHECK(rule.command == std::vector<std::string>{"nginx", "-s", "reload"});
}

TEST_CASE("what single rows cannot check") {
    for (const char* assignment :
         {"follow=[]", "follow=['192.0.2.1:8053']", "caches=['kresd']",
          "haproxy.backends=['web=example.org/web']", "outputs=['example.org/web nginx']",
          "outputs=['example.org nginx /a']", "outputs=['example.org/web toml /a']"}) {
        Options options(agent::option_table());
        REQUIRE(options.set(assignment));
        CHECK_MESSAGE(!check(options), assignment);
    }
    for (const char* binding : {"web", "web=", "=example.org/web", "web=example.org", "a b=c/d"}) {
        Options options(agent::option_table());
        REQUIRE(options.set("haproxy.socket=/run/haproxy.sock"));
        REQUIRE(options.set(std::string("haproxy.backends=['") + binding + "']"));
        CHECK_MESSAGE(!check(options), binding);
    }
}
