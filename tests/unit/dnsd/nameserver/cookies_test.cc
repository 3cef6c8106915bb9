#include "dnsd/nameserver/cookies.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "dnsd/nameserver/answer.h"
#include "tests/support/queries.h"
#include "tests/support/zones.h"
#include "zone/wire/message.h"
#include "zone/wire/presentation.h"

using namespace dnsd;
using namespace dnsd::nameserver;
using test::name;
using wire::Rcode;
using wire::RrType;

namespace {

using Octets = std::vector<std::uint8_t>;

Octets octets(std::string_view hex) { return *wire::parse_hex(hex); }
WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
CookieSecrets secrets(std::initializer_list<const char*> hex) {
    std::vector<CookieSecrets::Secret> made;
    for (const char* one : hex) made.push_back(*CookieSecrets::parse(one));
    return CookieSecrets(std::move(made));
}
bool is_same(const Octets& a, std::span<const std::uint8_t> b) { return std::ranges::equal(a, b); }

constexpr const char* secret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
constexpr const char* client_cookie = "2464c4abcf10c957";
const IpAddress client = *parse_ip("198.51.100.100");
constexpr std::int64_t made_at = 1'559'731'985;

// A query with a COOKIE option; as many as there are texts.
Octets query_with(std::initializer_list<Octets> cookies,
                  std::string_view qname = "web.example.org") {
    Octets query = test::query(qname, {.udp_payload = 1232});
    Octets options;
    for (const Octets& cookie : cookies) {
        for (const std::size_t octet :
             {std::size_t{0}, std::size_t{10}, std::size_t{0}, cookie.size()})
            options.push_back(static_cast<std::uint8_t>(octet));
        options.insert(options.end(), cookie.begin(), cookie.end());
    }
    query.back() = static_cast<std::uint8_t>(options.size());
    query.insert(query.end(), options.begin(), options.end());
    return query;
}

struct Fixture {
    std::shared_ptr<const tree::ZoneSet> zones;
    AnswerOptions options;
    AnswerCounters counters;
    Random random{1};
    CookieSecrets made = secrets({secret});
    std::optional<RateLimiter> rates;
    std::size_t octets_kept = 0;

    Fixture() {
        tree::ZoneEdit edit(tree::Zone::make(name("example.org")));
        edit.set(name("example.org"), test::rrset(RrType::SOA, Octets(22, 0)));
        edit.set(name("web.example.org"), test::rrset(RrType::A));
        edit.set(name("*.wild.example.org"), test::rrset(RrType::A));
        zones = tree::ZoneSet().with(edit.finish());
    }

