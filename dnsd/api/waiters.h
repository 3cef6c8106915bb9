// Blocking reads: clients that wait until a service's index passes the one they know.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "base/io/loop.h"
#include "dnsd/api/listing.h"
#include "zone/registry/registry.h"
#include "zone/registry/service_key.h"

namespace dnsd::api {

// Belongs to the API's thread.
class Waiters {
  public:
    Waiters(io::Loop& loop, registry::Registry& registry);

    // Answers with the list once its index is above `after`, or at the end of the time.
    void add(const Call& call, registry::ServiceKey key, Listing listing, model::Revision after,
             Milliseconds wait);
    void news(const registry::Published& published);
    void answer_all();
    std::size_t size() const noexcept { return waiting_.size(); }

  private:
    struct Waiter {
        std::shared_ptr<Exchange> exchange;
        registry::ServiceKey key;
        Listing listing;
        std::string filter;  // what makes its list differ from that of others at the same service
        model::Revision after;
        SteadyTime deadline;
    };
    void on_time();
    void set_timer();
    void answer(std::uint64_t number, const registry::State& state,
                std::map<std::string, std::string>* bodies);
    void remove(std::uint64_t number);

    io::Loop& loop_;
    registry::Registry& registry_;
    io::Timer timer_;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, Waiter> waiting_;
    std::map<registry::ServiceKey, std::set<std::uint64_t>> by_service_;
    std::set<std::pair<SteadyTime, std::uint64_t>> by_deadline_;
};

}  // namespace dnsd::api
