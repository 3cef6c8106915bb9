#include "zone/tree/zone_set.h"

#include <algorithm>

namespace dnsd::tree {

const Zone* ZoneSet::find(std::span<const std::uint8_t> name) const noexcept {
    std::span<const std::uint8_t> suffix = name;
    for (std::size_t labels = wire::label_count(name);; --labels) {
        if (apexes_[labels] > 0) {
            const auto* zone = zones_.find(suffix, wire::hash_name(suffix));
            if (zone != nullptr) return zone->get();
        }
        if (labels == 0) return nullptr;
        suffix = suffix.subspan(suffix[0] + std::size_t{1});
    }
}

const Zone* ZoneSet::find(std::span<const std::uint8_t> name, const Zone* likely) const noexcept {
    if (likely == nullptr) return find(name);
    const std::span<const std::uint8_t> apex = likely->name_octets();
    std::span<const std::uint8_t> suffix = name;
    for (std::size_t labels = wire::label_count(name); suffix.size() > apex.size(); --labels) {
        if (apexes_[labels] > 0) return find(name);
        suffix = suffix.subspan(suffix[0] + std::size_t{1});
    }
    return wire::equal_names(suffix, apex) ? likely : find(name);
}

std::shared_ptr<const Zone> ZoneSet::find_apex(const wire::Name& apex) const {
    const auto* zone = zones_.find(apex.octets(), apex.hash());
    return zone == nullptr ? nullptr : *zone;
}

std::shared_ptr<const ZoneSet> ZoneSet::with(std::shared_ptr<const Zone> zone) const {
    auto next = std::make_shared<ZoneSet>(*this);
    if (find_apex(zone->apex()) == nullptr) next->count(zone->apex(), 1);
    next->zones_.set(std::move(zone));
    return next;
}

std::shared_ptr<const ZoneSet> ZoneSet::without(const wire::Name& apex) const {
    auto next = std::make_shared<ZoneSet>(*this);
    if (find_apex(apex) != nullptr) next->count(apex, -1);
    next->zones_.erase(apex.octets(), apex.hash());
    return next;
}

void ZoneSet::count(const wire::Name& apex, int change) {
    apexes_[apex.label_count()] += static_cast<std::uint32_t>(change);
    for (std::span<const std::uint8_t> name = apex.octets();;
         name = name.subspan(name[0] + std::size_t{1})) {
        const std::uint64_t hash = wire::hash_name(name);
        const auto* ancestor = ancestors_.find(name, hash);
        const int zones = change + (ancestor == nullptr ? 0 : static_cast<int>((*ancestor)->zones));
        if (zones == 0) {
            ancestors_.erase(name, hash);
        } else {
            ancestors_.set(std::make_shared<const Ancestor>(
                Ancestor{{name.begin(), name.end()}, hash, static_cast<std::uint32_t>(zones)}));
        }
        if (name.size() == 1) return;
    }
}

std::vector<std::shared_ptr<const Zone>> ZoneSet::zones() const {
    std::vector<std::shared_ptr<const Zone>> sorted;
    zones_.for_each([&](const auto& zone) { sorted.push_back(zone); });
    std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a->apex() < b->apex(); });
    return sorted;
}

}  // namespace dnsd::tree
