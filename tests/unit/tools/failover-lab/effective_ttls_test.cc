#include <doctest/doctest.h>

#include <cmath>

#include "tools/failover-lab/model/model.h"

using namespace dnsd::lab;
using doctest::Approx;

namespace {

// A cache that counts whole seconds of the wall clock: what is fetched at .25 with a TTL of 1 is
// handed out until the second after the next begins.
EffectiveTtls whole_seconds() {
    std::vector<EffectiveTtls::Sample> samples;
    for (int i = 0; i < 8; ++i) {
        for (const double ttl : {1.0, 5.0})
            samples.push_back({"unbound", ttl, i / 8.0 + 0.001, ttl + 1 - i / 8.0});
    }
    return EffectiveTtls(samples);
}

}  // namespace

TEST_CASE("what was not measured keeps what it promises") {
    const EffectiveTtls promised;
    CHECK(promised.lifetime("cache", 5, 0.3) == 5);
    CHECK(promised.lifetime("cache", 0, 0.3) == 0);
    CHECK(promised.lifetime("jvm", 1, 0.3) == 30);
    CHECK(promised.lifetime("glibc", 5, 0.3) == 0);
}

TEST_CASE("between two phases a lifetime lies on the line between them, up to the second's ends") {
    const EffectiveTtls ttls = whole_seconds();
    CHECK(ttls.lifetime("unbound", 1, 0.251) == Approx(1.75));
    CHECK(ttls.lifetime("unbound", 1, 0.30) == Approx(1.70).epsilon(0.002));
    CHECK(ttls.lifetime("unbound", 1, 0.99) == Approx(1.011).epsilon(0.002));
    CHECK(ttls.lifetime("unbound", 1, 0.0) == Approx(2.0).epsilon(0.002));
}

TEST_CASE("a TTL that was not measured exceeds its promise as the nearest does") {
    const EffectiveTtls ttls = whole_seconds();
    CHECK(ttls.lifetime("unbound", 30, 0.501) == Approx(30.5));
    CHECK(ttls.lifetime("dnsmasq", 30, 0.501) == 30);
    const EffectiveTtls jvm({{"jvm", 1, 0.2, 30.1}});
    CHECK(jvm.lifetime("jvm", 5, 0.7) == Approx(30.1));
}

TEST_CASE("a jump between two phases is on neither side of it") {
    const EffectiveTtls ttls({{"c", 1, 0.25, 1.0}, {"c", 1, 0.5, 2.0}, {"c", 1, 0.5, 2.02}});
    CHECK(ttls.lifetime("c", 1, 0.3) == Approx(1.0));
    CHECK(ttls.lifetime("c", 1, 0.45) == Approx(2.01));
}
