#include "zone/wire/tsig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "tests/support/names.h"
#include "tests/support/queries.h"
#include "zone/wire/message.h"
#include "zone/wire/presentation.h"

using namespace dnsd;
using namespace dnsd::wire;
using test::name;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr WallTime signed_at{std::chrono::seconds(1'700'000'000)};

// Made by dnspython 2.3 (dns.message.Message.use_tsig), with a secret of the octets 0 to 31, at
// `signed_at`: a query for example.org SOA, and a reply in three messages of which the second is
// not signed.
struct Exchange {
    TsigAlgorithm algorithm;
    const char* query;
    std::array<const char*, 3> reply;
};
const Exchange exchanges[] = {
    {TsigAlgorithm::HmacSha256,
     "123400000001000000000001076578616d706c65036f7267000006000108747369672d6b6579"
     "0000fa00ff00000000003d0b686d61632d7368613235360000006553f100012c00201f9962d3"
     "25a1591821895325a157ff2b8c4b71cad6338b6f8ec90988df27b189123400000000",
     {"123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020108747369672d6b65790000fa00ff00000000003d0b686d61632d7368613235"
      "360000006553f100012c0020ab7138b4f88698f26b5174e9184d4ff18012efed295d76f4b719"
      "afdd1584b608123400000000",
      "123480000001000100000000076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c0000202",
      "123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020308747369672d6b65790000fa00ff00000000003d0b686d61632d7368613235"
      "360000006553f100012c00201245c4bf6035d19656188945ae820d8486cd2c35ac8033c79149"
      "57aba94c24e4123400000000"}},
    {TsigAlgorithm::HmacSha384,
     "123400000001000000000001076578616d706c65036f7267000006000108747369672d6b6579"
     "0000fa00ff00000000004d0b686d61632d7368613338340000006553f100012c0030d6c11a99"
     "c06eb65a7fc49c3a01c9395521670cfb2cebfdef9b123fbd0b72c0f233dbe77b5de87343a29a"
     "4448195037da123400000000",
     {"123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020108747369672d6b65790000fa00ff00000000004d0b686d61632d7368613338"
      "340000006553f100012c003090547d9ba319ac31a73ccc217d724e6687f222f2fae99e0edeb4"
      "332cbab13131d168b949ab4099909f5ff4a77e839d3f123400000000",
      "123480000001000100000000076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c0000202",
      "123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020308747369672d6b65790000fa00ff00000000004d0b686d61632d7368613338"
      "340000006553f100012c00304c4148aa49320f0947ff8981872e69e9b24eaadbc120c8141b57"
      "3643506d841566b4b2b76e376879da384ec5af981be2123400000000"}},
    {TsigAlgorithm::HmacSha512,
     "123400000001000000000001076578616d706c65036f7267000006000108747369672d6b6579"
     "0000fa00ff00000000005d0b686d61632d7368613531320000006553f100012c00402e5bd1b4"
     "1cf47ca83c657a380e36fd8881c6d19d667794ce43a33609532a7ccbc71b422a597e9e9cd08b"
     "6027e02bf51818a9dc21200015bec6a9d32b9922e98a123400000000",
     {"123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020108747369672d6b65790000fa00ff00000000005d0b686d61632d7368613531"
      "320000006553f100012c0040c4f93044c9247f61a64df2923bcdb22f91260f644458a5f83f63"
      "65e977d575d0e6148d999f0b76a6307d3b8f7db805e759156c3ceeb1d72c7aefce6ee514320a"
      "123400000000",
      "123480000001000100000000076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c0000202",
      "123480000001000100000001076578616d706c65036f72670000060001c00c00010001000000"
      "3c0004c000020308747369672d6b65790000fa00ff00000000005d0b686d61632d7368613531"
      "320000006553f100012c00403353d46f918712ea5b0b3cde13eda2da2b1752753f56c6ed3b94"
      "a8734bb540192f612913d131371588a654f51c5f61b6a63a754cec3fd179fe4c8d203d8d2cf0"
      "123400000000"}},
};

Octets octets(std::string_view hex) { return *parse_hex(hex); }

TsigKey key(TsigAlgorithm algorithm) {
    TsigKey made{name("tsig-key"), algorithm, {}};
    for (std::uint8_t i = 0; i < 32; ++i) made.secret.push_back(i);
    return made;
}

// Everything before the TSIG RR, which is of 19 octets, the algorithm's name and the rest.
Octets without_tsig(Octets message) {
    const std::string marker = std::string("\10tsig-key") + '\0' + '\0' + '\xfa';
    const auto at = std::ranges::search(
        message, marker, [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
    if (at.empty()) return message;
    message.erase(at.begin(), message.end());
    message[11] = static_cast<std::uint8_t>(message[11] - 1);
    return message;
}

TsigFailure failure_of(Octets message, const Keyring& keys, WallTime now) {
    const Octets before = message;
    auto session = TsigSession::verify_request(message, keys, now);
    REQUIRE_FALSE(session);
    CHECK(message == before);
    return session.error();
}

Octets refusal(const TsigFailure& failure) {
    Octets reply = test::query("example.org", {.type = 6, .flags = 0x8009});
    add_failure(reply, failure);
    return reply;
}

Octets signed_query(const TsigKey& with, WallTime now = signed_at) {
    Octets message = test::query("example.org", {.type = 6, .flags = 0});
    TsigSession::sign_request(message, with, now);
    return message;
}

}  // namespace

TEST_CASE("RFC 8945 §5.2: what dnspython signs is believed, and comes out without its TSIG RR") {
    for (const Exchange& exchange : exchanges) {
        Octets message = octets(exchange.query);
        CHECK(has_tsig(message));
        const auto session =
            TsigSession::verify_request(message, Keyring({key(exchange.algorithm)}), signed_at);
        REQUIRE(session);
        CHECK(session->key_name() == name("tsig-key"));
        CHECK(message == without_tsig(octets(exchange.query)));
        CHECK_FALSE(has_tsig(message));
    }
}

TEST_CASE(
    "RFC 8945 §4.3: requests and first replies are signed octet for octet as dnspython does") {
    for (const Exchange& exchange : exchanges) {
        Octets request = without_tsig(octets(exchange.query));
        TsigSession::sign_request(request, key(exchange.algorithm), signed_at);
        CHECK(request == octets(exchange.query));

        auto session =
            TsigSession::verify_request(request, Keyring({key(exchange.algorithm)}), signed_at);
        REQUIRE(session);
        Octets reply = without_tsig(octets(exchange.reply[0]));
        const std::size_t bare = reply.size();
        session->sign_reply(reply, signed_at);
        CHECK(reply == octets(exchange.reply[0]));
        CHECK(reply.size() == bare + session->reply_octets());
    }
}

TEST_CASE("RFC 8945 §5.3.1: a reply of several messages is believed, unsigned ones between") {
    for (const Exchange& exchange : exchanges) {
        Octets request = without_tsig(octets(exchange.query));
        auto session = TsigSession::sign_request(request, key(exchange.algorithm), signed_at);
        CHECK_FALSE(session.ends_signed());
        for (std::size_t i = 0; i < exchange.reply.size(); ++i) {
            Octets message = octets(exchange.reply[i]);
            REQUIRE(session.verify_reply(message, signed_at));
            CHECK(message == without_tsig(octets(exchange.reply[i])));
            CHECK(session.ends_signed() == (i != 1));
        }
    }
}

TEST_CASE("RFC 8945 §5.3.1: an unsigned message that was changed breaks the next signed one") {
    const Exchange& exchange = exchanges[0];
    Octets request = without_tsig(octets(exchange.query));
    auto session = TsigSession::sign_request(request, key(exchange.algorithm), signed_at);
    Octets first = octets(exchange.reply[0]), second = octets(exchange.reply[1]),
           third = octets(exchange.reply[2]);
    second.back() ^= 1;
    REQUIRE(session.verify_reply(first, signed_at));
    REQUIRE(session.verify_reply(second, signed_at));
    CHECK(session.verify_reply(third, signed_at).error().message == "TSIG: the MAC is wrong");
}

TEST_CASE("RFC 8945 §5.3.1: what we sign over several messages is believed by our own client") {
    const TsigKey with = key(TsigAlgorithm::HmacSha512);
    Octets request = test::query("example.org", {.type = 252});
    auto client = TsigSession::sign_request(request, with, signed_at);
    auto server = TsigSession::verify_request(request, Keyring({with}), signed_at);
    REQUIRE(server);
    for (std::uint8_t i = 0; i < 5; ++i) {
        Octets message = test::query("example.org", {.type = i, .flags = 0x8000});
        const Octets plain = message;
        server->sign_reply(message, signed_at + std::chrono::seconds(i));
        REQUIRE(client.verify_reply(message, signed_at));
        CHECK(message == plain);
    }
    CHECK(client.ends_signed());
}

TEST_CASE("RFC 8945 §5.3.1: not the first message, and at most 99 in a row, may be unsigned") {
    const TsigKey with = key(TsigAlgorithm::HmacSha256);
    Octets request = test::query("example.org", {});
    auto client = TsigSession::sign_request(request, with, signed_at);
    auto server = TsigSession::verify_request(request, Keyring({with}), signed_at);
    Octets plain = test::query("example.org", {.flags = 0x8000});
    CHECK(client.verify_reply(plain, signed_at).error().message == "TSIG: the reply is not signed");
    Octets first = plain;
    server->sign_reply(first, signed_at);
    REQUIRE(client.verify_reply(first, signed_at));
    for (int i = 0; i < 99; ++i) REQUIRE(client.verify_reply(plain, signed_at));
    CHECK_FALSE(client.ends_signed());
    CHECK_FALSE(client.verify_reply(plain, signed_at));
}

TEST_CASE("RFC 8945 §5.2.1: an unknown key, or another algorithm, is BADKEY and is not signed") {
    const Octets message = octets(exchanges[0].query);
    for (const Keyring& keys : {Keyring(), Keyring({key(TsigAlgorithm::HmacSha512)})}) {
        const TsigFailure failure = failure_of(message, keys, signed_at);
        CHECK(failure.rcode == Rcode::NotAuth);
        CHECK(failure.error == TsigError::BadKey);
        const Octets reply = refusal(failure);
        const auto decoded = decode_message(reply);
        REQUIRE(decoded);
        REQUIRE(decoded->records.size() == 1);
        CHECK(decoded->records[0].type == RrType::TSIG);
        CHECK(decoded->records[0].owner == name("tsig-key"));
        CHECK(decoded->records[0].rdata.size() == 13 + 16);
        CHECK(reply.size() <= test::query("example.org").size() + octets_of(failure));
    }
}

TEST_CASE("RFC 8945 §5.2.2: a changed octet is BADSIG, which the client is told unsigned") {
    const Keyring keys({key(TsigAlgorithm::HmacSha256)});
    Octets message = octets(exchanges[0].query);
    message[14] ^= 0x20;  // the spelling of the name
    const TsigFailure failure = failure_of(message, keys, signed_at);
    CHECK(failure.rcode == Rcode::NotAuth);
    CHECK(failure.error == TsigError::BadSig);
    CHECK_FALSE(failure.key);

    Octets request = test::query("example.org", {});
    auto client = TsigSession::sign_request(request, key(TsigAlgorithm::HmacSha256), signed_at);
    Octets reply = refusal(failure);
    CHECK(client.verify_reply(reply, signed_at).error().message == "TSIG: the server says BADSIG");
}

TEST_CASE("RFC 8945 §5.2.3: five minutes are allowed; more is BADTIME, signed, with our time") {
    const TsigKey with = key(TsigAlgorithm::HmacSha256);
    const Keyring keys({with});
    for (const auto apart : {std::chrono::seconds(-300), std::chrono::seconds(300)}) {
        Octets message = octets(exchanges[0].query);
        CHECK(TsigSession::verify_request(message, keys, signed_at + apart));
    }
    for (const auto apart : {std::chrono::seconds(-301), std::chrono::seconds(301)}) {
        const TsigFailure failure = failure_of(octets(exchanges[0].query), keys, signed_at + apart);
        CHECK(failure.error == TsigError::BadTime);
        const Octets reply = refusal(failure);
        const auto decoded = decode_message(reply);
        REQUIRE(decoded);
        const auto rdata = decoded->records.at(0).rdata;
        CHECK(rdata.size() == 13 + 16 + 32 + 6);
        CHECK(rdata[rdata.size() - 9] == 18);
        const auto seconds = 1'700'000'000 + apart.count();
        for (std::size_t i = 0; i < 6; ++i) {
            CHECK(rdata[rdata.size() - 1 - i] == ((seconds >> 8 * i) & 0xff));
        }
    }
}

TEST_CASE("RFC 8945 §5.2.2.1: MACs may be cut to half their length, and no further") {
    const Keyring keys({key(TsigAlgorithm::HmacSha256)});
    for (const std::size_t size : {31, 16, 15, 10, 0}) {
        Octets message = octets(exchanges[0].query);
        const std::size_t mac_at = message.size() - 6 - 32;
        message.erase(message.begin() + static_cast<std::ptrdiff_t>(mac_at + size),
                      message.end() - 6);
        message[mac_at - 1] = static_cast<std::uint8_t>(size);
        const std::size_t length_at = mac_at - 10 - 13 - 1;
        message[length_at] = static_cast<std::uint8_t>(message[length_at] - (32 - size));
        auto session = TsigSession::verify_request(message, keys, signed_at);
        CHECK(session.has_value() == (size >= 16));
        if (!session) CHECK(session.error().rcode == Rcode::FormErr);
    }
}

TEST_CASE("RFC 8945 §5.1: the TSIG RR is the last record, there is one, of class ANY and TTL 0") {
    const TsigKey with = key(TsigAlgorithm::HmacSha256);
    const Keyring keys({with});
    const Octets whole = signed_query(with);
    const std::size_t tsig_at = test::query("example.org").size();
    const auto is_malformed = [&](const Octets& message) {
        CHECK(has_tsig(message));
        const TsigFailure failure = failure_of(message, keys, signed_at);
        return failure.rcode == Rcode::FormErr && failure.error == TsigError::None;
    };
    Octets twice = whole;
    twice.insert(twice.end(), whole.begin() + static_cast<std::ptrdiff_t>(tsig_at), whole.end());
    twice[11] = 2;
    CHECK(is_malformed(twice));
    Octets not_last = whole;
    for (const std::uint8_t octet : Octets{0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0})
        not_last.push_back(octet);
    not_last[11] = 2;
    CHECK(is_malformed(not_last));
    Octets in_class = whole;
    in_class[tsig_at + 13] = 1;
    CHECK(is_malformed(in_class));
    Octets with_ttl = whole;
    with_ttl[tsig_at + 17] = 1;
    CHECK(is_malformed(with_ttl));
    Octets algorithm_compressed = whole;
    algorithm_compressed[tsig_at + 20] = 0xc0;
    CHECK(is_malformed(algorithm_compressed));

    Octets reply = refusal(TsigFailure{});
    CHECK(reply == test::query("example.org", {.type = 6, .flags = 0x8009}));
}

TEST_CASE("cut anywhere, a signed message is not believed, and harms nobody") {
    const TsigKey with = key(TsigAlgorithm::HmacSha384);
    const Octets whole = signed_query(with);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Octets message(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        has_tsig(message);
        CHECK_FALSE(TsigSession::verify_request(message, Keyring({with}), signed_at));
    }
}

TEST_CASE("a message forwarded under another ID is checked with its original one") {
    const TsigKey with = key(TsigAlgorithm::HmacSha256);
    Octets message = signed_query(with);
    message[0] ^= 0xff;
    CHECK(TsigSession::verify_request(message, Keyring({with}), signed_at));
}

TEST_CASE("a keyring finds keys by name, without regard to case; the first of two counts") {
    TsigKey first = key(TsigAlgorithm::HmacSha256), second = key(TsigAlgorithm::HmacSha512);
    TsigKey other = first;
    other.name = name("a.example");
    const Keyring keys({first, other, second});
    REQUIRE(keys.find(name("TSIG-key")) != nullptr);
    CHECK(*keys.find(name("TSIG-key")) == first);
    CHECK(*keys.find(name("a.example")) == other);
    CHECK(keys.find(name("b.example")) == nullptr);
}

TEST_CASE("tsig-keygen's output is read, with comments around") {
    const auto keys = parse_tsig_keys(
        "# ours\n"
        "key \"My.Key.\" {\n"
        "\talgorithm hmac-sha384; // what knot likes\n"
        "\tsecret \"AAECAwQFBgc=\";\n"
        "};\n"
        "/* and\n another */ key second{secret AAEC;algorithm HMAC-SHA512;};");
    REQUIRE(keys);
    REQUIRE(keys->size() == 2);
    CHECK((*keys)[0] ==
          TsigKey{name("my.key"), TsigAlgorithm::HmacSha384, {0, 1, 2, 3, 4, 5, 6, 7}});
    CHECK((*keys)[1] == TsigKey{name("second"), TsigAlgorithm::HmacSha512, {0, 1, 2}});
    CHECK(parse_tsig_keys(" \n# nothing\n")->empty());
}

TEST_CASE("a file of keys that cannot be read is refused with its line, and without its secrets") {
    const std::pair<const char*, const char*> files[] = {
        {"zone x {};", "line 1: 'key' is expected, not 'zone'"},
        {"key a {\n algorithm hmac-md5;\n",
         "line 2: 'hmac-md5' is no algorithm; hmac-sha256, "
         "hmac-sha384 and hmac-sha512 are"},
        {"key a {\n secret \"c2VjcmV0\n", "line 2: a quote or a comment does not end"},
        {"key a {\n secret \"hush!\";\n", "line 2: the secret is not in base64, or empty"},
        {"key a {\n secret \"\";\n", "line 2: the secret is not in base64, or empty"},
        {"key a { secret AAEC;\n};", "line 2: key 'a' lacks its algorithm or its secret"},
        {"key a { algorithm hmac-sha256; }", "line 1: key 'a' lacks its algorithm or its secret"},
        {"key a { algorithm hmac-sha256; secret AAEC; }", "line 1: ';' is expected, not ''"},
        {"key a { ", "line 1: 'algorithm', 'secret' or '}' is expected, not ''"},
        {"key a..b {", "line 1: 'a..b' is no name"},
        {"/* no end", "line 1: a quote or a comment does not end"},
    };
    for (const auto& [text, message] : files) {
        const auto keys = parse_tsig_keys(text);
        REQUIRE_FALSE(keys);
        CHECK(keys.error().message == message);
    }
}
