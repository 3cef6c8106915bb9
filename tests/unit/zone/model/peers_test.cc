#include <doctest/doctest.h>

#include "zone/model/types.h"

using namespace dnsd;
using namespace dnsd::model;

namespace {

template <class One>
std::string printed(const Result<One>& parsed) {
    return parsed ? print(*parsed) : parsed.error().message;
}

}  // namespace

TEST_CASE("a peer is an address, perhaps a port, perhaps a key") {
    CHECK(printed(parse_peer("192.0.2.1")) == "192.0.2.1:53");
    CHECK(printed(parse_peer("192.0.2.1:5300")) == "192.0.2.1:5300");
    CHECK(printed(parse_peer("2001:db8::1")) == "[2001:db8::1]:53");
    CHECK(printed(parse_peer("[2001:db8::1]:5300")) == "[2001:db8::1]:5300");
    CHECK(printed(parse_peer("  192.0.2.1  key  Xfr.Example.ORG. ")) ==
          "192.0.2.1:53 key xfr.example.org");
}

TEST_CASE("an admission is a block of addresses, a key, or both") {
    CHECK(printed(parse_admission("192.0.2.0/24")) == "192.0.2.0/24");
    CHECK(printed(parse_admission("2001:db8::/32")) == "2001:db8::/32");
    CHECK(printed(parse_admission("key Xfr.Example.ORG.")) == "key xfr.example.org");
    CHECK(printed(parse_admission("192.0.2.0/24 key a.test")) == "192.0.2.0/24 key a.test");
    CHECK(parse_admission("key a.test")->network == std::nullopt);
}

TEST_CASE("what is printed is read back as the same") {
    for (const char* text : {"192.0.2.1:53", "[::1]:1 key k"}) {
        CAPTURE(text);
        CHECK(*parse_peer(print(*parse_peer(text))) == *parse_peer(text));
    }
    for (const char* text : {"::/0 key k", "127.0.0.1/32", "key k"}) {
        CAPTURE(text);
        CHECK(*parse_admission(print(*parse_admission(text))) == *parse_admission(text));
    }
}

TEST_CASE("what is neither is refused with a sentence") {
    for (const char* text : {"", " ", "ns.example.org", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1 k",
                             "192.0.2.1 key", "192.0.2.1 key a b", "key k"}) {
        CAPTURE(text);
        const auto peer = parse_peer(text);
        REQUIRE_FALSE(peer);
        CHECK_FALSE(peer.error().message.empty());
    }
    for (const char* text : {"", "example.org", "192.0.2.0/33", "192.0.2.0/24 k", "key", "key a b",
                             "192.0.2.0/24 key"}) {
        CAPTURE(text);
        const auto admission = parse_admission(text);
        REQUIRE_FALSE(admission);
        CHECK_FALSE(admission.error().message.empty());
    }
}
