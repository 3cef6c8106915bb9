#include "zone/wire/types.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace dnsd::wire {

namespace {

template <class Value>
using Words = std::pair<Value, std::string_view>;

constexpr auto types = std::to_array<Words<RrType>>({
    {RrType::A, "A"},
    {RrType::NS, "NS"},
    {RrType::MD, "MD"},
    {RrType::MF, "MF"},
    {RrType::CNAME, "CNAME"},
    {RrType::SOA, "SOA"},
    {RrType::MB, "MB"},
    {RrType::MG, "MG"},
    {RrType::MR, "MR"},
    {RrType::NULL_, "NULL"},
    {RrType::WKS, "WKS"},
    {RrType::PTR, "PTR"},
    {RrType::HINFO, "HINFO"},
    {RrType::MINFO, "MINFO"},
    {RrType::MX, "MX"},
    {RrType::TXT, "TXT"},
    {RrType::RP, "RP"},
    {RrType::AFSDB, "AFSDB"},
    {RrType::AAAA, "AAAA"},
    {RrType::LOC, "LOC"},
    {RrType::SRV, "SRV"},
    {RrType::NAPTR, "NAPTR"},
    {RrType::KX, "KX"},
    {RrType::DNAME, "DNAME"},
    {RrType::OPT, "OPT"},
    {RrType::DS, "DS"},
    {RrType::SSHFP, "SSHFP"},
    {RrType::RRSIG, "RRSIG"},
    {RrType::NSEC, "NSEC"},
    {RrType::DNSKEY, "DNSKEY"},
    {RrType::DHCID, "DHCID"},
    {RrType::NSEC3, "NSEC3"},
    {RrType::NSEC3PARAM, "NSEC3PARAM"},
    {RrType::TLSA, "TLSA"},
    {RrType::SMIMEA, "SMIMEA"},
    {RrType::CDS, "CDS"},
    {RrType::CDNSKEY, "CDNSKEY"},
    {RrType::OPENPGPKEY, "OPENPGPKEY"},
    {RrType::CSYNC, "CSYNC"},
    {RrType::ZONEMD, "ZONEMD"},
    {RrType::SVCB, "SVCB"},
    {RrType::HTTPS, "HTTPS"},
    {RrType::SPF, "SPF"},
    {RrType::TKEY, "TKEY"},
    {RrType::TSIG, "TSIG"},
    {RrType::IXFR, "IXFR"},
    {RrType::AXFR, "AXFR"},
    {RrType::MAILB, "MAILB"},
    {RrType::MAILA, "MAILA"},
    {RrType::ANY, "ANY"},
    {RrType::URI, "URI"},
    {RrType::CAA, "CAA"},
});

constexpr auto classes = std::to_array<Words<RrClass>>({
    {RrClass::IN, "IN"},
    {RrClass::CH, "CH"},
    {RrClass::HS, "HS"},
    {RrClass::NONE, "NONE"},
    {RrClass::ANY, "ANY"},
});

// As IANA spells them.
constexpr auto rcodes = std::to_array<Words<Rcode>>({
    {Rcode::NoError, "NOERROR"},
    {Rcode::FormErr, "FORMERR"},
    {Rcode::ServFail, "SERVFAIL"},
    {Rcode::NxDomain, "NXDOMAIN"},
    {Rcode::NotImp, "NOTIMP"},
    {Rcode::Refused, "REFUSED"},
    {Rcode::YxDomain, "YXDOMAIN"},
    {Rcode::YxRrset, "YXRRSET"},
    {Rcode::NxRrset, "NXRRSET"},
    {Rcode::NotAuth, "NOTAUTH"},
    {Rcode::NotZone, "NOTZONE"},
    {Rcode::BadVers, "BADVERS"},
    {Rcode::BadCookie, "BADCOOKIE"},
});

template <class Value, std::size_t size>
std::string print_from(const std::array<Words<Value>, size>& table, std::string_view prefix,
                       Value value) {
    for (const auto& [known, word] : table) {
        if (known == value) return std::string(word);
    }
    return std::string(prefix) + std::to_string(std::to_underlying(value));
}

template <class Value, std::size_t size>
std::optional<Value> parse_from(const std::array<Words<Value>, size>& table,
                                std::string_view prefix, std::string_view text) {
    for (const auto& [known, word] : table) {
        if (equal_ignoring_case(word, text)) return known;
    }
    if (!equal_ignoring_case(text.substr(0, prefix.size()), prefix)) return std::nullopt;
    const auto number = parse_unsigned(text.substr(prefix.size()));
    if (!number || *number > 0xffff) return std::nullopt;
    return static_cast<Value>(*number);
}

}  // namespace

std::string print(RrType type) { return print_from(types, "TYPE", type); }
std::string print(RrClass rr_class) { return print_from(classes, "CLASS", rr_class); }
std::string print(Rcode rcode) { return print_from(rcodes, "RCODE", rcode); }

std::optional<RrType> parse_type(std::string_view text) { return parse_from(types, "TYPE", text); }
std::optional<RrClass> parse_class(std::string_view text) {
    return parse_from(classes, "CLASS", text);
}

bool is_query_only(RrType type) noexcept {
    switch (type) {
        case RrType::OPT:
        case RrType::TKEY:
        case RrType::TSIG:
        case RrType::IXFR:
        case RrType::AXFR:
        case RrType::MAILB:
        case RrType::MAILA:
        case RrType::ANY:
            return true;
        default:
            return false;
    }
}

}  // namespace dnsd::wire
