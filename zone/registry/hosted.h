// What a zone holds beside its services: plain record sets, and what is made up where the zone has
// no SOA and NS of its own. Pure; any thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "zone/registry/registry.h"
#include "zone/registry/state.h"
#include "zone/tree/zone.h"
#include "zone/wire/rdata_types.h"

namespace dnsd::registry {

// What every zone holds that has no SOA and NS of its own. Its names yield to a user's own.
struct Infrastructure {
    std::string name_server;               // empty: ns.dns.<zone>, in every zone
    std::vector<IpAddress> dns_addresses;  // of ns.dns.<zone>
    std::vector<IpAddress> api_addresses;  // of api.<zone> and data-api.<zone>
    std::uint32_t ttl_max = UINT32_MAX;    // of everything that is answered
};

// Of a namespace with DNS. REQUIRES: its name was judged when it was put.
wire::Name apex_of(const model::NamespaceSpec& within);
// A name at or below `apex` as the registry's names are: "web", "a.b"; empty: the apex itself.
std::string relative_name(const wire::Name& name, const wire::Name& apex);

// Relative to the apex, which is the empty one: the names at which something may be made up.
inline constexpr std::string_view made_up_names[] = {"", "ns.dns", "api", "data-api"};

// Whether the zone has SOA and NS of its own: then nothing is made up for it.
bool has_own_apex(const Namespace& within);

// SOA and NS, with the serial, and the addresses of ns.dns, api and data-api.
std::shared_ptr<const tree::Zone> made_up_zone(const Namespace& within,
                                               const Infrastructure& infrastructure);

// All of the zone that services do not own, its SOA with the serial in force: what a master file of
// it holds. `served` is the zone as it is answered, or made_up_zone().
std::shared_ptr<const tree::Zone> plain_zone(const Namespace& within, const tree::Zone& served);

// The SOA's RDATA taken apart, and put together.
wire::SoaRdata soa_of(const tree::RRset& rrset);
std::shared_ptr<const tree::RRset> soa_rrset(const wire::SoaRdata& soa, std::uint32_t ttl);

// The records to keep of a plain zone: none of those that would be made up alike, and the SOA with
// the serial 0, since the namespace keeps it. Null: nothing is left.
std::shared_ptr<const tree::Zone> kept_records(std::shared_ptr<const tree::Zone> plain,
                                               const Namespace& within,
                                               const Infrastructure& infrastructure);

// Why plain records and services cannot live side by side: a name with two owners, or a service
// below a zone cut or a DNAME.
std::optional<Refusal> judge_beside_services(const Namespace& within,
                                             std::shared_ptr<const tree::Zone> plain);
// The same for one name that a service would own.
std::optional<std::string> taken_by_records(const Namespace& within, const wire::Name& name);

}  // namespace dnsd::registry
