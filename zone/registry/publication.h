// The road from state to zones: brings the zone set from one state to the next, touching what
// changed and nothing else.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "zone/registry/compile.h"
#include "zone/registry/state.h"
#include "zone/tree/zone_set.h"

namespace dnsd::registry {

// What every zone holds beside its services. Its names yield to a user's own.
struct Infrastructure {
    std::string name_server;               // empty: ns.dns.<zone>, in every zone
    std::vector<IpAddress> dns_addresses;  // of ns.dns.<zone>
    std::vector<IpAddress> api_addresses;  // of api.<zone> and data-api.<zone>
    std::uint32_t ttl_max = UINT32_MAX;    // of everything that is answered
};

// Changes on their way to the next zone set. Belongs to one thread. Namespaces without DNS have no
// zone: nothing happens for them. Each call returns the owner names whose RRsets changed.
class Publication {
  public:
    using Names = std::vector<std::string>;

    // `infrastructure` must outlive it.
    Publication(std::shared_ptr<const tree::ZoneSet> from, const Infrastructure& infrastructure);

    // A new zone, or other TTLs for what the zone holds beside its services. After a change of TTLs
    // the services in it are put again.
    Names put_namespace(const Namespace& now_is);
    void remove_namespace(const std::string& name);

    // `within` is the namespace after the change. Null before: it is new; null after: it is gone;
    // both the same: everything of it is compiled again.
    Names put_service(const Namespace& within, const Service* before, const Service* after,
                      WallTime now, const Marks& marks);

    // Whether an AXFR of the zone would hold something else than before (but for the serial).
    bool changes(const std::string& namespace_name) const;
    void set_serial(const Namespace& within, std::uint32_t serial);

    std::shared_ptr<const tree::ZoneSet> finish() const;

  private:
    struct ZoneChange {
        wire::Name apex;
        tree::ZoneEdit edit;
        bool changed = false;
    };
    ZoneChange& zone_of(const model::NamespaceSpec& within);
    static void apply(ZoneChange& zone, const wire::Name& owner, wire::RrType type,
                      RRsetPointer wanted, Names& names);
    void put_infrastructure(ZoneChange& zone, const Namespace& within, Names& names) const;
    wire::Name primary_of(const wire::Name& apex) const;

    std::shared_ptr<const tree::ZoneSet> from_;
    const Infrastructure& infrastructure_;
    std::map<std::string, ZoneChange> zones_;  // by namespace
    std::vector<wire::Name> removed_;
};

}  // namespace dnsd::registry
