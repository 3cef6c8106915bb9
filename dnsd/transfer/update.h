// Dynamic update (RFC 2136): from a message to a change of a zone's records, and back to a reply.
// What the prerequisites and the edits mean to a zone is the registry's to say.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "dnsd/transfer/message.h"
#include "zone/registry/records.h"
#include "zone/registry/registry.h"
#include "zone/wire/message.h"

namespace dnsd::transfer {

// Why an UPDATE is answered with another rcode than NOERROR.
struct UpdateRefusal {
    wire::Rcode rcode = wire::Rcode::FormErr;
    wire::ExtendedError code = wire::ExtendedError::Other;
    std::string text;  // a sentence for the operator of the client
};

// RFC 2136 §3.1.1: exactly one zone, with the type SOA and our class. Pure.
Result<wire::Question, UpdateRefusal> decode_update_zone(std::span<const std::uint8_t> message);

// What an UPDATE asks for. The prerequisites that compare RDATA come last (§3.2.5).
struct Update {
    std::vector<registry::Prerequisite> prerequisites;
    std::vector<registry::RecordEdit> edits;
};
// The sections behind the zone section, with the scans of §3.2.5 and §3.4.1. Pure.
Result<Update, UpdateRefusal> decode_update(std::span<const std::uint8_t> message,
                                            const wire::Name& zone);

// Takes UPDATE messages for all our zones. Belongs to its loop's thread, but for metrics(). Updates
// that the registry has not answered when it is destroyed are not answered.
class Updates {
  public:
    struct Options {
        std::size_t waiting_max = 10'000;  // submitted and not yet answered: SERVFAIL beyond
    };

    // The loop, the registry and the clock must outlive it.
    Updates(io::Loop& loop, registry::Registry& registry, const Clock& clock, Options options);
    ~Updates();
    Updates(const Updates&) = delete;
    Updates& operator=(const Updates&) = delete;

    // Answered once, signed where the message was, after the change is visible. REQUIRES: opcode
    // UPDATE.
    void take(Message message);
    std::vector<Metric> metrics() const;  // any thread

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::transfer
