// Immutable zones that share what did not change with the zone they came from.
//
// A zone is a persistent hash trie from owner name to node. Every name between a node and the apex
// has a node too (an empty non-terminal, RFC 8020), which counts its children. Changing one RRset
// copies O(log n) trie blocks and shares all the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "zone/tree/rrset.h"
#include "zone/tree/trie.h"
#include "zone/wire/name.h"

namespace dnsd::tree {

// One owner name and its RRsets.
class Node {
  public:
    const wire::Name& owner() const noexcept;  // with the spelling that the zone holds
    const RRset* find(wire::RrType type) const noexcept;
    std::span<const std::shared_ptr<const RRset>> rrsets() const noexcept;  // by type
    bool is_empty() const noexcept;  // no RRset: an empty non-terminal, or held
};

// Immutable; any thread.
class Zone {
  public:
    // An empty zone: the apex alone. It answers nothing until it holds a SOA RRset.
    static std::shared_ptr<const Zone> make(const wire::Name& apex);

    const wire::Name& apex() const noexcept;
    const Node& apex_node() const noexcept;
    const RRset* soa() const noexcept;
    const Node* find(const wire::Name& owner) const noexcept;  // also of an empty non-terminal
    std::size_t node_count() const noexcept;

    // Every node, apex first, in canonical order (RFC 4034 §6.1). Sorts: O(n log n).
    void for_each(const std::function<void(const Node&)>& visit) const;
};

// Changes on their way to the next zone. Belongs to one thread. A name exists while it has an
// RRset, is held, or a name below it exists.
class ZoneEdit {
  public:
    explicit ZoneEdit(std::shared_ptr<const Zone> from);

    // REQUIRES for all: owner is at or below the apex.
    void set(const wire::Name& owner, std::shared_ptr<const RRset> rrset);
    void remove(const wire::Name& owner, wire::RrType type);  // nothing happens if it is not there
    void hold(
        const wire::Name& owner);  // the name exists even without RRsets (NODATA, not NXDOMAIN)
    void release(const wire::Name& owner);

    const RRset* find(const wire::Name& owner, wire::RrType type) const noexcept;

    std::shared_ptr<const Zone> finish();  // the edit goes on from there
};

}  // namespace dnsd::tree
