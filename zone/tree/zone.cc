#include "zone/tree/zone.h"

#include <algorithm>

#include "base/assert.h"

namespace dnsd::tree {

namespace {

std::span<const std::uint8_t> parent_of(std::span<const std::uint8_t> name) noexcept {
    return name.subspan(name[0] + std::size_t{1});
}

auto type_less(wire::RrType type) {
    return [type](const std::shared_ptr<const RRset>& rrset) { return rrset->type() < type; };
}

}  // namespace

Node::Node(std::span<const std::uint8_t> owner, std::uint64_t hash)
    : hash_(hash), octets_(owner.begin(), owner.end()) {}

wire::Name Node::owner() const noexcept { return *wire::Name::from_octets(octets_); }

const RRset* Node::find(wire::RrType type) const noexcept {
    for (const auto& rrset : rrsets_) {
        if (rrset->type() == type) return rrset.get();
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
    std::vector<std::pair<wire::Name, const Node*>> sorted;
    sorted.reserve(nodes_.size());
    nodes_.for_each([&](const auto& node) { sorted.emplace_back(node->owner(), node.get()); });
    std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [owner, node] : sorted) visit(*node);
}

ZoneEdit::ZoneEdit(std::shared_ptr<const Zone> from) : apex_(from->apex_), nodes_(from->nodes_) {}

const Node* ZoneEdit::find_node(std::span<const std::uint8_t> owner) const noexcept {
    const auto* found = nodes_.find(owner, wire::hash_name(owner));
    return found == nullptr ? nullptr : found->get();
}

void ZoneEdit::change_node(std::span<const std::uint8_t> owner,
                           const std::function<void(Node&)>& change) {
    const Node* old = find_node(owner);
    const bool is_apex = owner.size() == apex_.size();
    auto node = old != nullptr ? std::make_shared<Node>(*old)
                               : std::make_shared<Node>(owner, wire::hash_name(owner));
    change(*node);
    const bool exists = is_apex || node->children_ > 0 || node->held_ || !node->rrsets_.empty();
    const bool existed = old != nullptr;
    if (exists) {
        nodes_.set(std::move(node));
    } else if (existed) {
        nodes_.erase(owner, node->hash());
    }
    if (exists == existed) return;
    change_node(parent_of(owner), [&](Node& parent) {
        if (exists) {
            ++parent.children_;
        } else {
            DNSD_ASSERT(parent.children_ > 0);
            --parent.children_;
        }
    });
}

void ZoneEdit::set(const wire::Name& owner, std::shared_ptr<const RRset> rrset) {
    DNSD_ASSERT(owner.is_at_or_below(apex_));
    change_node(owner.octets(), [&](Node& node) {
        const auto at = std::ranges::partition_point(node.rrsets_, type_less(rrset->type()));
        if (at != node.rrsets_.end() && (*at)->type() == rrset->type()) {
            *at = std::move(rrset);
        } else {
            node.rrsets_.insert(at, std::move(rrset));
        }
    });
}

void ZoneEdit::remove(const wire::Name& owner, wire::RrType type) {
    if (find(owner, type) == nullptr) return;
    change_node(owner.octets(), [&](Node& node) {
        std::erase_if(node.rrsets_, [&](const auto& rrset) { return rrset->type() == type; });
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
    zone->apex_ = apex_;
    zone->nodes_ = nodes_;
    zone->apex_node_ = *nodes_.find(apex_.octets(), apex_.hash());
    return zone;
}

}  // namespace dnsd::tree
