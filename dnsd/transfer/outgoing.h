// Zones on their way to secondaries: AXFR (RFC 5936) and IXFR (RFC 1995) out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "dnsd/transfer/message.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"

namespace dnsd::transfer {

// Belongs to its loop's thread, but for metrics().
//
// Each transfer holds its zone's snapshot and at most one message: the next is made when the client
// has taken the one before.
class Outgoing {
  public:
    struct Options {
        std::vector<model::Admission> allow{};  // of every zone, beside its own
        std::size_t transfers_max = 30;
        std::size_t transfers_per_client_max = 10;
        // A client that takes nothing for so long is let go (RFC 5936 has no word on it).
        Milliseconds stalled_after{60'000};
    };
    // Runs a piece of work on the loop; any thread, also when the loop has ended: then it does not.
    using Post = std::function<void(std::function<void()>)>;

    // `history` may be null. All that is named must outlive it.
    Outgoing(io::Loop& loop, Options options, registry::Registry& registry,
             std::unique_ptr<store::HistoryReader> history, Post post, const Clock& clock);
    ~Outgoing();
    Outgoing(const Outgoing&) = delete;
    Outgoing& operator=(const Outgoing&) = delete;

    // An AXFR or IXFR query. REQUIRES: is_transfer_request().
    void take(Message message);
    void allow(std::vector<model::Admission> allow);

    std::vector<Metric> metrics() const;  // any thread

  private:
    struct State;
    std::shared_ptr<State> state_;  // messages under way find it gone
};

}  // namespace dnsd::transfer
