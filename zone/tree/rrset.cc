#include "zone/tree/rrset.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"

namespace dnsd::tree {

RRset::RRset(wire::RrType type, std::uint32_t ttl, std::vector<Rdata> records, Draw draw,
             std::uint16_t answers_max, std::shared_ptr<Mark> mark)
    : type_(type), draw_(draw), answers_max_(answers_max), ttl_(ttl), mark_(std::move(mark)) {
    DNSD_ASSERT(!records.empty() && records.size() <= 65'535);
    std::ranges::sort(records, {}, &Rdata::octets);
    const auto is_repeated = [&](auto record) {
        return record != records.begin() && std::prev(record)->octets == record->octets;
    };
    const std::size_t octets_of_first = records.front().octets.size();
    std::size_t octets = 0;
    bool are_even = true;
    for (auto record = records.begin(); record != records.end(); ++record) {
        if (is_repeated(record)) continue;
        ++size_;
        octets += record->octets.size();
        are_even = are_even && record->octets.size() == octets_of_first;
    }
    octets_ = std::make_unique_for_overwrite<std::uint8_t[]>(octets);
    if (are_even)
        octets_each_ = static_cast<std::uint16_t>(octets_of_first);
    else
        ends_ = std::make_unique_for_overwrite<std::uint32_t[]>(size_);
    if (draw_ == Draw::Weighted)
        weight_sums_ = std::make_unique_for_overwrite<std::uint64_t[]>(size_);

    std::uint8_t* end = octets_.get();
    std::size_t written = 0;
    std::uint64_t weights = 0;
    for (auto record = records.begin(); record != records.end(); ++record) {
        if (!is_repeated(record)) {
            end = std::ranges::copy(record->octets, end).out;
            if (ends_ != nullptr) ends_[written] = static_cast<std::uint32_t>(end - octets_.get());
            ++written;
        }
        weights += record->weight;
        if (weight_sums_ != nullptr) weight_sums_[written - 1] = weights;
    }
}

bool RRset::operator==(const RRset& other) const noexcept {
    if (type_ != other.type_ || draw_ != other.draw_ || answers_max_ != other.answers_max_ ||
        ttl_ != other.ttl_ || size_ != other.size_ ||
        !std::ranges::equal(weight_sums(), other.weight_sums())) {
        return false;
    }
    for (std::size_t i = 0; i < size(); ++i) {
        if (!std::ranges::equal(rdata(i), other.rdata(i))) return false;
    }
    return true;
}

}  // namespace dnsd::tree
