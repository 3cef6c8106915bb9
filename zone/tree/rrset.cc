#include "zone/tree/rrset.h"

#include <algorithm>

#include "base/assert.h"

namespace dnsd::tree {

RRset::RRset(wire::RrType type, std::uint32_t ttl, std::vector<Rdata> records, Draw draw,
             std::uint16_t answers_max, std::shared_ptr<Mark> mark)
    : type_(type), draw_(draw), answers_max_(answers_max), ttl_(ttl), mark_(std::move(mark)) {
    DNSD_ASSERT(!records.empty() && records.size() <= 65'535);
    std::ranges::sort(records, {}, &Rdata::octets);
    std::uint64_t weights = 0;
    const std::vector<std::uint8_t>* previous = nullptr;
    for (const Rdata& record : records) {
        weights += record.weight;
        if (previous == nullptr || *previous != record.octets) {
            octets_.insert(octets_.end(), record.octets.begin(), record.octets.end());
            ends_.push_back(static_cast<std::uint32_t>(octets_.size()));
            if (draw_ == Draw::Weighted) weight_sums_.push_back(weights);
        } else if (draw_ == Draw::Weighted) {
            weight_sums_.back() = weights;
        }
        previous = &record.octets;
    }
}

bool RRset::operator==(const RRset& other) const noexcept {
    return type_ == other.type_ && draw_ == other.draw_ && answers_max_ == other.answers_max_ &&
           ttl_ == other.ttl_ && octets_ == other.octets_ && ends_ == other.ends_ &&
           weight_sums_ == other.weight_sums_;
}

}  // namespace dnsd::tree
