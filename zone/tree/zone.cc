#include "zone/tree/zone.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/assert.h"
#include "base/text.h"

namespace dnsd::tree {

namespace {

std::span<const std::uint8_t> parent_of(std::span<const std::uint8_t> name) noexcept {
    return name.subspan(name[0] + std::size_t{1});
}

auto type_less(wire::RrType type) {
    return [type](const std::shared_ptr<const RRset>& rrset) { return rrset->type() < type; };
}

// Octets that compare as names do in canonical order (RFC 4034 §6.1): the labels from the right,
// without those of the apex, in lower case, each ended by a 0; 0 and 1 within a label become 1 1
// and 1 2.
void put_sort_key(std::span<const std::uint8_t> name, std::size_t apex_octets,
                  std::vector<std::uint8_t>& out) {
    std::array<std::uint8_t, wire::Name::labels_max> starts;
    std::size_t labels = 0;
    for (std::size_t at = 0; at < name.size() - apex_octets; at += name[at] + std::size_t{1})
        starts[labels++] = static_cast<std::uint8_t>(at);
    while (labels > 0) {
        const std::size_t at = starts[--labels];
        for (const std::uint8_t octet : name.subspan(at + 1, name[at])) {
            const auto folded = static_cast<std::uint8_t>(to_lower(static_cast<char>(octet)));
            if (folded < 2) out.push_back(1);
            out.push_back(folded < 2 ? static_cast<std::uint8_t>(folded + 1) : folded);
        }
        out.push_back(0);
    }
}

}  // namespace

Node::Node(std::span<const std::uint8_t> owner, std::uint64_t hash)
    : octets_(owner.begin(), owner.end()), hash_(hash) {}

wire::Name Node::owner() const noexcept { return *wire::Name::from_octets(octets_); }

const std::shared_ptr<const RRset>* Node::find_share(wire::RrType type) const noexcept {
    const std::uint64_t bit = bit_of(type);
    if ((types_ & bit) == 0) return nullptr;
    // By type, so that those in front are as many as the bits below.
    auto i = static_cast<std::size_t>(std::popcount(types_ & (bit - 1)));
    if (static_cast<unsigned>(type) < last_bit) return &rrsets_[i];
    for (; i < rrsets_.size(); ++i) {
        if (rrsets_[i]->type() == type) return &rrsets_[i];
    }
    return nullptr;
}

std::shared_ptr<const Zone> Zone::make(const wire::Name& apex) {
    const std::shared_ptr<Zone> zone(new Zone);
    zone->apex_ = apex;
    zone->apex_node_ = std::make_shared<const Node>(apex.octets(), apex.hash());
    zone->nodes_.set(zone->apex_node_);
    return zone;
}

const Node* Zone::find(std::span<const std::uint8_t> owner) const noexcept {
    const auto* found = nodes_.find(owner, wire::hash_name(owner));
    return found == nullptr ? nullptr : found->get();
}

void Zone::for_each(const std::function<void(const Node&)>& visit) const {
    struct Sorted {
        std::uint64_t first_octets;  // of the key: most pairs are told apart without a look at it
        std::size_t key_at, key_end;
        const Node* node;
    };
    std::vector<Sorted> sorted;
    std::vector<std::uint8_t> keys;
    sorted.reserve(nodes_.size());
    nodes_.for_each([&](const auto& node) {
        const std::size_t at = keys.size();
        put_sort_key(node->name_octets(), apex_.size(), keys);
        std::uint64_t first_octets = 0;
        for (std::size_t i = 0; i < sizeof first_octets; ++i)
            first_octets = first_octets << 8 | (at + i < keys.size() ? keys[at + i] : 0u);
        sorted.push_back({first_octets, at, keys.size(), node.get()});
    });
    std::ranges::sort(sorted, [&](const Sorted& a, const Sorted& b) {
        if (a.first_octets != b.first_octets) return a.first_octets < b.first_octets;
        return std::lexicographical_compare(keys.data() + a.key_at, keys.data() + a.key_end,
                                            keys.data() + b.key_at, keys.data() + b.key_end);
    });
    for (const Sorted& one : sorted) visit(*one.node);
}

void Zone::for_each_changed_node(
    const Zone& before, const Zone& after,
    const std::function<void(const Node* before, const Node* after)>& visit) {
    Trie<Node>::for_each_change(before.nodes_, after.nodes_, std::cref(visit));
}

ZoneEdit::ZoneEdit(std::shared_ptr<const Zone> from)
    : apex_(from->apex_),
      nodes_(from->nodes_),
      rrsets_(from->rrsets_),
      redirections_(from->redirections_),
      wildcards_(from->wildcards_),
      edit_(from->made_by_ + 1) {}

const Node* ZoneEdit::find_node(std::span<const std::uint8_t> owner) const noexcept {
    const auto* found = nodes_.find(owner, wire::hash_name(owner));
    return found == nullptr ? nullptr : found->get();
}

void ZoneEdit::change_node(std::span<const std::uint8_t> owner,
                           const std::function<void(Node&)>& change) {
    const Node* old = find_node(owner);
    const bool is_apex = owner.size() == apex_.size();
    const bool existed = old != nullptr;
    std::shared_ptr<Node> copy;
    if (!existed) {
        copy = std::make_shared<Node>(owner, wire::hash_name(owner));
    } else if (old->made_by_ != edit_) {
        copy = std::make_shared<Node>(*old);
    }
    // Made by this edit, which has shown it to nobody: const is for those who come after finish().
    Node& node = copy != nullptr ? *copy : const_cast<Node&>(*old);
    node.made_by_ = edit_;
    change(node);
    const bool exists = is_apex || node.children_ > 0 || node.held_ || !node.rrsets_.empty();
    if (existed && !exists) {
        nodes_.erase(owner, node.hash_, edit_);
    } else if (exists && copy != nullptr) {
        nodes_.set(std::move(copy), edit_);
    }
    if (exists == existed) return;
    if (owner[0] == 1 && owner[1] == '*') exists ? ++wildcards_ : --wildcards_;
    change_node(parent_of(owner), [&](Node& parent) {
        if (exists) {
            ++parent.children_;
        } else {
            DNSD_ASSERT(parent.children_ > 0);
            --parent.children_;
        }
    });
}

void ZoneEdit::count(const wire::Name& owner, wire::RrType type, int change) noexcept {
    const auto by = static_cast<std::size_t>(change);
    rrsets_ += by;
    const bool is_cut = type == wire::RrType::NS && owner.size() != apex_.size();
    if (is_cut || type == wire::RrType::DNAME) redirections_ += by;
}

void ZoneEdit::set(const wire::Name& owner, std::shared_ptr<const RRset> rrset) {
    DNSD_ASSERT(owner.is_at_or_below(apex_));
    change_node(owner.octets(), [&](Node& node) {
        // An empty non-terminal is spelled as in a name below it, which is nobody's choice.
        const bool is_owner = !node.rrsets_.empty() || node.held_ || owner.size() == apex_.size();
        if (!is_owner) node.octets_.assign(owner.octets().begin(), owner.octets().end());
        const auto at = std::ranges::partition_point(node.rrsets_, type_less(rrset->type()));
        if (at != node.rrsets_.end() && (*at)->type() == rrset->type()) {
            *at = std::move(rrset);
        } else {
            count(owner, rrset->type(), 1);
            node.types_ |= Node::bit_of(rrset->type());
            node.rrsets_.insert(at, std::move(rrset));
        }
    });
}

void ZoneEdit::remove(const wire::Name& owner, wire::RrType type) {
    if (find(owner, type) == nullptr) return;
    count(owner, type, -1);
    change_node(owner.octets(), [&](Node& node) {
        std::erase_if(node.rrsets_, [&](const auto& rrset) { return rrset->type() == type; });
        node.types_ = 0;
        for (const auto& rrset : node.rrsets_) node.types_ |= Node::bit_of(rrset->type());
    });
}

void ZoneEdit::hold(const wire::Name& owner) {
    DNSD_ASSERT(owner.is_at_or_below(apex_));
    const Node* node = find_node(owner.octets());
    if (node != nullptr && node->held_) return;
    change_node(owner.octets(), [](Node& changed) { changed.held_ = true; });
}

void ZoneEdit::release(const wire::Name& owner) {
    const Node* node = find_node(owner.octets());
    if (node == nullptr || !node->held_) return;
    change_node(owner.octets(), [](Node& changed) { changed.held_ = false; });
}

const RRset* ZoneEdit::find(const wire::Name& owner, wire::RrType type) const noexcept {
    const Node* node = find_node(owner.octets());
    return node == nullptr ? nullptr : node->find(type);
}

std::shared_ptr<const Zone> ZoneEdit::finish() const {
    const std::shared_ptr<Zone> zone(new Zone);
    zone->made_by_ = edit_++;
    zone->apex_ = apex_;
    zone->nodes_ = nodes_;
    zone->rrsets_ = rrsets_;
    zone->redirections_ = redirections_;
    zone->wildcards_ = wildcards_;
    zone->apex_node_ = *nodes_.find(apex_.octets(), apex_.hash());
    return zone;
}

}  // namespace dnsd::tree
