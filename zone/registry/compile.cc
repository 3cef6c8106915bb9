#include "zone/registry/compile.h"

#include <algorithm>
#include <span>

#include "base/assert.h"
#include "zone/registry/answerable.h"
#include "zone/registry/names.h"

namespace dnsd::registry {

using model::Instance;
using model::RecordType;
using tree::Draw;
using wire::RrType;

namespace {

// RFC 1912 §2.2 in Route 53's figures. Secondaries hear of changes by NOTIFY; these are for the
// ones that missed it.
constexpr std::uint32_t soa_refresh_seconds = 7'200;
constexpr std::uint32_t soa_retry_seconds = 900;
constexpr std::uint32_t soa_expire_seconds = 1'209'600;

// RDATA in wire form, field by field.
class RdataBuilder {
  public:
    RdataBuilder& octets(std::span<const std::uint8_t> more) {
        rdata_.octets.insert(rdata_.octets.end(), more.begin(), more.end());
        return *this;
    }
    RdataBuilder& u16(std::uint16_t value) {
        const std::uint8_t both[] = {static_cast<std::uint8_t>(value >> 8),
                                     static_cast<std::uint8_t>(value)};
        return octets(both);
    }
    RdataBuilder& u32(std::uint32_t value) {
        return u16(static_cast<std::uint16_t>(value >> 16)).u16(static_cast<std::uint16_t>(value));
    }
    tree::Rdata with_weight(std::uint32_t weight) {
        rdata_.weight = weight;
        return std::move(rdata_);
    }
    tree::Rdata done() { return with_weight(1); }

