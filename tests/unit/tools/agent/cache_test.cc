#include "tools/agent/cache.h"

#include <doctest/doctest.h>

#include <csignal>

using namespace dnsd::agent;

namespace {

Stale stale_of(std::initializer_list<const char*> names) {
    Stale stale;
    for (const char* name : names) stale.add_name("example.org", name);
    return stale;
}

std::vector<Step> steps(const char* cache, const Stale& stale) {
    return Cache::parse(cache)->steps(stale);
}

}  // namespace

TEST_CASE("unbound is asked name by name, and for a zone as a whole") {
    Stale stale = stale_of({"_web._tcp.example.org", "web.example.org"});
    stale.add_zone("example.net");
    CHECK(steps("unbound", stale) ==
          std::vector<Step>{Ask{"/run/unbound.ctl", "UBCT1 flush_zone example.net\n"},
                            Ask{"/run/unbound.ctl", "UBCT1 flush _web._tcp.example.org\n"},
                            Ask{"/run/unbound.ctl", "UBCT1 flush web.example.org\n"}});
}

TEST_CASE("BIND's rndc is run for names that are not below others, and then only for the apex") {
    const Stale stale =
        stale_of({"web.example.org", "i-1.web.example.org", "example.org", "aweb.example.org"});
    CHECK(steps("bind=rndc -p 9953", stale) ==
          std::vector<Step>{Run{{"rndc", "-p", "9953", "flushtree", "aweb.example.org"}},
                            Run{{"rndc", "-p", "9953", "flushname", "example.org"}},
                            Run{{"rndc", "-p", "9953", "flushtree", "web.example.org"}}});
    Stale many;
    for (char c = 'a'; c <= 'z'; ++c)
        many.add_name("example.org", std::string(1, c) + ".example.org");
    CHECK(steps("bind", many) == std::vector<Step>{Run{{"rndc", "flushtree", "example.org"}}});
}

TEST_CASE("caches that cannot forget single names forget all") {
    const Stale stale = stale_of({"web.example.org"});
    CHECK(steps("dnsmasq=/run/d.pid", stale) == std::vector<Step>{Kill{"/run/d.pid", SIGHUP}});
    CHECK(steps("systemd-resolved", stale) ==
          std::vector<Step>{Run{{"resolvectl", "flush-caches"}}});
    CHECK(steps("systemd-resolved=/run/r.pid", stale) ==
          std::vector<Step>{Kill{"/run/r.pid", SIGUSR2}});
    CHECK(steps("nscd", stale) == std::vector<Step>{Run{{"nscd", "-i", "hosts"}}});
    CHECK(steps("command=varnishadm ban", stale) == std::vector<Step>{Run{{"varnishadm", "ban"}}});
}

TEST_CASE("a cache that nobody knows, or that is nowhere, is refused") {
    CHECK(!Cache::parse("kresd"));
    CHECK(!Cache::parse(""));
    CHECK(!Cache::parse("unbound="));
    CHECK(!Cache::parse("command"));
}
