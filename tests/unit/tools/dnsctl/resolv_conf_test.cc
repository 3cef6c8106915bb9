#include "tools/dnsctl/resolv_conf.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::ctl;

namespace {

ResolverSettings settings(const std::vector<std::string>& dns,
                          std::vector<std::string> zones = {}) {
    ResolverSettings made;
    for (const std::string& text : dns) made.dns.push_back(*parse_name_server(text));
    made.zones = std::move(zones);
    return made;
}

std::string printed(std::string_view word, const ResolverSettings& asked) {
    const auto text = print_resolver_configuration(*find_resolver_format(word), asked);
    return text ? *text : "refused: " + text.error().message;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("a name server is an address, and a port unless it is 53") {
    CHECK(parse_name_server("192.0.2.1")->print() == "192.0.2.1:53");
    CHECK(parse_name_server("192.0.2.1:5300")->port == 5300);
    CHECK(parse_name_server("2001:db8::1")->print() == "[2001:db8::1]:53");
    CHECK(parse_name_server("[2001:db8::1]:5300")->port == 5300);
    for (const char* text : {"", "ns.example.org", "192.0.2.1:", "192.0.2.1:65536", "192.0.2"})
        CHECK_FALSE(parse_name_server(text));
}

TEST_CASE("each format writes ports and IPv6 in its own way") {
    const auto asked =
        settings({"192.0.2.1:5300", "2001:db8::1", "[2001:db8::2]:5300"}, {"a.example"});
    CHECK(holds(printed("systemd-resolved", asked),
                "DNS=192.0.2.1:5300 2001:db8::1 [2001:db8::2]:5300\nDomains=~a.example\n"));
    CHECK(holds(printed("unbound", asked),
                "stub-addr: 192.0.2.1@5300\n    stub-addr: 2001:db8::1\n    stub-addr: "
                "2001:db8::2@5300\n"));
    CHECK(holds(printed("dnsmasq", asked),
                "server=/a.example/192.0.2.1#5300\nserver=/a.example/2001:db8::1\n"
                "server=/a.example/2001:db8::2#5300\n"));
    const auto two = settings({"192.0.2.1", "2001:db8::1"});
    CHECK(printed("resolv.conf", two) == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
    CHECK(holds(printed("networkmanager", two), "servers=192.0.2.1,2001:db8::1\n"));
    CHECK(printed("docker", two) == "{\n  \"dns\": [\"192.0.2.1\", \"2001:db8::1\"]\n}\n");
}

TEST_CASE("search domains and ndots stand where a format has a place for them") {
    auto asked = settings({"192.0.2.1"});
    asked.search = {"a.example", "B.example."};
    asked.ndots = 2;
    CHECK(printed("resolv.conf", asked) ==
          "nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2\n");
    CHECK(printed("networkmanager", asked) ==
          "[global-dns]\nsearches=a.example,b.example\noptions=ndots:2\n\n"
          "[global-dns-domain-*]\nservers=192.0.2.1\n");
    CHECK(printed("docker", asked) ==
          "{\n  \"dns\": [\"192.0.2.1\"],\n  \"dns-search\": [\"a.example\", \"b.example\"],\n"
          "  \"dns-opts\": [\"ndots:2\"]\n}\n");
    asked.zones = {"a.example", "c.example"};
    CHECK(printed("systemd-resolved", asked).starts_with("refused: systemd-resolved has no ndots"));
    asked.ndots.reset();
    CHECK(holds(printed("systemd-resolved", asked), "Domains=a.example b.example ~c.example\n"));
    for (const char* word : {"unbound", "dnsmasq"})
        CHECK(holds(printed(word, asked), "has no search list"));
}

TEST_CASE("what a format cannot say is refused, with what to do instead") {
    CHECK(holds(printed("resolv.conf", settings({"0.0.0.0"})), "--dns"));
    CHECK(holds(printed("unbound", settings({"[::]:5300"}, {"a.example"})), "--dns"));
    CHECK(holds(printed("docker", settings({})), "--dns"));
    for (const char* word : {"resolv.conf", "docker", "networkmanager"}) {
        CAPTURE(word);
        CHECK(holds(printed(word, settings({"192.0.2.1:5300"})), "is not on port 53"));
        CHECK(holds(printed(word, settings({"192.0.2.1"}, {"a.example"})), "leave --zone out"));
        CHECK(holds(printed(word, settings({"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"})),
                    "at most 3"));
    }
    for (const char* word : {"systemd-resolved", "unbound", "dnsmasq"})
        CHECK(holds(printed(word, settings({"192.0.2.1"})), "--everything"));
    auto dotty = settings({"192.0.2.1"});
    dotty.ndots = 16;
    CHECK(holds(printed("resolv.conf", dotty), "at most 15"));
}

TEST_CASE("nothing but a domain gets into a file") {
    for (const char* name :
         {"", "a b", "a\nserver=/x/192.0.2.9", "a\"b", "a..b", "a/b", "~a", "\\065"}) {
        CAPTURE(name);
        CHECK(holds(printed("unbound", settings({"192.0.2.1"}, {name})), "is no domain"));
    }
    CHECK(
        holds(printed("dnsmasq", settings({"192.0.2.1"}, {std::string(64, 'a')})), "is no domain"));
    CHECK(holds(printed("dnsmasq", settings({"192.0.2.1"}, {"_tcp.A-1.Example."})),
                "server=/_tcp.a-1.example/192.0.2.1\n"));
}

TEST_CASE("everything, which is the root zone too") {
    auto asked = settings({"192.0.2.1:5300"}, {"a.example"});
    asked.everything = true;
    auto root = settings({"192.0.2.1:5300"}, {"a.example", "."});
    for (const char* word : {"systemd-resolved", "unbound", "dnsmasq"})
        CHECK(printed(word, asked) == printed(word, root));
    CHECK(printed("systemd-resolved", asked) == "[Resolve]\nDNS=192.0.2.1:5300\nDomains=~.\n");
    CHECK(printed("dnsmasq", asked) ==
          "no-resolv\nserver=192.0.2.1#5300\n# They may hold private addresses; for "
          "stop-dns-rebind.\nrebind-domain-ok=/a.example/\n");
    CHECK(printed("dnsmasq", settings({"192.0.2.1"}, {"@"})) == "no-resolv\nserver=192.0.2.1\n");
    const std::string unbound = printed("unbound", asked);
    CHECK(holds(unbound, "forward-zone:\n    name: \".\"\n    forward-addr: 192.0.2.1@5300\n"));
    CHECK(holds(unbound, "domain-insecure: \"a.example\""));
    CHECK_FALSE(holds(unbound, "stub-zone"));
}

TEST_CASE("unbound is allowed to ask a loopback address, and a container is warned of one") {
    const auto near = settings({"127.0.0.1:5300"}, {"a.example"});
    CHECK(holds(printed("unbound", near), "do-not-query-localhost: no\n"));
    CHECK_FALSE(holds(printed("unbound", settings({"192.0.2.1"}, {"a.example"})), "localhost"));
    const auto& docker = *find_resolver_format("docker");
    CHECK(holds(warning_about(docker, settings({"192.0.2.1", "::1"})), "::1"));
    CHECK(warning_about(docker, settings({"192.0.2.1"})).empty());
    CHECK(warning_about(*find_resolver_format("resolv.conf"), settings({"127.0.0.1"})).empty());
}
