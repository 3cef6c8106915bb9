// One zone of which we are a secondary, on its way from refresh to refresh.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/random.h"
#include "base/snapshot.h"
#include "dnsd/transfer/incoming_transfer.h"
#include "dnsd/transfer/primary_client.h"
#include "dnsd/transfer/secondary.h"
#include "dnsd/transfer/secondary_timers.h"
#include "dnsd/transfer/submitter.h"
#include "dnsd/transfer/turns.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/wire/tsig.h"

namespace dnsd::transfer {

// What all secondary zones share.
struct SecondaryContext {
    io::Loop& loop;
    registry::Registry& registry;
    const Snapshot<wire::Keyring>& keyring;
    const Clock& clock;
    const Secondaries::Options options;
    Submitter submitter;
    Random random;
    Turns queries, transfers;
    struct {
        Counter axfr, axfr_failed, ixfr, ixfr_failed;  // transfers
        Counter refreshed, failed;                     // rounds of all primaries
        Counter notified, notify_refused;
    } counters{};
};

// Belongs to its loop's thread.
//
// A round asks one primary after the other until one has answered: for its SOA, and if that is
// newer than what the registry holds (or nothing is there), for the zone. Then it waits for the
// next round, as the zone's SOA wants it.
class SecondaryZone : public std::enable_shared_from_this<SecondaryZone> {
  public:
    // Does nothing before refresh(). REQUIRES: at least one primary; a name that parses.
    SecondaryZone(SecondaryContext& context, std::string name, std::vector<model::Peer> primaries);
    ~SecondaryZone();
    SecondaryZone(const SecondaryZone&) = delete;
    SecondaryZone& operator=(const SecondaryZone&) = delete;

    const std::vector<model::Peer>& primaries() const noexcept { return primaries_; }
    // Specifications or keys have changed. Refreshes if the primaries are others, or if none of
    // them could be followed before.
    void look(const std::vector<model::Peer>& primaries);

    // Begins a round now, or when the one under way has ended; several that wait are one. With
    // `everything` the zone comes whole, whatever its serial.
    void refresh(bool everything = false);
    // The primary (an index) says that the zone has changed, perhaps with its serial.
    void notified(std::size_t primary, std::optional<std::uint32_t> serial);

  private:
    enum class Phase { Idle, Asking, Transferring, Submitting };
    // What the registry holds of it.
    struct Held {
        std::shared_ptr<const tree::Zone> zone;  // null: nothing that has timers
        SoaTimers timers;
        registry::Following following;
    };

    Held held() const;
    const model::Peer& primary() const noexcept { return primaries_[at_]; }
    // Adds the TSIG RR that the primary wants; false: there is no such key, and the primary failed.
    bool sign(std::vector<std::uint8_t>& query);

    void try_primary();
    void ask();
    void ask_by_tcp();
    bool is_answer(std::vector<std::uint8_t>& message);
    void answered(const std::vector<std::uint8_t>& message);
    void begin_transfer();
    bool take_message(std::vector<std::uint8_t> message);
    void transfer_failed(const TransferFailure& failure, bool may_be_the_difference);
    void transferred(IncomingTransfer::Outcome outcome);
    void up_to_date();
    void serial_is_behind(std::uint32_t serial, std::uint32_t ours);
    void submit(registry::Change change, std::string log_line);

    void primary_failed(const std::string& why);
    void round_failed();
    void round_succeeded();
    void end_round();
    void drop_exchanges();
    void arm_expiry();
    void expire();

    SecondaryContext& context_;
    const std::string name_;
    const wire::Name apex_;
    std::vector<model::Peer> primaries_;

    Phase phase_ = Phase::Idle;
    std::size_t at_ = 0;       // the primary that is being asked
    std::size_t tried_ = 0;    // primaries that failed in this round
    bool everything_ = false;  // this round wants the whole zone
    bool is_again_ = false;    // another round follows this one
    bool again_everything_ = false;
    bool distrusts_ixfr_ = false;  // the last one came to nothing: the next transfer is whole
    unsigned failures_ = 0;        // rounds, in a row
    std::string trouble_;          // the last thing that went wrong in this round
    std::string told_;             // the trouble that the log knows of; empty: none

    std::uint16_t id_ = 0;
    std::optional<wire::TsigSession> session_;
    std::string unbelieved_;  // why answers were passed over
    std::unique_ptr<DatagramExchange> datagram_;
    std::unique_ptr<StreamExchange> stream_;
    std::unique_ptr<IncomingTransfer> incoming_;
    std::shared_ptr<const tree::Zone> from_;  // what the IXFR under way is a difference of
    SteadyTime begun_{};
    io::Timer next_round_, expiry_;
};

}  // namespace dnsd::transfer
