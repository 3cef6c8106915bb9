// The RR types: each a struct whose fields are walked by whoever decodes, encodes, parses or prints
// them. A new type is a struct here and its name in KnownTypes.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::wire {

using Octets = std::vector<std::uint8_t>;

// RFC 3597 §4: names in RDATA of types that came after RFC 1035 are not compressed when sent.
enum class Compression { Allowed, Never };

// RFC 1035 §3.4.1.
struct ARdata {
    static constexpr RrType type = RrType::A;
    Ipv4 address;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.ipv4(self.address);
    }
};

// RFC 3596 §2.2.
struct AaaaRdata {
    static constexpr RrType type = RrType::AAAA;
    Ipv6 address;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.ipv6(self.address);
    }
};

// Those that are one name (RFC 1035 §3.3; DNAME: RFC 6672 §2.1).
template <RrType of, Compression compression>
struct NameRdata {
    static constexpr RrType type = of;
    Name name;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.name(self.name, compression);
    }
};
using NsRdata = NameRdata<RrType::NS, Compression::Allowed>;
using MdRdata = NameRdata<RrType::MD, Compression::Allowed>;
using MfRdata = NameRdata<RrType::MF, Compression::Allowed>;
using CnameRdata = NameRdata<RrType::CNAME, Compression::Allowed>;
using MbRdata = NameRdata<RrType::MB, Compression::Allowed>;
using MgRdata = NameRdata<RrType::MG, Compression::Allowed>;
using MrRdata = NameRdata<RrType::MR, Compression::Allowed>;
using PtrRdata = NameRdata<RrType::PTR, Compression::Allowed>;
using DnameRdata = NameRdata<RrType::DNAME, Compression::Never>;

// RFC 1035 §3.3.13.
struct SoaRdata {
    static constexpr RrType type = RrType::SOA;
    Name mname, rname;
    std::uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.name(self.mname, Compression::Allowed);
        v.name(self.rname, Compression::Allowed);
        v.u32(self.serial);
        v.u32(self.refresh);
        v.u32(self.retry);
        v.u32(self.expire);
        v.u32(self.minimum);
    }
};

// RFC 1035 §3.4.2.
struct WksRdata {
    static constexpr RrType type = RrType::WKS;
    Ipv4 address;
    std::uint8_t protocol = 0;
    Octets ports;  // a bit for each, the highest first
    // A list of ports cannot tell octets that hold none.
    bool has_text() const noexcept { return ports.empty() || ports.back() != 0; }
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.ipv4(self.address);
        v.u8(self.protocol);
        v.port_bits(self.ports);
    }
};

// RFC 1035 §3.3.2.
struct HinfoRdata {
    static constexpr RrType type = RrType::HINFO;
    std::string cpu, os;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.text(self.cpu);
        v.text(self.os);
    }
};

// RFC 1035 §3.3.7; RP: RFC 1183 §2.2.
template <RrType of, Compression compression>
struct TwoNamesRdata {
    static constexpr RrType type = of;
    Name first, second;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.name(self.first, compression);
        v.name(self.second, compression);
    }
};
using MinfoRdata = TwoNamesRdata<RrType::MINFO, Compression::Allowed>;
using RpRdata = TwoNamesRdata<RrType::RP, Compression::Never>;

// RFC 1035 §3.3.9; AFSDB: RFC 1183 §1; KX: RFC 2230 §3.1.
template <RrType of, Compression compression>
struct PreferredRdata {
    static constexpr RrType type = of;
    std::uint16_t preference = 0;
    Name host;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.preference);
        v.name(self.host, compression);
    }
};
using MxRdata = PreferredRdata<RrType::MX, Compression::Allowed>;
using AfsdbRdata = PreferredRdata<RrType::AFSDB, Compression::Never>;
using KxRdata = PreferredRdata<RrType::KX, Compression::Never>;

// RFC 1035 §3.3.14; SPF: RFC 7208 §3.1.
template <RrType of>
struct TextRdata {
    static constexpr RrType type = of;
    std::vector<std::string> texts;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.texts(self.texts);
    }
};
using TxtRdata = TextRdata<RrType::TXT>;
using SpfRdata = TextRdata<RrType::SPF>;

