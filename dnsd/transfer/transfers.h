// Other name servers: zones go out to secondaries (AXFR, IXFR, NOTIFY) and come in from primaries,
// and clients with a key change them (dynamic update).
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "dnsd/transfer/message.h"
#include "dnsd/transfer/secondary.h"
#include "dnsd/transfer/update.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"
#include "zone/wire/tsig.h"

namespace dnsd::transfer {

// A thread with a loop of its own, which talks to the other name servers. Functions are for any
// thread unless they say otherwise, and none of them blocks.
class Transfers {
  public:
    struct Options {
        std::vector<model::Peer> notify{};          // told of the changes of every zone
        std::vector<model::Admission> allow{};      // may transfer every zone
        std::vector<wire::TsigKey> keys{};          // beside those of the API; these count first
        Milliseconds notify_delay{0};               // changes within it are told of together
        std::size_t transfers_max = 30;             // going out at the same time
        std::size_t transfers_per_client_max = 10;  // of these, to one IP address
        std::size_t messages_waiting_max = 10'000;  // handed over and not yet looked at
        // The registry follows another dnsd's, which keeps secondary zones fresh, tells the zones'
        // own peers, and takes updates: here zones go out, and `notify` is told.
        bool is_replica = false;
        Secondaries::Options secondaries{};
        Updates::Options updates{};
    };

    // `history` reads the store of the registry; null: there is none, and every IXFR is answered
    // with the whole zone. The registry, to which it listens, and the clock must outlive it.
    static std::unique_ptr<Transfers> make(Options options, registry::Registry& registry,
                                           std::unique_ptr<store::HistoryReader> history,
                                           const Clock& clock);
    // Transfers under way end where they are. A message's way back may outlive it.
    virtual ~Transfers() = default;

    // Starts the thread, once, when all others listen to the registry and queries are answered: it
    // submits changes, and secondaries are told of all zones, since they may have missed changes.
    virtual void start() = 0;

    // AXFR and IXFR queries, NOTIFY, UPDATE: each is answered, once. Others are refused.
    virtual void take(Message message) = 0;
    // The keys of the options and of the API: what signed messages are believed by. Whoever put a
    // key is told so when it is in here.
    virtual const Snapshot<wire::Keyring>& keyring() const noexcept = 0;
    // Replaces who is told, who may transfer, the keys and notify_delay; limits stay. One thread at
    // a time.
    virtual void reload(Options options) = 0;
    // A secondary's primaries are asked now; with `everything`, for the whole zone whatever its
    // serial. Zones that have no primaries are passed over.
    virtual void refresh_now(std::string_view zone, bool everything) = 0;
    virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace dnsd::transfer
