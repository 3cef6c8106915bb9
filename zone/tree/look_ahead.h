// The memory that answers to several questions need, fetched into the processor's caches before the
// first of them is looked up: while one way down the tree waits for memory, the others go a step.
// Changes no answer. Pure, allocates nothing; any thread, while it holds the zones.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "zone/tree/zone_set.h"

namespace dnsd::tree {

class LookAhead {
  public:
    static constexpr std::size_t names_max = 32;  // further ones are left out

    // The octets of a whole name, uncompressed, and whose RRset is wanted.
    void add(const ZoneSet& zones, std::span<const std::uint8_t> name, wire::RrType type) noexcept;
    void add(const Zone& zone, std::span<const std::uint8_t> name, wire::RrType type) noexcept;

    // Returns when all that was added is there, or on its way.
    void fetch() noexcept;

  private:
    struct Way {
        Trie<Node>::Descent descent;
        wire::RrType type;
        const Node* node = nullptr;
        const RRset* rrset = nullptr;
    };
    std::array<Way, names_max> ways_;
    std::size_t count_ = 0;
};

}  // namespace dnsd::tree
