// The nodes of several names, looked for at once: while one way down the tree waits for memory, the
// others go a step, and the memory that answers will read comes into the processor's caches.
// Pure, allocates nothing; any thread, while it holds the zones.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "zone/tree/zone_set.h"

namespace dnsd::tree {

class LookAhead {
  public:
    static constexpr std::size_t names_max = 64;

    // What is known of a name already.
    struct Found {
        const Zone* zone = nullptr;  // that it is in; null: in none
        const Node* node = nullptr;  // of that very name; null: there is none, or it was not found
    };

    // The octets of a whole name, uncompressed, which live until fetch(), and whose RRset is
    // wanted. REQUIRES: fewer than names_max were added.
    void add(const ZoneSet& zones, std::span<const std::uint8_t> name, wire::RrType type) noexcept;
    void add_nothing() noexcept { ways_[count_++] = Way{}; }

    // Returns when all that was added is there, or on its way.
    void fetch() noexcept;

    // Of what was added as number i, after fetch(); nothing: nothing was. REQUIRES: i were added.
    std::optional<Found> operator[](std::size_t i) const noexcept {
        const Way& way = ways_[i];
        return way.name != nullptr ? std::optional(Found{way.zone, way.node}) : std::nullopt;
    }
    void clear() noexcept { count_ = 0; }

  private:
    struct Way {
        Trie<Node>::Descent descent;
        const std::uint8_t* name;
        std::size_t name_octets;
        wire::RrType type;
        const Zone* zone;
        const Node* node;
        const RRset* rrset;
    };
    std::array<Way, names_max> ways_;  // the first count_ are meant: the others are never touched
    std::size_t count_ = 0;
};

}  // namespace dnsd::tree
