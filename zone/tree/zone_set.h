// All zones that are served: what a worker holds while it answers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "zone/tree/trie.h"
#include "zone/tree/zone.h"

namespace dnsd::tree {

// Immutable, shares structure as zones do; any thread.
class ZoneSet {
  public:
    // The zone with the longest apex that `name` is at or below; null if there is none.
    const Zone* find(const wire::Name& name) const noexcept { return find(name.octets()); }
    const Zone* find(std::span<const std::uint8_t> name) const noexcept;
    // The same, cheaper where it is `likely`: one of this set's, or null.
    const Zone* find(std::span<const std::uint8_t> name, const Zone* likely) const noexcept;
    std::shared_ptr<const Zone> find_apex(const wire::Name& apex) const;

    // Whether a zone's apex is at or below this name, which therefore exists (RFC 8020 §2).
    bool has_at_or_below(std::span<const std::uint8_t> name) const noexcept {
        return ancestors_.find(name, wire::hash_name(name)) != nullptr;
    }

    std::shared_ptr<const ZoneSet> with(
        std::shared_ptr<const Zone> zone) const;  // added or replaced
    std::shared_ptr<const ZoneSet> without(const wire::Name& apex) const;

    std::size_t size() const noexcept { return zones_.size(); }
    std::vector<std::shared_ptr<const Zone>> zones() const;  // in canonical order of their apexes

  private:
    // A name that apexes are at or below, and how many.
    struct Ancestor {
        std::vector<std::uint8_t> octets;
        std::uint64_t name_hash;
        std::uint32_t zones;

        std::span<const std::uint8_t> name_octets() const noexcept { return octets; }
        std::uint64_t hash() const noexcept { return name_hash; }
    };
    void count(const wire::Name& apex, int change);

    Trie<Zone> zones_;
    Trie<Ancestor> ancestors_;
    // How many apexes have so many labels: a name's other suffixes are none.
    std::array<std::uint32_t, wire::Name::labels_max + 1> apexes_{};
};

}  // namespace dnsd::tree
