#include "dnsd/forward/cache.h"

#include <doctest/doctest.h>

#include <thread>

#include "tests/support/messages.h"

using namespace dnsd;
using namespace dnsd::forward;
using test::asked;
using wire::RrType;
using wire::Section;

namespace {

constexpr std::string_view soa = "ns.example.org. host.example.org. 1 2 3 4 60";

SteadyTime at(double seconds) {
    return SteadyTime(std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(1000 + seconds)));
}

wire::Response address(std::string_view name, std::uint32_t ttl) {
    return test::response(asked(name), {{Section::Answer, name, ttl, RrType::A, "192.0.2.1"}});
}
wire::Response nothing(std::string_view name, std::uint32_t ttl) {
    return test::response(asked(name), {{Section::Authority, "example.org", ttl, RrType::SOA, soa}},
                          wire::Rcode::NxDomain);
}

}  // namespace

TEST_CASE("an answer is found until its TTL has passed, and ages") {
    Cache cache({});
    cache.put(asked("www.example.org"), address("www.example.org", 10), at(0), cache.epoch());
    const auto found = cache.find(asked("WWW.example.ORG"), at(3.9));
    REQUIRE(found.aged);
    CHECK(found.aged->age == 3);
    CHECK(found.aged->ttl_lowered == 3);
    CHECK_FALSE(found.aged->is_stale);
    CHECK_FALSE(cache.find(asked("www.example.org"), at(10)).aged);
    CHECK_FALSE(cache.find(asked("www.example.org", RrType::AAAA), at(1)).aged);
    auto with_do = asked("www.example.org");
    with_do.dnssec_ok = true;
    CHECK_FALSE(cache.find(with_do, at(1)).aged);
    CHECK(cache.totals().hits == 1);
    CHECK(cache.totals().misses == 3);
}

TEST_CASE("near its end an answer is asked for again, once") {
    Cache cache({.prefetch_percent = 10});
    cache.put(asked("www.example.org"), address("www.example.org", 10), at(0), cache.epoch());
    CHECK_FALSE(cache.find(asked("www.example.org"), at(8.9)).prefetch);
    CHECK(cache.find(asked("www.example.org"), at(9.1)).prefetch);
    CHECK_FALSE(cache.find(asked("www.example.org"), at(9.2)).prefetch);
    // It failed: the answer is given on until the next try, and then asked for.
    cache.retry_later(asked("www.example.org"), at(9.5));
    CHECK(cache.find(asked("www.example.org"), at(30)).aged->is_stale);
    CHECK_FALSE(cache.find(asked("www.example.org"), at(39.6)).aged);
}

TEST_CASE("RFC 8767: positive answers may be stale for a bounded time, negative ones never") {
    Cache cache({.stale_max = 100});
    cache.put(asked("www.example.org"), address("www.example.org", 10), at(0), cache.epoch());
    cache.put(asked("no.example.org"), nothing("no.example.org", 10), at(0), cache.epoch());
    CHECK_FALSE(cache.find(asked("www.example.org"), at(50)).aged);
    const auto stale = cache.find_stale(asked("www.example.org"), at(50));
    REQUIRE(stale);
    CHECK(stale->is_stale);
    CHECK(stale->stale_ttl == 30);
    CHECK(stale->stale_for == 40);
    CHECK_FALSE(cache.find_stale(asked("www.example.org"), at(110)));
    CHECK_FALSE(cache.find_stale(asked("no.example.org"), at(11)));
}

TEST_CASE("a failure is kept for its time and is never an alternative") {
    Cache cache({});
    const auto question = asked("www.example.org");
    cache.put(question,
              wire::Response::failure(question.question, wire::Rcode::ServFail,
                                      wire::ExtendedError::NetworkError, "", 1),
              at(0), cache.epoch());
    CHECK(cache.find(question, at(0.5)).aged);
    CHECK_FALSE(cache.find(question, at(1.5)).aged);
    CHECK_FALSE(cache.find_stale(question, at(0.5)));
}

TEST_CASE("policies say what TTLs mean") {
    const auto question = asked("www.example.org");
    const auto kept = [&](CacheOptions options, std::uint32_t ttl, double when) {
        Cache cache(options);
        cache.put(question, address("www.example.org", ttl), at(0), cache.epoch());
        return cache.find(question, at(when)).aged.has_value();
    };
    CHECK_FALSE(kept({.policy = CachePolicy::Off}, 10, 1));
    CHECK(kept({.policy = CachePolicy::Pin}, 10, 1e6));
    CHECK(kept({.policy = CachePolicy::Clamp, .ttl_min = 100}, 10, 99));
    CHECK_FALSE(kept({.policy = CachePolicy::Clamp, .ttl_max = 5}, 10, 6));
    CHECK_FALSE(kept({.policy = CachePolicy::Clamp, .ttl_min = 100}, 0, 1));  // 0 is 0
    CHECK_FALSE(kept({.ttl_max = 5}, 10, 6));
    Cache cache({.negative_ttl_max = 5});
    cache.put(question, nothing("www.example.org", 60), at(0), cache.epoch());
    CHECK_FALSE(cache.find(question, at(6)).aged);
}

TEST_CASE(
    "a name, a type of it, or a subtree is forgotten; what was asked before does not return") {
    Cache cache({});
    for (const char* name : {"a.example.org", "b.a.example.org", "example.net"}) {
        cache.put(asked(name), address(name, 10), at(0), cache.epoch());
    }
    const std::uint64_t before = cache.epoch();
    CHECK(cache.flush(test::name("a.example.org"), RrType::AAAA, false) == 0);
    CHECK(cache.flush(test::name("A.example.org"), RrType::A, false) == 1);
    CHECK(cache.flush(test::name("org"), std::nullopt, true) == 1);
    CHECK(cache.totals().entries == 1);
    cache.put(asked("a.example.org"), address("a.example.org", 10), at(0), before);
    CHECK_FALSE(cache.find(asked("a.example.org"), at(1)).aged);
}

TEST_CASE("memory is bounded: what was used least recently goes") {
    Cache cache({.octets_max = 64 * 1024});
    const auto name = [](int number) { return "n" + std::to_string(number) + ".example.org"; };
    for (int i = 0; i < 2000; ++i) {
        cache.put(asked(name(i)), address(name(i), 1000), at(0), cache.epoch());
        cache.find(asked(name(0)), at(1));
    }
    CHECK(cache.totals().octets <= 64 * 1024);
    CHECK(cache.totals().evictions > 1000);
    CHECK(cache.find(asked(name(0)), at(1)).aged);
    CHECK_FALSE(cache.find(asked(name(1)), at(1)).aged);
    CHECK(cache.find(asked(name(1999)), at(1)).aged);
}

TEST_CASE("many threads find, keep and forget at once") {
    Cache cache({.octets_max = 64 * 1024});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 500; ++i) {
                const auto question = asked("n" + std::to_string(i % 50) + ".example.org");
                const auto found = cache.find(question, at(i));
                if (found.aged)
                    CHECK(found.aged->response->question_name() == question.question.name);
                cache.put(question,
                          wire::Response::failure(question.question, wire::Rcode::ServFail,
                                                  wire::ExtendedError::Other, "", 100),
                          at(i), cache.epoch());
                if (i % 100 == thread) cache.flush(test::name("example.org"), std::nullopt, true);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(cache.totals().entries <= 50);
}
