// The road from state to zones: brings the zone set from one state to the next, touching what
// changed and nothing else.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "zone/registry/compile.h"
#include "zone/registry/hosted.h"
#include "zone/registry/state.h"
#include "zone/tree/zone_set.h"

namespace dnsd::registry {

// Changes on their way to the next zone set. Belongs to one thread. Namespaces without DNS have no
// zone: nothing happens for them. Each call returns the owner names whose RRsets changed, some of
// them twice; of more than names_max, the first.
class Publication {
  public:
    using Names = std::vector<std::string>;
    static constexpr std::size_t names_max = 10'000;  // in the events of one change

    // `infrastructure` must outlive it.
    Publication(std::shared_ptr<const tree::ZoneSet> from, const Infrastructure& infrastructure);

    // A new zone, other records, or other TTLs for what the zone holds beside its services. After a
    // change of TTLs the services in it are put again. Null before: it is new. A secondary that has
    // expired, or has nothing yet, is a zone without a SOA.
    Names put_namespace(const Namespace* before, const Namespace& now);
    void remove_namespace(const std::string& name);

    // `within` is the namespace after the change. Null before: it is new; null after: it is gone;
    // both the same: everything of it is compiled again.
    Names put_service(const Namespace& within, const Service* before, const Service* after,
                      WallTime now, const Marks& marks);

    // The PTR records of an owner at or below the namespace's own name; none: they go. Where a user
    // has put PTR records of his own, those stay.
    Names put_pointers(const Namespace& within, const wire::Name& owner,
                       const std::vector<std::string>& targets);

    // The zones that were touched, by namespace, as they were and as they are but for the serial;
    // null: there was none, or none that answers.
    struct Zones {
        std::shared_ptr<const tree::Zone> before, after;
    };
    std::map<std::string, Zones> touched() const;
    void set_serial(const Namespace& within);

    std::shared_ptr<const tree::ZoneSet> finish() const;

  private:
    struct ZoneChange {
        std::shared_ptr<const tree::Zone> before;  // null: it is new
        tree::ZoneEdit edit;
    };
    ZoneChange& zone_of(const model::NamespaceSpec& within);
    ZoneChange& begin_with(const Namespace& within, std::shared_ptr<const tree::Zone> zone);
    static void apply(ZoneChange& zone, const wire::Name& owner, wire::RrType type,
                      RRsetPointer wanted, Names& names);
    void put_made_up(ZoneChange& zone, const Namespace& within, Names& names) const;

    std::shared_ptr<const tree::ZoneSet> from_;
    const Infrastructure& infrastructure_;
    std::map<std::string, ZoneChange> zones_;  // by namespace
    std::vector<wire::Name> removed_;
};

}  // namespace dnsd::registry