  private:
    tree::Rdata rdata_;
};

RRsetPointer rrset(RrType type, std::uint32_t ttl, std::vector<tree::Rdata> records,
                   Draw draw = Draw::All, std::uint16_t answers_max = 0, MarkPointer mark = {}) {
    if (records.empty()) return nullptr;
    return std::make_shared<const tree::RRset>(type, ttl, std::move(records), draw, answers_max,
                                               std::move(mark));
}

bool has(const model::ServiceSpec& service, RecordType type) {
    return service.record_types.empty() ||
           std::ranges::find(service.record_types, type) != service.record_types.end();
}

Draw draw_of(model::RoutingPolicy policy) {
    switch (policy) {
        case model::RoutingPolicy::Multivalue:
        case model::RoutingPolicy::Failover:
            return Draw::Sample;
        case model::RoutingPolicy::Weighted:
            return Draw::Weighted;
        case model::RoutingPolicy::Simple:
            return Draw::Rotated;
    }
    return Draw::All;
}

tree::Rdata srv_rdata(const Instance& instance, const model::ServiceSpec& service,
                      const wire::Name& apex) {
    const auto target = owner_name(instance_name(service.name, instance.spec.id), apex);
    DNSD_ASSERT(target);  // names were judged when the instance was registered
    return RdataBuilder()
        .u16(instance.spec.priority)
        .u16(instance.spec.weight)
        .u16(*instance.spec.port)
        .octets(target->octets())
        .done();
}

}  // namespace

ServiceRecords compile_service(const model::NamespaceSpec& within, const Service& service,
                               const wire::Name& apex, WallTime now, const Marks& marks,
                               std::uint32_t ttl_max) {
    const model::ServiceSpec& spec = service.spec;
    const auto instances = answerable(service, now).instances;
    const auto drawn = spec.routing_policy == model::RoutingPolicy::Failover
                           ? failover_group(service, instances)
                           : instances;
    std::vector<tree::Rdata> a, aaaa, srv;
    for (const Instance* instance : drawn) {
        // Weights shape answers under their own policy alone; elsewhere they must not make two
        // RRsets differ that are answered alike.
        const std::uint32_t weight =
            spec.routing_policy == model::RoutingPolicy::Weighted ? instance->spec.weight : 1;
        if (instance->spec.ipv4 && has(spec, RecordType::A))
            a.push_back(RdataBuilder().octets(instance->spec.ipv4->octets).with_weight(weight));
        if (instance->spec.ipv6 && has(spec, RecordType::Aaaa))
            aaaa.push_back(RdataBuilder().octets(instance->spec.ipv6->octets).with_weight(weight));
    }
    if (has(spec, RecordType::Srv)) {
        for (const Instance* instance : instances) {
            if (instance->spec.port && (instance->spec.ipv4 || instance->spec.ipv6))
                srv.push_back(srv_rdata(*instance, spec, apex));
        }
    }
    const TtlsInForce ttls = ttls_in_force(within, spec, ttl_max);
    const Draw draw = draw_of(spec.routing_policy);
    return {
        rrset(RrType::A, ttls.a, std::move(a), draw, spec.max_answers, marks.a),
        rrset(RrType::AAAA, ttls.aaaa, std::move(aaaa), draw, spec.max_answers, marks.aaaa),
        rrset(RrType::SRV, ttls.srv, std::move(srv), Draw::Sample, spec.max_answers, marks.srv)};
}

InstanceRecords compile_instance(const model::NamespaceSpec& within,
                                 const model::ServiceSpec& service, const Instance& instance,
                                 const MarkPointer& own, std::uint32_t ttl_max) {
    const TtlsInForce ttls = ttls_in_force(within, service, ttl_max);
    InstanceRecords out;
    if (instance.spec.ipv4)
        out.a = rrset(RrType::A, ttls.a, {RdataBuilder().octets(instance.spec.ipv4->octets).done()},
                      Draw::All, 0, own);
    if (instance.spec.ipv6)
        out.aaaa =
            rrset(RrType::AAAA, ttls.aaaa,
                  {RdataBuilder().octets(instance.spec.ipv6->octets).done()}, Draw::All, 0, own);
    return out;
}

RRsetPointer compile_soa(const model::NamespaceSpec& within, const wire::Name& apex,
                         const wire::Name& primary, std::uint32_t serial, std::uint32_t ttl_max) {
    const std::uint32_t ttl = std::min(within.negative_ttl, ttl_max);
    // Where the name has no room for it, RFC 1035 §3.3.13 wants some mailbox: the zone itself.
    const wire::Name hostmaster = apex.below("hostmaster").value_or(apex);
    return rrset(RrType::SOA, ttl,
                 {RdataBuilder()
                      .octets(primary.octets())
                      .octets(hostmaster.octets())
                      .u32(serial)
                      .u32(soa_refresh_seconds)
                      .u32(soa_retry_seconds)
                      .u32(soa_expire_seconds)
                      .u32(ttl)
                      .done()});
}

RRsetPointer compile_ns(const model::NamespaceSpec& within, const wire::Name& primary,
                        std::uint32_t ttl_max) {
    return rrset(RrType::NS, std::min(within.ttl, ttl_max),
                 {RdataBuilder().octets(primary.octets()).done()});
}

InstanceRecords compile_addresses(const model::NamespaceSpec& within,
                                  const std::vector<IpAddress>& addresses, std::uint32_t ttl_max) {
    const std::uint32_t ttl = std::min(within.ttl, ttl_max);
    std::vector<tree::Rdata> a, aaaa;
    for (const IpAddress& address : addresses) {
        if (const auto* v4 = std::get_if<Ipv4>(&address))
            a.push_back(RdataBuilder().octets(v4->octets).done());
        else if (const auto* v6 = std::get_if<Ipv6>(&address))
            aaaa.push_back(RdataBuilder().octets(v6->octets).done());
    }
    return {rrset(RrType::A, ttl, std::move(a)), rrset(RrType::AAAA, ttl, std::move(aaaa))};
}

TtlsInForce ttls_in_force(const model::NamespaceSpec& within, const model::ServiceSpec& service,
                          std::uint32_t ttl_max) {
    const auto in_force = [&](std::optional<std::uint32_t> own) {
        return std::min(own.value_or(within.ttl), ttl_max);
    };
    return {in_force(service.ttl.a), in_force(service.ttl.aaaa), in_force(service.ttl.srv)};
}

}  // namespace dnsd::registry
