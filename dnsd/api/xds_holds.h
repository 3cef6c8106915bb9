// Envoys that wait for their resources to change: so polling becomes push. A request is answered at
// once if the node has another version than ours; else it is held until that is so, or until the
// hold ends with 304, which Envoy takes for "nothing new".
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "dnsd/api/routes.h"
#include "dnsd/api/xds.h"
#include "zone/registry/registry.h"

namespace dnsd::api {

// Belongs to the API's thread.
class XdsHolds {
  public:
    XdsHolds(io::Loop& loop, const Snapshot<registry::State>& state, const Clock& clock);

    void add(const Call& call, DiscoveryRequest request);
    void news(const registry::Published& published);
    // Everyone is let go and asks again: what their tokens may read has changed.
    void release_all();
    void close();  // as release_all(); from now on nobody is held
    std::vector<Metric> metrics() const;

  private:
    struct Hold {
        std::shared_ptr<Exchange> exchange;
        DiscoveryRequest request;
        std::string refused;  // the version that the node did not take
        SteadyTime deadline;
    };
    // What was answered last to whom, kept while it may come back refused: by the same node, asking
    // for the same, with the version that it had before.
    struct Answered {
        std::string asked, version;
        SteadyTime when;
    };
    // The latest state and what has been rendered of it: many nodes ask for the same.
    struct Renderings {
        std::shared_ptr<const registry::State> state;
        std::map<std::string, XdsAnswer> by_key;
    };

    Renderings renderings() const { return {state_.load(), {}}; }
    const XdsAnswer& rendering(const DiscoveryRequest& request, Renderings& renderings);
    // Whether the node has to hear of it.
    static bool is_news(const Hold& hold, const XdsAnswer& answer, const registry::State& state);

    void keep(Hold hold);
    Hold release(std::uint64_t number);
    Hold take(std::uint64_t number);
    void reconsider(const std::set<std::uint64_t>& numbers, Renderings& renderings);
    void answer(const Hold& hold, const XdsAnswer& answer);
    void let_go(const Hold& hold);
    bool note_offer(const std::string& cluster, const registry::State& state);

    std::optional<Answered> find_answered(std::uint64_t who) const;
    void remember(std::uint64_t who, Answered answered);
    void on_time();
    void set_timer();

    io::Loop& loop_;
    const Snapshot<registry::State>& state_;
    const Clock& clock_;
    io::Timer timer_;
    bool closed_ = false;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, Hold> held_;
    std::set<std::pair<SteadyTime, std::uint64_t>> by_deadline_;
    // Who waits for a cluster's endpoints; who waits for a list, or for all endpoints.
    std::map<std::string, std::set<std::uint64_t>> by_cluster_;
    std::map<XdsType, std::set<std::uint64_t>> by_type_;
    std::set<std::string> withheld_;                            // clusters that are not offered yet
    std::unordered_map<std::uint64_t, Answered> answered_;      // by who asked for what
    std::deque<std::pair<SteadyTime, std::uint64_t>> answers_;  // the same, oldest first
    Counter sent_, unchanged_, refused_, without_port_;
};

}  // namespace dnsd::api
