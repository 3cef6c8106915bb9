#include "zone/tree/look_ahead.h"

#include "base/assert.h"

namespace dnsd::tree {

void LookAhead::add(const ZoneSet& zones, std::span<const std::uint8_t> name,
                    wire::RrType type) noexcept {
    DNSD_ASSERT(count_ < names_max);
    const Zone* zone = zones.find(name, count_ == 0 ? nullptr : ways_[count_ - 1].zone);
    Way& way = ways_[count_++];
    way = Way{};
    way.name = name.data();
    way.name_octets = name.size();
    way.type = type;
    way.zone = zone;
    if (zone != nullptr) way.descent = zone->descent(wire::hash_name(name));
}

void LookAhead::fetch() noexcept {
    const std::span<Way> ways = std::span(ways_).first(count_);
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (Way& way : ways) goes_on = way.descent.step() || goes_on;
    }
    for (Way& way : ways) {
        way.node = way.descent.value();
        if (way.node != nullptr) way.node->prefetch();
    }
    for (Way& way : ways) {
        if (way.node != nullptr &&
            !wire::equal_names(way.node->name_octets(), {way.name, way.name_octets})) {
            way.node = nullptr;
        }
        if (way.node != nullptr) way.rrset = way.node->find(way.type);
        if (way.rrset != nullptr) way.rrset->prefetch_head();
    }
    for (const Way& way : ways) {
        if (way.rrset != nullptr) way.rrset->prefetch();
    }
}

}  // namespace dnsd::tree
