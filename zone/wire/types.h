// Numbers that IANA assigns: RR types, classes, opcodes, rcodes. Any other value is allowed too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dnsd::wire {

enum class RrType : std::uint16_t {
    A = 1,
    NS = 2,
    MD = 3,
    MF = 4,
    CNAME = 5,
    SOA = 6,
    MB = 7,
    MG = 8,
    MR = 9,
    NULL_ = 10,
    WKS = 11,
    PTR = 12,
    HINFO = 13,
    MINFO = 14,
    MX = 15,
    TXT = 16,
    RP = 17,
    AFSDB = 18,
    AAAA = 28,
    LOC = 29,
    SRV = 33,
    NAPTR = 35,
    KX = 36,
    DNAME = 39,
    OPT = 41,
    DS = 43,
    SSHFP = 44,
    RRSIG = 46,
    NSEC = 47,
    DNSKEY = 48,
    DHCID = 49,
    NSEC3 = 50,
    NSEC3PARAM = 51,
    TLSA = 52,
    SMIMEA = 53,
    CDS = 59,
    CDNSKEY = 60,
    OPENPGPKEY = 61,
    CSYNC = 62,
    ZONEMD = 63,
    SVCB = 64,
    HTTPS = 65,
    SPF = 99,
    TKEY = 249,
    TSIG = 250,
    IXFR = 251,
    AXFR = 252,
    MAILB = 253,
    MAILA = 254,
    ANY = 255,
    URI = 256,
    CAA = 257,
};

enum class RrClass : std::uint16_t { IN = 1, CH = 3, HS = 4, NONE = 254, ANY = 255 };

enum class Opcode : std::uint8_t {
    Query = 0,
    IQuery = 1,
    Status = 2,
    Notify = 4,
    Update = 5,
    Dso = 6
};

// 12 bits; the upper eight travel in the OPT RR (RFC 6891 §6.1.3).
enum class Rcode : std::uint16_t {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    YxRrset = 7,
    NxRrset = 8,
    NotAuth = 9,
    NotZone = 10,
    BadVers = 16,
    BadCookie = 23,
};

// RFC 3597 §5: TYPE65280 and CLASS32 are understood and printed for the unknown ones.
std::string print(RrType type);
std::string print(RrClass rr_class);
std::string print(Rcode rcode);
std::optional<RrType> parse_type(std::string_view text);
std::optional<RrClass> parse_class(std::string_view text);

// A set of types in one word of the lookup and the API: those that answers of a query may ask for
// but that no RRset has (QTYPEs, RFC 6895 §3.1): OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY.
bool is_query_only(RrType type) noexcept;

// RFC 1982 §3.2: whether serial `a` comes after `b`. Those half the circle apart are not ordered:
// false.
constexpr bool is_newer_serial(std::uint32_t a, std::uint32_t b) noexcept {
    return a != b && a - b < std::uint32_t{1} << 31;
}

}  // namespace dnsd::wire
