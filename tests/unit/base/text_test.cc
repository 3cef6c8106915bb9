#include "base/text.h"

#include <doctest/doctest.h>

using namespace dnsd;

TEST_CASE("RFC 3986 §2.1: percent-encoding, both ways") {
    CHECK(percent_decoded("a%2Fb%20c") == "a/b c");
    CHECK(percent_encoded("a/b c") == "a%2Fb%20c");
    CHECK_FALSE(percent_decoded("a%2"));
    CHECK_FALSE(percent_decoded("a%zz"));
    CHECK_FALSE(percent_decoded("%"));
}

TEST_CASE("FIPS 180-2: SHA-256 of \"abc\"") {
    CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("RFC 3629: overlong forms, surrogates and cut sequences are no UTF-8") {
    CHECK(is_utf8("plain"));
    CHECK(is_utf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    CHECK_FALSE(is_utf8("\xc0\xaf"));
    CHECK_FALSE(is_utf8("\xed\xa0\x80"));
    CHECK_FALSE(is_utf8("\xe2\x82"));
    CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));
    CHECK_FALSE(is_utf8("\x80"));
}

TEST_CASE("numbers are whole texts") {
    CHECK(parse_unsigned("0") == 0);
    CHECK(parse_unsigned("18446744073709551615") == 18446744073709551615ULL);
    for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_unsigned(text));
    }
}