    Octets answer_to(const Octets& query, Transport transport = Transport::Udp) {
        Octets reply(65'535);
        reply.resize(answer(query,
                            {.zones = *zones,
                             .options = options,
                             .transport = transport,
                             .now = at(made_at),
                             .random = random,
                             .counters = counters,
                             .client = client,
                             .octets_kept = octets_kept,
                             .cookies = &made,
                             .rates = rates ? &*rates : nullptr},
                            reply)
                         .octets);
        return reply;
    }
};

// What a reply says: its rcode, all twelve bits, and the cookie in it.
struct Said {
    Rcode rcode{};
    bool is_truncated = false;
    std::size_t answers = 0;
    Octets cookie;
};
Said said(const Octets& reply) {
    const auto message = wire::decode_message(reply);
    REQUIRE(message);
    Said said{message->rcode(), message->truncated(), 0, {}};
    for (const auto& record : message->records) {
        said.answers += record.section == wire::Section::Answer;
        if (record.type != RrType::OPT) continue;
        said.rcode = static_cast<Rcode>((record.ttl >> 24 << 4) | (message->flags & 0x0f));
        if (record.rdata.size() >= 4 && record.rdata[1] == 10)
            said.cookie.assign(record.rdata.begin() + 4, record.rdata.begin() + 28);
    }
    return said;
}

const Octets fresh = octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480");

}  // namespace

TEST_CASE("SipHash-2-4 gives its authors' vectors") {
    SipHashKey key;
    for (std::uint8_t i = 0; i < key.size(); ++i) key[i] = i;
    Octets message;
    const std::pair<std::size_t, std::uint64_t> vectors[] = {{0, 0x726fdb47dd0e0e31},
                                                             {1, 0x74f839c593dc67fd},
                                                             {8, 0x93f5f5799a932462},
                                                             {15, 0xa129ca6149be45e5},
                                                             {63, 0x958a324ceb064572}};
    for (const auto& [size, hash] : vectors) {
        while (message.size() < size) message.push_back(static_cast<std::uint8_t>(message.size()));
        CHECK(siphash24(key, message) == hash);
    }
}

TEST_CASE("RFC 9018, appendix A: the cookies are those of all other name servers") {
    const CookieSecrets one = secrets({secret});
    // A.1: a client without a server cookie learns one.
    CookieVerdict verdict = one.judge(octets(client_cookie), client, at(made_at));
    CHECK_FALSE(verdict.is_valid);
    CHECK(is_same(fresh, verdict.reply));
    // A.2: the same client, forty minutes later, gets a new one.
    verdict = one.judge(fresh, client, at(1'559'734'385));
    CHECK(verdict.is_valid);
    CHECK(is_same(octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77"), verdict.reply));
    // A.3: another client, whose reserved octets are not zero. It was right when it was made; at
    // the time of the example it is too old for us.
    const IpAddress another = *parse_ip("203.0.113.203");
    const Octets reserved = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
    CHECK(one.judge(reserved, another, at(1'559'727'985)).is_valid);
    verdict = one.judge(reserved, another, at(1'559'734'700));
    CHECK_FALSE(verdict.is_valid);
    CHECK(is_same(octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"), verdict.reply));
    // A.4: an IPv6 client, and a secret that was rolled over.
    const CookieSecrets two =
        secrets({"445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"});
    const IpAddress v6 = *parse_ip("2001:db8:220:1:59de:d0f4:8769:82b8");
    verdict = two.judge(octets("22681ab97d52c298010000005cf7c57926556bd0934c72f8"), v6,
                        at(1'559'741'961));
    CHECK(verdict.is_valid);
    CHECK(is_same(octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a"), verdict.reply));
}

TEST_CASE(
    "RFC 9018 §4.3: a cookie is good for an hour, renewed after half, and five minutes ahead") {
    const CookieSecrets one = secrets({secret});
    struct Case {
        std::int64_t later;
        bool is_valid, is_kept;
    };
    for (const Case& c : {Case{0, true, true}, Case{1800, true, true}, Case{1801, true, false},
                          Case{3600, true, false}, Case{3601, false, false}, Case{-300, true, true},
                          Case{-301, false, false}}) {
        const CookieVerdict verdict = one.judge(fresh, client, at(made_at + c.later));
        CHECK(verdict.is_valid == c.is_valid);
        CHECK(is_same(fresh, verdict.reply) == c.is_kept);
    }
}

TEST_CASE("a cookie is for one client, one address and one secret, to the last bit") {
    const CookieSecrets one = secrets({secret});
    CHECK_FALSE(one.judge(fresh, *parse_ip("198.51.100.101"), at(made_at)).is_valid);
    CHECK_FALSE(
        secrets({"445536bcd2513298075a5d379663c962"}).judge(fresh, client, at(made_at)).is_valid);
    for (std::size_t bit = 0; bit < 8 * fresh.size(); ++bit) {
        Octets changed = fresh;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1U << bit % 8);
        CHECK_FALSE(one.judge(changed, client, at(made_at)).is_valid);
    }
}

TEST_CASE("a secret is 32 hex digits") {
    CHECK(CookieSecrets::parse(secret));
    for (const char* text :
         {"", "e5", "e5e973e5a6b2a43f48e7dc849e37bfcg", "e5e973e5a6b2a43f48e7dc849e37bfcf00"}) {
        CHECK_FALSE(CookieSecrets::parse(text));
    }
}

TEST_CASE("RFC 7873 §5.2.3: whoever has a client cookie learns a server cookie with the answer") {
    Fixture f;
    for (const Transport transport : {Transport::Udp, Transport::Tcp}) {
        const Said first = said(f.answer_to(query_with({octets(client_cookie)}), transport));
        CHECK(first.rcode == Rcode::NoError);
        CHECK(first.answers == 1);
        CHECK(first.cookie == fresh);
        CHECK(said(f.answer_to(query_with({fresh}), transport)).cookie == fresh);
    }
    CHECK(said(f.answer_to(test::query("web.example.org", {.udp_payload = 1232}))).cookie.empty());
    CHECK(f.counters.bad_cookies.value() == 0);
}

TEST_CASE("RFC 7873 §4: of several cookies the first counts") {
    Fixture f;
    const Octets other = octets("0000000000000000");
    CHECK(said(f.answer_to(query_with({octets(client_cookie), other}))).cookie == fresh);
    CHECK(said(f.answer_to(query_with({octets(client_cookie), octets("00")}))).cookie == fresh);
}

TEST_CASE("RFC 7873 §5.2.2: a cookie of a wrong size is FORMERR") {
    Fixture f;
    for (std::size_t size = 0; size < 50; ++size) {
        const Said reply = said(f.answer_to(query_with({Octets(size, 1)})));
        const bool is_right = size == 8 || (size >= 16 && size <= 40);
        CHECK(reply.rcode == (is_right ? Rcode::NoError : Rcode::FormErr));
        CHECK(reply.cookie.empty() == !is_right);
    }
}

TEST_CASE("a wrong server cookie is counted, and no more, unless cookies are required") {
    Fixture f;
    Octets wrong = fresh;
    wrong.back() ^= 1;
    CHECK(said(f.answer_to(query_with({wrong}))).answers == 1);
    CHECK(said(f.answer_to(query_with({wrong}))).cookie == fresh);
    CHECK(f.counters.bad_cookies.value() == 2);
}

TEST_CASE("RFC 7873 §5.2.3, §5.2.4: where cookies are required, BADCOOKIE brings the right one") {
    Fixture f;
    f.options.require_cookies = true;
    Octets wrong = fresh;
    wrong.back() ^= 1;
    for (const Octets& cookie : {octets(client_cookie), wrong}) {
        const Said refused = said(f.answer_to(query_with({cookie})));
        CHECK(refused.rcode == Rcode::BadCookie);
        CHECK(refused.answers == 0);
        CHECK(refused.cookie == fresh);
    }
    const Said given = said(f.answer_to(query_with({fresh})));
    CHECK(given.rcode == Rcode::NoError);
    CHECK(given.answers == 1);
    CHECK(said(f.answer_to(query_with({wrong}), Transport::Tcp)).answers == 1);
}

TEST_CASE("where cookies are required, who has none is sent to TCP, and who signs is answered") {
    Fixture f;
    f.options.require_cookies = true;
    for (const int udp_payload : {-1, 1232}) {
        const Octets query = test::query("web.example.org", {.udp_payload = udp_payload});
        const Said sent_away = said(f.answer_to(query));
        CHECK(sent_away.rcode == Rcode::NoError);
        CHECK(sent_away.is_truncated);
        CHECK(sent_away.answers == 0);
        CHECK(said(f.answer_to(query, Transport::Tcp)).answers == 1);
        f.octets_kept = 100;
        CHECK(said(f.answer_to(query)).answers == 1);
        f.octets_kept = 0;
    }
}

TEST_CASE("a cookie has its place in the fullest answer") {
    Fixture f;
    tree::ZoneEdit edit(tree::Zone::make(name("example.org")));
    edit.set(name("example.org"), test::rrset(RrType::SOA, Octets(22, 0)));
    std::vector<tree::Rdata> many;
    for (std::uint8_t i = 0; i < 200; ++i) many.push_back({{192, 0, 2, i}, 0});
    edit.set(name("web.example.org"),
             std::make_shared<const tree::RRset>(RrType::A, 5, std::move(many)));
    f.zones = tree::ZoneSet().with(edit.finish());
    const Octets reply = f.answer_to(query_with({octets(client_cookie)}));
    CHECK(reply.size() <= 1232);
    CHECK(said(reply).is_truncated);
    CHECK(said(reply).cookie == fresh);
}

TEST_CASE("over the rate limit, every second answer is cut short, the others are dropped") {
    Fixture f;
    f.rates.emplace(RateLimits{.responses_per_second = 5}, SipHashKey{});
    const Octets query = test::query("web.example.org");
    for (int i = 0; i < 5; ++i) CHECK(said(f.answer_to(query)).answers == 1);
    for (int i = 0; i < 3; ++i) {
        CHECK(f.answer_to(query).empty());
        const Said cut = said(f.answer_to(query));
        CHECK(cut.is_truncated);
        CHECK(cut.answers == 0);
    }
    CHECK(f.counters.rate_dropped.value() == 3);
    CHECK(f.counters.rate_slipped.value() == 3);
    // Other ways to ask are open, and those who come with a cookie get one.
    CHECK(said(f.answer_to(query, Transport::Tcp)).answers == 1);
    CHECK(said(f.answer_to(query_with({fresh}))).answers == 1);
    CHECK(f.answer_to(query_with({octets(client_cookie)})).empty());
    const Said with_cookie = said(f.answer_to(query_with({octets(client_cookie)})));
    CHECK(with_cookie.rcode == Rcode::BadCookie);
    CHECK(with_cookie.cookie == fresh);
    f.octets_kept = 100;
    CHECK(said(f.answer_to(query)).answers == 1);
}

TEST_CASE("names that are made up count as one: their zone's, their wildcard's, or none") {
    for (const char* parent : {".example.org", ".wild.example.org", ".example.net"}) {
        Fixture f;
        f.rates.emplace(RateLimits{.responses_per_second = 5, .slip = 0}, SipHashKey{});
        int answered = 0;
        for (int i = 0; i < 50; ++i)
            answered += !f.answer_to(test::query("x" + std::to_string(i) + parent)).empty();
        CHECK(answered == 5);
        CHECK_FALSE(f.answer_to(test::query("web.example.org")).empty());
    }
}
