// Tells secondaries that a zone has changed (NOTIFY, RFC 1996), from UDP sockets of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "dnsd/transfer/notify_plan.h"
#include "zone/wire/tsig.h"

namespace dnsd::transfer {

// Belongs to its loop's thread, but for metrics().
class Notifier {
  public:
    // All that is named must outlive it. An address family that this machine does not have is
    // passed over.
    Notifier(io::Loop& loop, const Snapshot<wire::Keyring>& keyring, const Clock& clock);
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    // The peers are told after `delay` of the latest SOA then.
    void changed(const wire::Name& zone, const std::shared_ptr<const tree::RRset>& soa,
                 const std::vector<model::Peer>& peers, Milliseconds delay);
    void forget(const wire::Name& zone);  // it is gone: nobody is told

    std::vector<Metric> metrics() const;  // any thread

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The message without TSIG: AA, the zone's SOA as question and answer (RFC 1996 §3.7).
std::vector<std::uint8_t> encode_notify(const Notice& notice);

// Whether a message is a reply to the notice, by its id, opcode and question. An error may come
// without a question.
bool is_reply_to(std::span<const std::uint8_t> message, const Notice& notice);

}  // namespace dnsd::transfer
