// Immutable zones that share what did not change with the zone they came from.
//
// A zone is a persistent hash trie from owner name to node. Every name between a node and the apex
// has a node too (an empty non-terminal, RFC 8020), which counts its children. Changing one RRset
// copies O(log n) trie blocks and shares all the rest.
#pragma once

#include <algorithm>
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
    const RRset* find(wire::RrType type) const noexcept {
        const auto* rrset = find_share(type);
        return rrset != nullptr ? rrset->get() : nullptr;
    }
    // Null: it is not there.
    std::shared_ptr<const RRset> share(wire::RrType type) const noexcept {
        const auto* rrset = find_share(type);
        return rrset != nullptr ? *rrset : nullptr;
    }
    std::span<const std::shared_ptr<const RRset>> rrsets() const noexcept {
        return rrsets_;
    }  // by type
    bool is_empty() const noexcept { return rrsets_.empty(); }    // an empty non-terminal, or held
    bool has_children() const noexcept { return children_ > 0; }  // names one label below
    // Has the processor fetch what find() and a look at the name read.
    void prefetch() const noexcept {
        __builtin_prefetch(octets_.data());
        __builtin_prefetch(rrsets_.data());
    }

    std::span<const std::uint8_t> name_octets() const noexcept { return octets_; }
    std::uint64_t hash() const noexcept { return hash_; }

  private:
    friend class ZoneEdit;

    static constexpr unsigned last_bit = 63;
    static constexpr std::uint64_t bit_of(wire::RrType type) noexcept {
        return std::uint64_t{1} << std::min<unsigned>(static_cast<unsigned>(type), last_bit);
    }
    // Most types that are asked for and not there are told without a look at those that are.
    const std::shared_ptr<const RRset>* find_share(wire::RrType type) const noexcept;

    // What a lookup reads comes first, since it waits for the memory.
    std::uint64_t types_ = 0;  // a bit for each RRset's, one for all from 63 on
    std::vector<std::shared_ptr<const RRset>> rrsets_;
    std::vector<std::uint8_t> octets_;
    std::uint64_t hash_;
    std::uint64_t made_by_ = 0;   // Trie's Edit
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
    Trie<Node>::Descent descent(std::uint64_t hash) const noexcept { return nodes_.descent(hash); }
    std::size_t node_count() const noexcept { return nodes_.size(); }
    std::size_t rrset_count() const noexcept { return rrsets_; }
    // Whether a name may be looked up without a look at those above it: no zone cut and no DNAME.
    bool is_all_ours() const noexcept { return redirections_ == 0; }
    bool has_wildcards() const noexcept { return wildcards_ > 0; }

    // Every node, apex first, in canonical order (RFC 4034 §6.1). Sorts: O(n log n).
    void for_each(const std::function<void(const Node&)>& visit) const;
    // The same in the order of hashes, without sorting.
    template <class Visit>
    void for_each_unsorted(Visit visit) const {
        nodes_.for_each([&](const std::shared_ptr<const Node>& node) { visit(*node); });
    }
    // Every node too, one by one, in the order of hashes: unsorted, and for whoever stops in
    // between. The zone must outlive it.
    Trie<Node>::Cursor cursor() const noexcept { return nodes_.cursor(); }
    // Every node that is not the same object in both; null: there is none. In the order of hashes.
    // The cost is that of what the zones do not share.
    static void for_each_changed_node(
        const Zone& before, const Zone& after,
        const std::function<void(const Node* before, const Node* after)>& visit);

    std::span<const std::uint8_t> name_octets() const noexcept { return apex_.octets(); }
    std::uint64_t hash() const noexcept { return apex_node_->hash(); }

  private:
    friend class ZoneEdit;
    Zone() = default;

    wire::Name apex_;
    Trie<Node> nodes_;
    std::shared_ptr<const Node> apex_node_;
    std::size_t rrsets_ = 0;
    std::size_t redirections_ = 0;  // NS RRsets below the apex, and DNAME RRsets
    std::size_t wildcards_ = 0;     // nodes whose name is one
    // The highest number of an edit in this zone's nodes and blocks: its next edit takes the number
    // after it. Edits of one number that began with the same zone see nothing of each other.
    Trie<Node>::Edit made_by_ = Trie<Node>::copies_all;
};

// Changes on their way to the next zone: each node is copied once between two calls of finish(), so
// that a zone of n RRsets is built in O(n). Belongs to one thread. A name exists while it has an
// RRset, is held, or a name below it exists.
class ZoneEdit {
  public:
    explicit ZoneEdit(std::shared_ptr<const Zone> from);
    // A copy would change in place what it shares with the original.
    ZoneEdit(const ZoneEdit&) = delete;
    ZoneEdit& operator=(const ZoneEdit&) = delete;
    ZoneEdit(ZoneEdit&&) = default;
    ZoneEdit& operator=(ZoneEdit&&) = default;

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
    // Gives `change` the node as this edit may change it: its own, or a copy that is put in place,
    // made if it was not there. A name that appears or vanishes counts at its parent, up to the
    // apex.
    void change_node(std::span<const std::uint8_t> owner, const std::function<void(Node&)>& change);
    void count(const wire::Name& owner, wire::RrType type, int change) noexcept;

    wire::Name apex_;
    Trie<Node> nodes_;
    std::size_t rrsets_, redirections_, wildcards_;
    mutable Trie<Node>::Edit edit_;  // finish() ends one edit and begins the next
};

}  // namespace dnsd::tree
