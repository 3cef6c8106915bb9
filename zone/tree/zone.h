// Immutable zones that share what did not change with the zone they came from.
//
// A zone is a persistent hash trie from owner name to node. Every name between a node and the apex
// has a node too (an empty non-terminal, RFC 8020), which counts its children. Changing one RRset
// copies O(log n) trie blocks and shares all the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "zone/tree/rrset.h"
#include "zone/tree/trie.h"
#include "zone/wire/name.h"

namespace dnsd::tree {

// One owner name and its RRsets. Immutable.
class Node {
  public:
    Node(std::span<const std::uint8_t> owner, std::uint64_t hash);

    wire::Name owner() const noexcept;  // with the spelling that the zone holds
    const RRset* find(wire::RrType type) const noexcept;
    std::span<const std::shared_ptr<const RRset>> rrsets() const noexcept {
        return rrsets_;
    }  // by type
    bool is_empty() const noexcept { return rrsets_.empty(); }  // an empty non-terminal, or held

    std::span<const std::uint8_t> name_octets() const noexcept { return octets_; }
    std::uint64_t hash() const noexcept { return hash_; }

  private:
    friend class ZoneEdit;

    std::uint64_t hash_;
    std::vector<std::uint8_t> octets_;
    std::vector<std::shared_ptr<const RRset>> rrsets_;
    std::uint32_t children_ = 0;  // names one label below
    bool held_ = false;
};

// Immutable; any thread.
class Zone {
  public:
    // An empty zone: the apex alone. It answers nothing until it holds a SOA RRset.
    static std::shared_ptr<const Zone> make(const wire::Name& apex);

    const wire::Name& apex() const noexcept { return apex_; }
    const Node& apex_node() const noexcept { return *apex_node_; }
    const RRset* soa() const noexcept { return apex_node_->find(wire::RrType::SOA); }
    const Node* find(const wire::Name& owner) const noexcept { return find(owner.octets()); }
    const Node* find(
        std::span<const std::uint8_t> owner) const noexcept;  // also of an empty non-terminal
    std::size_t node_count() const noexcept { return nodes_.size(); }

    // Every node, apex first, in canonical order (RFC 4034 §6.1). Sorts: O(n log n).
    void for_each(const std::function<void(const Node&)>& visit) const;

    std::span<const std::uint8_t> name_octets() const noexcept { return apex_.octets(); }
    std::uint64_t hash() const noexcept { return apex_node_->hash(); }

  private:
    friend class ZoneEdit;
    Zone() = default;

    wire::Name apex_;
    Trie<Node> nodes_;
    std::shared_ptr<const Node> apex_node_;
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

    std::shared_ptr<const Zone> finish() const;  // the edit may go on from there

  private:
    const Node* find_node(std::span<const std::uint8_t> owner) const noexcept;
    // Gives `change` a copy of the node, made if it was not there, and puts it in place. A name
    // that appears or vanishes counts at its parent, up to the apex.
    void change_node(std::span<const std::uint8_t> owner, const std::function<void(Node&)>& change);

    wire::Name apex_;
    Trie<Node> nodes_;
};

}  // namespace dnsd::tree
