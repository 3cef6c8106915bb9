#include "zone/tree/look_ahead.h"

namespace dnsd::tree {

void LookAhead::add(const ZoneSet& zones, std::span<const std::uint8_t> name,
                    wire::RrType type) noexcept {
    if (const Zone* zone = zones.find(name)) add(*zone, name, type);
}

void LookAhead::add(const Zone& zone, std::span<const std::uint8_t> name,
                    wire::RrType type) noexcept {
    if (count_ == names_max) return;
    ways_[count_++] = {zone.descent(wire::hash_name(name)), type};
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
        if (way.node != nullptr) way.rrset = way.node->find(way.type);
        if (way.rrset != nullptr) __builtin_prefetch(way.rrset);
    }
    for (Way& way : ways) {
        if (way.rrset != nullptr) way.rrset->prefetch();
    }
}

}  // namespace dnsd::tree
