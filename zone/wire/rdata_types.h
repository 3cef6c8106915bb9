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

// RFC 1035 §3.3.7.
struct MinfoRdata {
    static constexpr RrType type = RrType::MINFO;
    Name responsible, errors;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.name(self.responsible, Compression::Allowed);
        v.name(self.errors, Compression::Allowed);
    }
};

// RFC 1035 §3.3.9.
struct MxRdata {
    static constexpr RrType type = RrType::MX;
    std::uint16_t preference = 0;
    Name exchange;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.preference);
        v.name(self.exchange, Compression::Allowed);
    }
};

// RFC 1035 §3.3.14.
struct TxtRdata {
    static constexpr RrType type = RrType::TXT;
    std::vector<std::string> texts;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.texts(self.texts);
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

// RFC 4034 §5.1.
struct DsRdata {
    static constexpr RrType type = RrType::DS;
    std::uint16_t key_tag = 0;
    std::uint8_t algorithm = 0, digest_type = 0;
    Octets digest;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& v) {
        v.u16(self.key_tag);
        v.u8(self.algorithm);
        v.u8(self.digest_type);
        v.hex(self.digest);
    }
};

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

// RFC 6698 §2.1.
struct TlsaRdata {
    static constexpr RrType type = RrType::TLSA;
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

using KnownTypes = std::tuple<ARdata, NsRdata, MdRdata, MfRdata, CnameRdata, SoaRdata, MbRdata,
                              MgRdata, MrRdata, WksRdata, PtrRdata, HinfoRdata, MinfoRdata, MxRdata,
                              TxtRdata, AaaaRdata, SrvRdata, NaptrRdata, DnameRdata, OptRdata,
                              DsRdata, SshfpRdata, TlsaRdata, SvcbRdata, HttpsRdata, CaaRdata>;

}  // namespace dnsd::wire