// RFC 1876 §2. Its text is location.h's.
struct LocRdata {
    static constexpr RrType type = RrType::LOC;
    std::uint8_t version = 0;
    std::uint8_t size = 0x12, horizontal = 0x16, vertical = 0x13;  // 1 m, 10 km, 10 m
    std::uint32_t latitude = 0, longitude = 0, altitude = 0;
    // Other versions, places off the globe, and sizes in more than one way of writing have none.
    bool has_text() const noexcept;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.location(self);
    }
    template <class Self, class Visitor>
    static void numbers(Self& self, Visitor& v) {
        v.u8(self.version);
        v.u8(self.size);
        v.u8(self.horizontal);
        v.u8(self.vertical);
        v.u32(self.latitude);
        v.u32(self.longitude);
        v.u32(self.altitude);
    }
};

// RFC 2782.
struct SrvRdata {
    static constexpr RrType type = RrType::SRV;
    std::uint16_t priority = 0, weight = 0, port = 0;
    Name target;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.priority);
        v.u16(self.weight);
        v.u16(self.port);
        v.name(self.target, Compression::Never);
    }
};

// RFC 3403 §4.1.
struct NaptrRdata {
    static constexpr RrType type = RrType::NAPTR;
    std::uint16_t order = 0, preference = 0;
    std::string flags, services, regexp;
    Name replacement;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.order);
        v.u16(self.preference);
        v.text(self.flags);
        v.text(self.services);
        v.text(self.regexp);
        v.name(self.replacement, Compression::Never);
    }
};

// RFC 4034 §5.1; CDS: RFC 7344 §3.1.
template <RrType of>
struct DigestRdata {
    static constexpr RrType type = of;
    std::uint16_t key_tag = 0;
    std::uint8_t algorithm = 0, digest_type = 0;
    Octets digest;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.key_tag);
        v.algorithm(self.algorithm);
        v.u8(self.digest_type);
        v.hex(self.digest);
    }
};
using DsRdata = DigestRdata<RrType::DS>;
using CdsRdata = DigestRdata<RrType::CDS>;

// RFC 4034 §2.1; CDNSKEY: RFC 7344 §3.2.
template <RrType of>
struct KeyRdata {
    static constexpr RrType type = of;
    std::uint16_t flags = 0;
    std::uint8_t protocol = 0, algorithm = 0;
    Octets key;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.flags);
        v.u8(self.protocol);
        v.algorithm(self.algorithm);
        v.base64(self.key);
    }
};
using DnskeyRdata = KeyRdata<RrType::DNSKEY>;
using CdnskeyRdata = KeyRdata<RrType::CDNSKEY>;

// RFC 4034 §3.1.
struct RrsigRdata {
    static constexpr RrType type = RrType::RRSIG;
    RrType covered{};
    std::uint8_t algorithm = 0, labels = 0;
    std::uint32_t ttl = 0, expiration = 0, inception = 0;
    std::uint16_t key_tag = 0;
    Name signer;
    Octets signature;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.rr_type(self.covered);
        v.algorithm(self.algorithm);
        v.u8(self.labels);
        v.u32(self.ttl);
        v.time(self.expiration);
        v.time(self.inception);
        v.u16(self.key_tag);
        v.name(self.signer, Compression::Never);
        v.base64(self.signature);
    }
};

// RFC 4034 §4.1.
struct NsecRdata {
    static constexpr RrType type = RrType::NSEC;
    Name next;
    Octets types;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.name(self.next, Compression::Never);
        v.type_bits(self.types);
    }
};

// RFC 5155 §3.2.
struct Nsec3Rdata {
    static constexpr RrType type = RrType::NSEC3;
    std::uint8_t hash_algorithm = 0, flags = 0;
    std::uint16_t iterations = 0;
    Octets salt, next_hash;
    Octets types;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u8(self.hash_algorithm);
        v.u8(self.flags);
        v.u16(self.iterations);
        v.salt(self.salt);
        v.hashed_name(self.next_hash);
        v.type_bits(self.types);
    }
};

// RFC 5155 §4.2.
struct Nsec3paramRdata {
    static constexpr RrType type = RrType::NSEC3PARAM;
    std::uint8_t hash_algorithm = 0, flags = 0;
    std::uint16_t iterations = 0;
    Octets salt;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u8(self.hash_algorithm);
        v.u8(self.flags);
        v.u16(self.iterations);
        v.salt(self.salt);
    }
};

