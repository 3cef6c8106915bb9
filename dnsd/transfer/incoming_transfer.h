// A zone as it comes in: the messages that answer one AXFR (RFC 5936) or IXFR query (RFC 1995),
// made into the next version of the zone. Pure; belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "zone/tree/zone.h"
#include "zone/wire/message.h"

namespace dnsd::transfer {

// Why there will be no zone.
struct TransferFailure {
    enum class Kind {
        Refused,   // the primary answers with an rcode
        Broken,    // what it says is no transfer, or no difference of the zone that is here
        TooLarge,  // for our limits
    };
    Kind kind = Kind::Broken;
    wire::Rcode rcode = wire::Rcode::NoError;  // Refused
    std::string text;
};

class IncomingTransfer {
  public:
    struct Limits {
        std::uint64_t octets_max = UINT64_MAX, records_max = UINT64_MAX;
    };
    enum class Progress { More, Done };
    enum class Kind {
        Whole,       // all records, also in answer to an IXFR
        Difference,  // one or several
        None,        // the primary has nothing newer than we have
    };
    struct Outcome {
        Kind kind = Kind::Whole;
        std::uint32_t serial = 0;                // of the primary
        std::shared_ptr<const tree::Zone> zone;  // null: Kind::None
        std::uint64_t octets = 0, records = 0, messages = 0;
        std::uint64_t dropped = 0;  // records with owner names outside the zone
    };

    // The answer to an IXFR query from `current`; null: to an AXFR query. REQUIRES: `current` has
    // the apex `zone` and exactly one SOA.
    IncomingTransfer(const wire::Name& zone, std::uint16_t id,
                     std::shared_ptr<const tree::Zone> current, Limits limits);

    // The next message, without its TSIG RR. After Done, and after a failure, there is no next one.
    Result<Progress, TransferFailure> take(std::span<const std::uint8_t> message);
    // REQUIRES: take() said Done. Once.
    Outcome finish();

  private:
    // Where in the answer section we are: RFC 5936 §2.2, RFC 1995 §4.
    enum class Phase {
        First,    // the SOA with the newest serial
        Second,   // what tells a difference from a whole zone, and that from nothing new
        Whole,    // records, up to the same SOA
        Removed,  // of one difference, after the older SOA
        Added,    // of one difference, after the newer SOA
        Done,
    };
    struct Record {
        wire::Name owner;
        wire::RrType type = wire::RrType::A;
        std::uint32_t ttl = 0;
        std::vector<std::uint8_t> rdata;  // uncompressed
    };
    struct Set {  // an RRset as it comes together
        std::uint32_t ttl = 0;
        std::vector<tree::Rdata> records;
    };
    struct SetChange {
        std::vector<std::vector<std::uint8_t>> removed;
        Set added;
    };
    using SetName = std::pair<wire::Name, wire::RrType>;
    struct HashSetName {
        std::size_t operator()(const SetName& name) const noexcept;
    };
    using Step = Result<void, TransferFailure>;

    Step check_heading(const wire::Message& message) const;
    Step take_record(Record record);
    Step take_first(const Record& record);
    Step take_second(Record record);
    Step take_whole(Record record);
    Step take_soa_of_difference(const Record& record);
    Step keep_set();
    Step keep_scattered();
    Step apply_difference();
    Step end();
    Step set_rrset(const wire::Name& owner, wire::RrType type, Set set);

    const wire::Name apex_;
    const std::uint16_t id_;
    const std::shared_ptr<const tree::Zone> current_;
    const Limits limits_;
    tree::ZoneEdit edit_;
    Phase phase_ = Phase::First;
    Outcome outcome_;
    Record soa_;  // with the newest serial

    // Of a whole zone: primaries send the records of an RRset one after the other. Those of RRsets
    // that were thought to be complete wait until the end, lest each of them copies its RRset.
    std::optional<std::pair<SetName, Set>> open_;
    std::unordered_map<SetName, Set, HashSetName> scattered_;

    // Of a difference: where it leads from, and to, and what it does to each RRset.
    std::uint32_t from_ = 0, to_ = 0;
    Record difference_soa_;
    std::unordered_map<SetName, SetChange, HashSetName> changes_;
};

}  // namespace dnsd::transfer
