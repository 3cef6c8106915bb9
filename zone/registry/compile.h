// State into RRsets (BEHAVIOUR §1, §2): the one place that knows both what an instance is and what
// an RRset is. Pure functions of their arguments; any thread.
#pragma once

#include <memory>
#include <vector>

#include "base/address.h"
#include "zone/registry/state.h"
#include "zone/tree/rrset.h"
#include "zone/wire/name.h"

namespace dnsd::registry {

using RRsetPointer = std::shared_ptr<const tree::RRset>;
using MarkPointer = std::shared_ptr<tree::Mark>;

// Where the workers note what they answered. All null where nobody wants to know.
struct Marks {
    MarkPointer a, aaaa, srv;
    MarkPointer own;  // shared by the own names of a service's instances
};

// What stands at a service's name; `srv` also at its _service._proto name. Null: no such RRset.
struct ServiceRecords {
    RRsetPointer a, aaaa, srv;
};

// What stands at an instance's own name.
struct InstanceRecords {
    RRsetPointer a, aaaa;
};

// `ttl_max`: no TTL is longer, the negative one neither.
ServiceRecords compile_service(const model::NamespaceSpec& within, const Service& service,
                               const wire::Name& apex, WallTime now, const Marks& marks,
                               std::uint32_t ttl_max = UINT32_MAX);
// A draining instance keeps its own name for as long as an SRV may name it.
InstanceRecords compile_instance(const model::NamespaceSpec& within,
                                 const model::ServiceSpec& service, const model::Instance& instance,
                                 const MarkPointer& own, std::uint32_t ttl_max = UINT32_MAX);

RRsetPointer compile_soa(const model::NamespaceSpec& within, const wire::Name& apex,
                         const wire::Name& primary, std::uint32_t serial,
                         std::uint32_t ttl_max = UINT32_MAX);
RRsetPointer compile_ns(const model::NamespaceSpec& within, const wire::Name& primary,
                        std::uint32_t ttl_max = UINT32_MAX);
InstanceRecords compile_addresses(const model::NamespaceSpec& within,
                                  const std::vector<IpAddress>& addresses,
                                  std::uint32_t ttl_max = UINT32_MAX);

// The TTLs that are in force for a service, in seconds.
struct TtlsInForce {
    std::uint32_t a, aaaa, srv;
    std::uint32_t address() const noexcept { return a > aaaa ? a : aaaa; }
    bool operator==(const TtlsInForce&) const = default;
};
TtlsInForce ttls_in_force(const model::NamespaceSpec& within, const model::ServiceSpec& service,
                          std::uint32_t ttl_max = UINT32_MAX);

}  // namespace dnsd::registry
