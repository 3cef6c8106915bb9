// The clocks of each change (BEHAVIOUR §5): those that are known only after its commit find their
// way into the event table, and all of them into the propagation histogram.
#pragma once

#include <map>
#include <vector>

#include "base/histogram.h"
#include "base/result.h"
#include "zone/model/event.h"
#include "zone/registry/handed_out.h"
#include "zone/store/store.h"

namespace dnsd::registry {

// Belongs to the writer's thread; metric() to any.
class Chronicle {
  public:
    // After the publication: event.times.published is set.
    void published(const model::Event& event);
    // Looks whether the service's last publication was answered. Before its next one: its marks
    // begin anew then.
    void look(const HandedOut& handed_out, const ServiceKey& key);
    // The same for all services, and gives up those that nobody asks for.
    void look_at_all(const HandedOut& handed_out, WallTime now);

    bool awaits_answers() const noexcept { return !awaiting_.empty(); }
    bool has_times_to_write() const noexcept { return !unwritten_.empty(); }
    // REQUIRES: a transaction was begun. written() after its commit.
    Result<> write(store::Store& store) const;
    void written() { unwritten_.clear(); }

    Metric metric() const;

  private:
    struct Entry {
        model::Revision revision;
        model::Times times;
    };
    // An answer, of the last publication of each service: one that was followed by another before
    // anybody asked has no first answer.
    std::map<ServiceKey, std::vector<Entry>> awaiting_;
    std::vector<std::pair<model::Revision, model::Times>> unwritten_;
    // Of each stage: seconds from the clock before.
    static Histogram stage();
    Histogram detected_to_submitted_ = stage(), submitted_to_committed_ = stage(),
              committed_to_published_ = stage(), published_to_answered_ = stage();
};

}  // namespace dnsd::registry
