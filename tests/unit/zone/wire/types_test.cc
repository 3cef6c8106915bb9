#include "zone/wire/types.h"

#include <doctest/doctest.h>

using namespace dnsd::wire;

TEST_CASE("RFC 3597 §5: every type and class has a text, known or not") {
    CHECK(print(RrType::A) == "A");
    CHECK(print(RrType::NULL_) == "NULL");
    CHECK(print(RrType{65280}) == "TYPE65280");
    CHECK(parse_type("TYPE65280") == RrType{65280});
    CHECK(parse_type("type1") == RrType::A);
    CHECK(parse_type("aaaa") == RrType::AAAA);
    CHECK(print(RrClass{32}) == "CLASS32");
    CHECK(parse_class("CLASS32") == RrClass{32});
    CHECK(parse_class("in") == RrClass::IN);
    for (const char* none : {"", "TYPE", "TYPE65536", "TYPE-1", "TYPE 1", "BOGUS"}) {
        CAPTURE(none);
        CHECK_FALSE(parse_type(none));
        CHECK_FALSE(parse_class(none));
    }
    for (unsigned number = 0; number <= 0xffff; ++number) {
        REQUIRE(parse_type(print(static_cast<RrType>(number))) == static_cast<RrType>(number));
    }
}

TEST_CASE("an rcode is printed as IANA spells it") {
    CHECK(print(Rcode::NxDomain) == "NXDOMAIN");
    CHECK(print(Rcode::BadVers) == "BADVERS");
    CHECK(print(Rcode{3000}) == "RCODE3000");
}

TEST_CASE("RFC 6895 §3.1: some types are asked for, but no RRset has them") {
    CHECK(is_query_only(RrType::ANY));
    CHECK(is_query_only(RrType::OPT));
    CHECK_FALSE(is_query_only(RrType::A));
    CHECK_FALSE(is_query_only(RrType{65280}));
}

TEST_CASE("RFC 1982 §3.2: serials are compared on a circle") {
    CHECK(is_newer_serial(2, 1));
    CHECK_FALSE(is_newer_serial(1, 1));
    CHECK_FALSE(is_newer_serial(1, 2));
    CHECK(is_newer_serial(0, 4'294'967'295));
    CHECK_FALSE(is_newer_serial(2'147'483'648, 0));  // not ordered
    CHECK_FALSE(is_newer_serial(0, 2'147'483'648));
}
