// All zones that are served: what a worker holds while it answers.
#pragma once

#include <memory>
#include <vector>

#include "zone/tree/trie.h"
#include "zone/tree/zone.h"

namespace dnsd::tree {

// Immutable, shares structure as zones do; any thread.
class ZoneSet {
  public:
    // The zone with the longest apex that `name` is at or below; null if there is none.
    const Zone* find(const wire::Name& name) const noexcept;
    std::shared_ptr<const Zone> find_apex(const wire::Name& apex) const;

    std::shared_ptr<const ZoneSet> with(
        std::shared_ptr<const Zone> zone) const;  // added or replaced
    std::shared_ptr<const ZoneSet> without(const wire::Name& apex) const;

    std::size_t size() const noexcept { return zones_.size(); }
    std::vector<std::shared_ptr<const Zone>> zones() const;  // in canonical order of their apexes

  private:
    Trie<Zone> zones_;
};

}  // namespace dnsd::tree
