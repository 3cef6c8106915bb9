// What one version of a zone holds and another does not, and differences between serials as IXFR
// carries them (RFC 1995).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "zone/tree/zone.h"

namespace dnsd::tree {

// Visits every RRset that one of the zones holds and the other does not, or not equal to it
// (RRset's ==). Null: there is none. Structure that the zones share is skipped: the cost is that of
// what differs. REQUIRES: the same apex. The order is that of hashes. Pure; any thread.
using VisitChange = std::function<void(const Node& owner, wire::RrType type, const RRset* before,
                                       const RRset* after)>;
void for_each_change(const Zone& before, const Zone& after, const VisitChange& visit);

// One RR as a transfer carries it.
struct ZoneRecord {
    wire::Name owner;
    wire::RrType type = wire::RrType::A;
    std::uint32_t ttl = 0;
    std::vector<std::uint8_t> rdata;  // uncompressed
    bool operator==(const ZoneRecord&) const = default;
};

// From one serial to a later one. The first record of each list is the zone's SOA then (RFC 1995
// §4); the others hold no SOA.
struct Difference {
    std::uint32_t from = 0, to = 0;  // serials
    std::vector<ZoneRecord> removed, added;
    bool operator==(const Difference&) const = default;
    std::size_t size() const noexcept { return removed.size() + added.size(); }
};

// What an AXFR of `after` holds and one of `before` does not, and the other way round. Nothing:
// they hold the same, but for the serial. REQUIRES: both have a SOA.
std::optional<Difference> transfer_difference(const Zone& before, const Zone& after);

// One difference in place of several that follow each other: what came and went is in neither list
// (RFC 1995 §5). REQUIRES: at least one, each beginning where the one before ends.
Difference condensed(std::span<const Difference> chain);

// Octets for a store: owner (wire form), type (2), TTL (4), size (2), RDATA, one record after the
// other.
std::vector<std::uint8_t> encode_records(std::span<const ZoneRecord> records);
Result<std::vector<ZoneRecord>> decode_records(std::span<const std::uint8_t> octets);

// Order-independent, so that it can be moved on by a difference: the sum of a hash of each record
// that an AXFR holds, its SOA with the serial 0. Two zones that differ have the same sum only by
// chance (1 in 2^64).
std::uint64_t content_sum(const Zone& zone);
std::uint64_t content_sum(std::uint64_t before, const Difference& difference);

}  // namespace dnsd::tree