// RFC 7477 §2.1.
struct CsyncRdata {
    static constexpr RrType type = RrType::CSYNC;
    std::uint32_t serial = 0;
    std::uint16_t flags = 0;
    Octets types;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u32(self.serial);
        v.u16(self.flags);
        v.type_bits(self.types);
    }
};

// RFC 8976 §2.2.
struct ZonemdRdata {
    static constexpr RrType type = RrType::ZONEMD;
    std::uint32_t serial = 0;
    std::uint8_t scheme = 0, hash_algorithm = 0;
    Octets digest;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u32(self.serial);
        v.u8(self.scheme);
        v.u8(self.hash_algorithm);
        v.hex(self.digest);
    }
};

// RFC 7929 §2.1; DHCID: RFC 4701 §3.1.
template <RrType of>
struct Base64Rdata {
    static constexpr RrType type = of;
    Octets data;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.base64(self.data);
    }
};
using OpenpgpkeyRdata = Base64Rdata<RrType::OPENPGPKEY>;
using DhcidRdata = Base64Rdata<RrType::DHCID>;

// RFC 4255 §3.1.
struct SshfpRdata {
    static constexpr RrType type = RrType::SSHFP;
    std::uint8_t algorithm = 0, fingerprint_type = 0;
    Octets fingerprint;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u8(self.algorithm);
        v.u8(self.fingerprint_type);
        v.hex(self.fingerprint);
    }
};

// RFC 6698 §2.1; SMIMEA: RFC 8162 §2.
template <RrType of>
struct AssociationRdata {
    static constexpr RrType type = of;
    std::uint8_t usage = 0, selector = 0, matching_type = 0;
    Octets data;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u8(self.usage);
        v.u8(self.selector);
        v.u8(self.matching_type);
        v.hex(self.data);
    }
};
using TlsaRdata = AssociationRdata<RrType::TLSA>;
using SmimeaRdata = AssociationRdata<RrType::SMIMEA>;

// RFC 7553 §4.
struct UriRdata {
    static constexpr RrType type = RrType::URI;
    std::uint16_t priority = 0, weight = 0;
    std::string target;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.priority);
        v.u16(self.weight);
        v.rest_as_text(self.target);
    }
};

// RFC 8659 §4.1.
struct CaaRdata {
    static constexpr RrType type = RrType::CAA;
    std::uint8_t flags = 0;
    std::string tag;
    std::string value;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u8(self.flags);
        v.tag(self.tag);
        v.rest_as_text(self.value);
    }
};

// RFC 9460 §2.2: keys ascend, and none is there twice.
struct ServiceParameter {
    std::uint16_t key = 0;
    Octets value;
};
template <RrType of>
struct ServiceRdata {
    static constexpr RrType type = of;
    std::uint16_t priority = 0;
    Name target;
    std::vector<ServiceParameter> parameters;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.priority);
        v.name(self.target, Compression::Never);
        v.parameters(self.parameters);
    }
};
using SvcbRdata = ServiceRdata<RrType::SVCB>;
using HttpsRdata = ServiceRdata<RrType::HTTPS>;

// RFC 6891 §6.1.2. It has no text of its own.
struct OptRdata {
    static constexpr RrType type = RrType::OPT;
    struct Option {
        std::uint16_t code = 0;
        Octets data;
    };
    std::vector<Option> options;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.options(self.options);
    }
};

using KnownTypes =
    std::tuple<ARdata, NsRdata, MdRdata, MfRdata, CnameRdata, SoaRdata, MbRdata, MgRdata, MrRdata,
               WksRdata, PtrRdata, HinfoRdata, MinfoRdata, MxRdata, TxtRdata, RpRdata, AfsdbRdata,
               AaaaRdata, LocRdata, SrvRdata, NaptrRdata, KxRdata, DnameRdata, OptRdata, DsRdata,
               SshfpRdata, RrsigRdata, NsecRdata, DnskeyRdata, DhcidRdata, Nsec3Rdata,
               Nsec3paramRdata, TlsaRdata, SmimeaRdata, CdsRdata, CdnskeyRdata, OpenpgpkeyRdata,
               CsyncRdata, ZonemdRdata, SvcbRdata, HttpsRdata, SpfRdata, UriRdata, CaaRdata>;

}  // namespace dnsd::wire
