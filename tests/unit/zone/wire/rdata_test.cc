#include "zone/wire/rdata.h"

#include <doctest/doctest.h>

#include <random>

using namespace dnsd;
using namespace dnsd::wire;

namespace {

const Name origin = *Name::parse("example.org");

std::string round_trip(RrType type, std::string_view text) {
    const auto octets = parse_rdata(type, text, origin);
    if (!octets) return "refused: " + octets.error().message;
    const auto decoded = decode_rdata(type, *octets);
    if (!decoded || *decoded != *octets) return "not decoded";
    return print_rdata(type, *octets);
}

}  // namespace

TEST_CASE("RDATA is printed as master files write it, and reads back") {
    struct Row {
        RrType type;
        std::string text, printed;
    };
    const std::vector<Row> rows = {
        {RrType::A, "192.0.2.1", "192.0.2.1"},
        {RrType::AAAA, "2001:DB8:0::1", "2001:db8::1"},
        {RrType::NS, "ns", "ns.example.org."},
        {RrType::CNAME, "@", "example.org."},
        {RrType::PTR, "host.example.net.", "host.example.net."},
        {RrType::DNAME, ".", "."},
        {RrType::MX, "10 mail", "10 mail.example.org."},
        {RrType::SOA, "ns hostmaster 1 7200 900 1209600 2",
         "ns.example.org. hostmaster.example.org. 1 7200 900 1209600 2"},
        {RrType::MINFO, "a b", "a.example.org. b.example.org."},
        {RrType::HINFO, "\"a cpu\" linux", "\"a cpu\" \"linux\""},
        {RrType::WKS, "192.0.2.1 6 25 80", "192.0.2.1 6 25 80"},
        {RrType::TXT, R"("with \"quotes\"" plain \195\188)",
         R"("with \"quotes\"" "plain" "\195\188")"},
        {RrType::SRV, "0 5 8080 i-1.web", "0 5 8080 i-1.web.example.org."},
        // RFC 3403 §6.
        {RrType::NAPTR, R"(100 50 "s" "http+I2L+I2C+I2R" "" _http._tcp.gatech.edu.)",
         R"(100 50 "s" "http+I2L+I2C+I2R" "" _http._tcp.gatech.edu.)"},
        // RFC 4034 §5.4.
        {RrType::DS, "60485 5 1 ( 2BB183AF5F22588179A53B0A 98631FAD1A292118 )", "refused: "},
        {RrType::DS, "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118",
         "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"},
        // RFC 4255 §3.2.
        {RrType::SSHFP, "2 1 123456789abcdef67890123456789abcdef67890",
         "2 1 123456789ABCDEF67890123456789ABCDEF67890"},
        {RrType::TLSA, "3 1 1 0C72AC70B745AC19", "3 1 1 0C72AC70B745AC19"},
        {RrType::CAA, R"(0 issue "ca.example.net; account=230123")",
         R"(0 issue "ca.example.net; account=230123")"},
        // RFC 9460 appendix D.
        {RrType::HTTPS, "0 foo.example.com.", "0 foo.example.com."},
        {RrType::SVCB, "1 .", "1 ."},
        {RrType::SVCB, "16 foo.example.com. port=53", "16 foo.example.com. port=53"},
        {RrType::SVCB, "1 foo.example.com. key667=hello", "1 foo.example.com. key667=\"hello\""},
        {RrType::SVCB, R"(1 foo.example.com. key667="hello\210qoo")",
         R"(1 foo.example.com. key667="hello\210qoo")"},
        {RrType::SVCB, R"(1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1")",
         "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
        {RrType::SVCB,
         R"(16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)",
         R"(16 foo.example.org. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1)"},
        {RrType::SVCB, R"(16 foo.example.org. alpn="f\\\\oo\\,bar,h2")",
         R"(16 foo.example.org. alpn="f\\\\oo\\,bar,h2")"},
        {RrType::SPF, "\"v=spf1 -all\"", "\"v=spf1 -all\""},
        {RrType::RP, "admin .", "admin.example.org. ."},
        {RrType::AFSDB, "1 afs", "1 afs.example.org."},
        {RrType::KX, "10 kx", "10 kx.example.org."},
        // RFC 1876 §4.
        {RrType::LOC, "42 21 54 N 71 06 18 W -24m 30m",
         "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"},
        {RrType::LOC, "52 14 05 N 00 08 50 E 10m",
         "52 14 5.000 N 0 8 50.000 E 10.00m 1.00m 10000.00m 10.00m"},
        {RrType::LOC, "32 7 19.5 S 116 2 25 E 10",
         "32 7 19.500 S 116 2 25.000 E 10.00m 1.00m 10000.00m 10.00m"},
        {RrType::LOC, "90 S 180 W -100000 0 0 90000000",
         "90 0 0.000 S 180 0 0.000 W -100000.00m 0.00m 0.00m 90000000.00m"},
        {RrType::LOC, R"(\# 16 01000000800000008000000000989680)",
         R"(\# 16 01000000800000008000000000989680)"},
        {RrType::LOC, R"(\# 16 000A0000800000008000000000989680)",
         R"(\# 16 000A0000800000008000000000989680)"},
        // RFC 4034 §2.3, §3.3, §4.3.
        {RrType::DNSKEY, "256 3 RSASHA1 AQPS KmynfzW4", "256 3 5 AQPSKmynfzW4"},
        {RrType::RRSIG,
         "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5A==",
         "A 5 3 86400 20030322173103 20030220173103 2642 example.com. "
         "oJB1W6WNGv+ldvQ3WDG0MQkg5A=="},
        {RrType::RRSIG, "TYPE731 ED25519 3 86400 4294967295 0 2642 @ oA==",
         "TYPE731 15 3 86400 21060207062815 19700101000000 2642 example.org. oA=="},
        {RrType::NSEC, "host.example.com. A MX RRSIG NSEC TYPE1234",
         "host.example.com. A MX RRSIG NSEC TYPE1234"},
        {RrType::NSEC, "host.example.com. TYPE1234 MX A MX", "host.example.com. A MX TYPE1234"},
        {RrType::NSEC, ".", "."},
        // RFC 5155 appendix A.
        {RrType::NSEC3, "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX NS SOA",
         "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX"},
        {RrType::NSEC3PARAM, "1 0 12 aabbccdd", "1 0 12 AABBCCDD"},
        {RrType::NSEC3PARAM, "1 0 0 -", "1 0 0 -"},
        // RFC 8078 §4.
        {RrType::CDS, "0 DELETE 0 00", "0 0 0 00"},
        {RrType::CDNSKEY, "0 3 0 AA==", "0 3 0 AA=="},
        {RrType::CSYNC, "66 3 A NS AAAA", "66 3 A NS AAAA"},
        {RrType::DHCID, "AAIB Y2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
         "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="},
        {RrType::OPENPGPKEY, "mQINBFit2jsBEADrbl5v", "mQINBFit2jsBEADrbl5v"},
        {RrType::SMIMEA, "3 1 1 0C72AC70B745AC19", "3 1 1 0C72AC70B745AC19"},
        {RrType::ZONEMD, "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE",
         "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE"},
        {RrType::URI, R"(10 1 "ftp://ftp1.example.com/public")",
         R"(10 1 "ftp://ftp1.example.com/public")"},
        // RFC 3597 §5.
        {static_cast<RrType>(731), R"(\# 6 abcd ( ef 01 23 45 ))", "refused: "},
        {static_cast<RrType>(731), R"(\# 6 abcdef 012345)", R"(\# 6 ABCDEF012345)"},
        {static_cast<RrType>(62347), R"(\# 0)", R"(\# 0)"},
        {RrType::A, R"(\# 4 0A000001)", "10.0.0.1"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const std::string printed = round_trip(row.type, row.text);
        if (row.printed == "refused: ") {
            CHECK(printed.starts_with(row.printed));
        } else {
            CHECK(printed == row.printed);
            CHECK(round_trip(row.type, printed) == printed);
        }
    }
}

TEST_CASE("text that is no RDATA of its type is refused with a reason") {
    const std::vector<std::pair<RrType, std::string>> rows = {
        {RrType::A, "192.0.2"},
        {RrType::A, "192.0.2.1 more"},
        {RrType::A, ""},
        {RrType::A, R"(\# 3 0A0000)"},
        {RrType::A, R"(\# 4 0A0000)"},
        {RrType::AAAA, "192.0.2.1"},
        {RrType::MX, "70000 mail"},
        {RrType::MX, "10"},
        {RrType::SRV, "0 5 8080"},
        {RrType::TXT, "\"" + std::string(256, 'x') + "\""},
        {RrType::TXT, "\"open"},
        {RrType::TXT, R"(\25)"},
        {RrType::TXT, R"(\256)"},
        {RrType::NS, std::string(64, 'x')},
        {RrType::CAA, "0 is-sue x"},
        {RrType::DS, "1 1 1 ABC"},
        {RrType::OPT, "anything"},
        {RrType::LOC, "42 21 54 N 71 06 18 W"},
        {RrType::LOC, "42 21 60 N 71 06 18 W 0"},
        {RrType::LOC, "90 0 1 N 71 W 0"},
        {RrType::LOC, "42 N 71 W 0 1 1 1 1"},
        {RrType::LOC, "N 71 W 0"},
        {RrType::RRSIG, "A 5 3 86400 20030229000000 20030220173103 2642 example.com. oA=="},
        {RrType::RRSIG, "A 5 3 86400 4294967296 0 2642 example.com. oA=="},
        {RrType::DNSKEY, "256 3 RSASHA3 oA=="},
        {RrType::DNSKEY, "256 3 5 oA="},
        {RrType::NSEC, "host.example.com. A NOTHING"},
        {RrType::NSEC3, "1 1 12 aabbccdd - A"},
        {RrType::NSEC3, "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojw A"},
        {RrType::NSEC3, "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojrx A"},
        {RrType::NSEC3PARAM, "1 0 12 abc"},
        {static_cast<RrType>(731), "plain"},
        // RFC 9460 appendix D.3.
        {RrType::SVCB, "1 foo.example.com. key123=abc key123=def"},
        {RrType::SVCB, "1 foo.example.com. mandatory"},
        {RrType::SVCB, "1 foo.example.com. alpn"},
        {RrType::SVCB, "1 foo.example.com. port"},
        {RrType::SVCB, "1 foo.example.com. ipv4hint"},
        {RrType::SVCB, "1 foo.example.com. no-default-alpn=abc"},
        {RrType::SVCB, "1 foo.example.com. mandatory=key123"},
        {RrType::SVCB, "1 foo.example.com. mandatory=mandatory"},
        {RrType::SVCB, "1 foo.example.com. mandatory=key123,key123 key123=abc"},
    };
    for (const auto& [type, text] : rows) {
        CAPTURE(text);
        const auto parsed = parse_rdata(type, text, origin);
        REQUIRE_FALSE(parsed);
        CHECK_FALSE(parsed.error().message.empty());
    }
}

TEST_CASE(
    "octets of any kind decode to what prints, parses and encodes to them again, or to nothing") {
    std::mt19937_64 random(20'260'101);
    const std::vector<int> types = {1,  2,  5,  6,  10, 11, 12, 13, 14, 15,  16,  17, 18, 28,
                                    29, 33, 35, 36, 39, 41, 43, 44, 46, 47,  48,  49, 50, 51,
                                    52, 53, 59, 60, 61, 62, 63, 64, 99, 256, 257, 731};
    int decoded_count = 0;
    for (int i = 0; i < 40'000; ++i) {
        const auto type = static_cast<RrType>(types[random() % types.size()]);
        std::vector<std::uint8_t> octets(random() % 24);
        for (auto& octet : octets)
            octet = static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 4 : random());
        const auto decoded = decode_rdata(type, octets);
        if (!decoded) continue;
        ++decoded_count;
        CHECK(*decoded == octets);
        const std::string text = print_rdata(type, *decoded);
        const auto parsed = parse_rdata(type, text, Name());
        CAPTURE(text);
        CAPTURE(print(type));
        REQUIRE(parsed);
        CHECK(*parsed == octets);
    }
    CHECK(decoded_count > 1'000);
}

TEST_CASE("RFC 1035 §4.1.4: names in RDATA of a message are made whole, and end where RDATA ends") {
    // At 0: "example.org"; at 13: MX RDATA, 10 mail.<0>.
    std::vector<std::uint8_t> message(origin.octets().begin(), origin.octets().end());
    const std::size_t at = message.size();
    for (const int octet : {0, 10, 4, 0x6d, 0x61, 0x69, 0x6c, 0xc0, 0})
        message.push_back(static_cast<std::uint8_t>(octet));
    const auto decoded = decode_rdata(RrType::MX, message, at, 9);
    REQUIRE(decoded);
    CHECK(print_rdata(RrType::MX, *decoded) == "10 mail.example.org.");
    CHECK_FALSE(decode_rdata(RrType::MX, message, at, 8));
    message.push_back(0);
    CHECK_FALSE(decode_rdata(RrType::MX, message, at, 10));
}
