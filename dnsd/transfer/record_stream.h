// What a transfer holds, record by record, in the order of the protocol.
#pragma once

#include <memory>

#include "dnsd/transfer/message_writer.h"
#include "zone/tree/difference.h"
#include "zone/tree/zone.h"

namespace dnsd::transfer {

// Belongs to one thread.
class RecordStream {
  public:
    virtual ~RecordStream() = default;
    // Null: that was the last. The record lives until the next call, what it looks into as long as
    // the stream.
    virtual const RecordView* next() = 0;
};

// REQUIRES for all: the zone has a SOA.

// RFC 5936 §2.2: the SOA, all else in any order, the SOA. It costs no time before the first record
// and no memory for each, however large the zone is.
std::unique_ptr<RecordStream> stream_whole(std::shared_ptr<const tree::Zone> zone);
// RFC 1995 §4: the difference between two SOAs of the newest version.
std::unique_ptr<RecordStream> stream_difference(std::shared_ptr<const tree::Zone> zone,
                                                tree::Difference difference);
// RFC 1995 §2: the SOA alone: the client has the newest, or is to ask again over TCP.
std::unique_ptr<RecordStream> stream_soa(std::shared_ptr<const tree::Zone> zone);

// Whether stream_whole() has at least so many records; asks no further than that.
bool has_records(const tree::Zone& zone, std::size_t count);

}  // namespace dnsd::transfer
