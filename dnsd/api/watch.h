// /v1/watch: server-sent events, a snapshot first and then one event per revision. Never a silent
// gap: where history is gone, or a client reads too slowly, it gets `event: reset` and a snapshot.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/io/loop.h"
#include "dnsd/api/routes.h"
#include "dnsd/api/service_walk.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"

namespace dnsd::api {

// Belongs to the API's thread.
class Watch {
  public:
    Watch(io::Loop& loop, registry::Registry& registry, store::EventReader& events);
    ~Watch();

    using Filter = ServiceFilter;
    // `last_seen`: the client's Last-Event-ID.
    void add(const Call& call, Filter filter, std::optional<model::Revision> last_seen);
    void news(const registry::Published& published);
    void end_all();
    std::size_t size() const noexcept { return subscribers_.size(); }

  private:
    class Subscriber;
    void stay_alive();

    store::EventReader& events_;
    // What all subscribers have been told of; what is published after it comes by news().
    std::shared_ptr<const registry::State> told_;
    std::set<std::shared_ptr<Subscriber>> subscribers_;
    io::Timer pulse_;
};

}  // namespace dnsd::api
