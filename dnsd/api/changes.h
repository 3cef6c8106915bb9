// /v1/changes: whatever decides an answer, as server-sent events, for registries that follow this
// one. A snapshot first, then one change per publication.
//
//   begin      {"revision", "identity"}          a snapshot begins: what is known is thrown away
//   namespace  a namespace, whole
//   service    a service, whole; further ones of the same name add instances
//   end        {"revision", "now"}               the snapshot is whole
//   change     {"from", "revision", "now", ...}  leads from one revision to the next
//   heartbeat  {"revision", "now"}               on request, each second
//
// registry/delta.h says what stands in them. A client that comes back with its Last-Event-ID and
// the store's identity gets what it missed as one change, where history reaches so far; else a
// snapshot.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/io/loop.h"
#include "dnsd/api/routes.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"

namespace dnsd::api {

// Belongs to the API's thread.
class Changes {
  public:
    Changes(io::Loop& loop, registry::Registry& registry, store::EventReader& events,
            const Clock& clock);
    ~Changes();

    struct Wishes {
        std::optional<model::Revision> last_seen;  // Last-Event-ID
        std::string identity;                      // of the store that it was seen in
        bool heartbeat = false;
    };
    void add(const Call& call, Wishes wishes);
    void news(const registry::Published& published);
    void end_all();
    std::size_t size() const noexcept { return followers_.size(); }

  private:
    class Follower;
    void beat();
    void leave(const std::shared_ptr<Follower>& follower);

    registry::Registry& registry_;
    store::EventReader& events_;
    const Clock& clock_;
    std::shared_ptr<const registry::State> told_;  // of what all followers know
    std::set<std::shared_ptr<Follower>> followers_;
    std::uint64_t beats_ = 0;
    io::Timer pulse_;
};

}  // namespace dnsd::api
