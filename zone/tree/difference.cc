#include "zone/tree/difference.h"

#include <algorithm>
#include <map>
#include <tuple>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/assert.h"
#include "zone/wire/reader.h"

namespace dnsd::tree {

namespace {

using wire::RrType;
using Octets = std::vector<std::uint8_t>;

constexpr std::size_t soa_octets_min = 2 + 20;  // two root names and five numbers
constexpr std::size_t soa_serial_from_end = 20;

std::span<const std::shared_ptr<const RRset>> rrsets_of(const Node* node) noexcept {
    return node != nullptr ? node->rrsets() : std::span<const std::shared_ptr<const RRset>>();
}

void put_u16(Octets& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(Octets& out, std::uint32_t value) {
    put_u16(out, value >> 16);
    put_u16(out, value & 0xffff);
}

void put(Octets& out, const ZoneRecord& record, const wire::Name& owner) {
    const std::span<const std::uint8_t> name = owner.octets();
    out.insert(out.end(), name.begin(), name.end());
    put_u16(out, static_cast<std::size_t>(record.type));
    put_u32(out, record.ttl);
    put_u16(out, record.rdata.size());
    out.insert(out.end(), record.rdata.begin(), record.rdata.end());
}

ZoneRecord record_of(const wire::Name& owner, const RRset& rrset, std::size_t i) {
    const auto rdata = rrset.rdata(i);
    return {owner, rrset.type(), rrset.ttl(), {rdata.begin(), rdata.end()}};
}

// The records of an RRset that a transfer holds, in canonical order.
std::vector<ZoneRecord> transferred(const wire::Name& owner, const RRset* rrset) {
    std::vector<ZoneRecord> records;
    if (rrset == nullptr) return records;
    for (std::size_t i = 0; i < rrset->size(); ++i) {
        if (rrset->is_transferred(i)) records.push_back(record_of(owner, *rrset, i));
    }
    return records;
}

ZoneRecord soa_of(const Zone& zone) {
    DNSD_ASSERT(zone.soa() != nullptr);
    return record_of(zone.apex(), *zone.soa(), 0);
}

std::uint32_t serial_of(const ZoneRecord& soa) {
    wire::Reader reader(soa.rdata);
    reader.take(soa.rdata.size() - soa_serial_from_end);
    return reader.u32();
}

ZoneRecord without_serial(ZoneRecord record) {
    if (record.type == RrType::SOA && record.rdata.size() >= soa_octets_min)
        std::fill_n(record.rdata.end() - soa_serial_from_end, 4, std::uint8_t{0});
    return record;
}

// Owners in the case of RFC 4343, TTL and RDATA in that order within an RRset.
struct RecordLess {
    bool operator()(const ZoneRecord& a, const ZoneRecord& b) const noexcept {
        return std::tie(a.owner, a.type, a.ttl, a.rdata) <
               std::tie(b.owner, b.type, b.ttl, b.rdata);
    }
};

void add_changes(const wire::Name& owner, const RRset* before, const RRset* after,
                 Difference& difference) {
    const std::vector<ZoneRecord> old_records = transferred(owner, before);
    const std::vector<ZoneRecord> new_records = transferred(owner, after);
    std::ranges::set_difference(old_records, new_records, std::back_inserter(difference.removed),
                                RecordLess());
    std::ranges::set_difference(new_records, old_records, std::back_inserter(difference.added),
                                RecordLess());
}

std::uint64_t hash_of(ZoneRecord record) {
    record = without_serial(std::move(record));
    Octets octets;
    put(octets, record, record.owner.lower_cased());
    return XXH3_64bits(octets.data(), octets.size());
}

}  // namespace

void for_each_change(const Zone& before, const Zone& after, const VisitChange& visit) {
    DNSD_ASSERT(before.apex() == after.apex());
    Zone::for_each_changed_node(before, after, [&](const Node* old_node, const Node* new_node) {
        const Node& owner = new_node != nullptr ? *new_node : *old_node;
        const auto olds = rrsets_of(old_node), news = rrsets_of(new_node);
        auto was = olds.begin();
        auto is = news.begin();
        while (was != olds.end() || is != news.end()) {  // both by type
            if (is == news.end() || (was != olds.end() && (*was)->type() < (*is)->type())) {
                visit(owner, (*was)->type(), was->get(), nullptr);
                ++was;
            } else if (was == olds.end() || (*is)->type() < (*was)->type()) {
                visit(owner, (*is)->type(), nullptr, is->get());
                ++is;
            } else {
                if (*was != *is && !(**was == **is))
                    visit(owner, (*is)->type(), was->get(), is->get());
                ++was;
                ++is;
            }
        }
    });
}

std::optional<Difference> transfer_difference(const Zone& before, const Zone& after) {
    Difference difference;
    const ZoneRecord old_soa = soa_of(before), new_soa = soa_of(after);
    difference.from = serial_of(old_soa);
    difference.to = serial_of(new_soa);
    difference.removed.push_back(old_soa);
    difference.added.push_back(new_soa);
    for_each_change(before, after,
                    [&](const Node& owner, RrType type, const RRset* was, const RRset* is) {
                        if (type != RrType::SOA) add_changes(owner.owner(), was, is, difference);
                    });
    if (difference.size() == 2 && without_serial(old_soa) == without_serial(new_soa)) return {};
    return difference;
}

Difference condensed(std::span<const Difference> chain) {
    DNSD_ASSERT(!chain.empty());
    const Difference& first = chain.front();
    const Difference& last = chain.back();
    Difference whole{first.from, last.to, {first.removed.front()}, {last.added.front()}};
    std::map<ZoneRecord, int, RecordLess> balance;  // -1: removed in the end; 1: added
    for (const Difference& step : chain) {
        for (const ZoneRecord& record : std::span(step.removed).subspan(1)) --balance[record];
        for (const ZoneRecord& record : std::span(step.added).subspan(1)) ++balance[record];
    }
    for (const auto& [record, sum] : balance) {
        if (sum < 0) whole.removed.push_back(record);
        if (sum > 0) whole.added.push_back(record);
    }
    return whole;
}

std::vector<std::uint8_t> encode_records(std::span<const ZoneRecord> records) {
    Octets octets;
    for (const ZoneRecord& record : records) put(octets, record, record.owner);
    return octets;
}

Result<std::vector<ZoneRecord>> decode_records(std::span<const std::uint8_t> octets) {
    std::vector<ZoneRecord> records;
    std::size_t at = 0;
    while (at < octets.size()) {
        // A reader of its own: a compression pointer has nothing to lead back to.
        wire::Reader reader(octets.subspan(at));
        ZoneRecord record;
        record.owner = reader.name();
        record.type = static_cast<RrType>(reader.u16());
        record.ttl = reader.u32();
        const auto rdata = reader.take(reader.u16());
        if (!reader.ok()) return fail("stored records of a zone break off");
        record.rdata.assign(rdata.begin(), rdata.end());
        records.push_back(std::move(record));
        at += reader.at();
    }
    return records;
}

std::uint64_t content_sum(const Zone& zone) {
    std::uint64_t sum = 0;
    for_each_change(*Zone::make(zone.apex()), zone,
                    [&](const Node& owner, RrType, const RRset*, const RRset* rrset) {
                        for (ZoneRecord& record : transferred(owner.owner(), rrset))
                            sum += hash_of(std::move(record));
                    });
    return sum;
}

std::uint64_t content_sum(std::uint64_t before, const Difference& difference) {
    for (const ZoneRecord& record : difference.removed) before -= hash_of(record);
    for (const ZoneRecord& record : difference.added) before += hash_of(record);
    return before;
}

}  // namespace dnsd::tree
