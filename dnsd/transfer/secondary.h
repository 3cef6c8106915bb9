// Zones that we follow as a secondary: every namespace whose specification names primaries. The
// timers of their SOA (RFC 1034 §4.3.5), NOTIFY from primaries (RFC 1996), AXFR and IXFR in
// (RFC 5936, RFC 1995).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "dnsd/transfer/message.h"
#include "zone/registry/registry.h"
#include "zone/wire/tsig.h"

namespace dnsd::transfer {

// Belongs to its loop's thread, but for what says otherwise. What comes of it reaches the registry
// as TakeTransfer and SetFreshness, and is gone on from after a restart.
class Secondaries {
  public:
    struct Options {
        std::size_t transfers_max = 10;  // coming in at the same time; others wait their turn
        std::size_t queries_max = 100;   // for a SOA, at the same time
        std::uint64_t octets_max = std::uint64_t{2} << 30;  // of all messages of one transfer
        std::uint64_t records_max = 10'000'000;             // that they hold
        Milliseconds query_timeout{2'000};                  // for a SOA over UDP
        Milliseconds message_timeout{10'000};  // TCP: to connect, and between two messages
        Milliseconds transfer_timeout{Milliseconds(2 * 3600 * 1000)};  // of all of it
    };

    // Refreshes at once all secondaries in the registry's state. All that is named must outlive it;
    // outcomes that the registry still owes when it is destroyed go nowhere.
    Secondaries(io::Loop& loop, registry::Registry& registry,
                const Snapshot<wire::Keyring>& keyring, const Clock& clock, Options options);
    ~Secondaries();
    Secondaries(const Secondaries&) = delete;
    Secondaries& operator=(const Secondaries&) = delete;

    // What the registry published: zones that begin or cease to have primaries are taken up or let
    // go, and those that failed are tried again when there is a new key (which is to be in the
    // keyring by now). The registry's thread, or any other; does not block.
    void news(const registry::Published& published);

    // A NOTIFY, answered at once: NOERROR to the zone's primaries, by address or by their key;
    // otherwise REFUSED, or NOTAUTH where there is no such zone. REQUIRES: opcode NOTIFY.
    void take_notify(Message message);

    // Asks the zone's primaries now; with `everything`, for the whole zone whatever its serial. Any
    // thread. Zones that have no primaries are passed over. False: too many ask, and it is not
    // done.
    bool refresh_now(std::string_view zone, bool everything = false);

    std::vector<Metric> metrics() const;  // any thread

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::transfer
