// A persistent hash trie from names to immutable values: what changed is copied along one path
// (O(log32 n) blocks), all the rest is shared with the version before. An edit of many values names
// itself and copies a block once: what it has made itself it changes in place (as Clojure's
// transients do).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/text.h"

namespace dnsd::tree {

// RFC 4343. Length octets are below 'A', so whole names are folded octet by octet.
inline bool same_name(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
    return std::ranges::equal(a, b, [](std::uint8_t x, std::uint8_t y) {
        return to_lower(static_cast<char>(x)) == to_lower(static_cast<char>(y));
    });
}

// T offers name_octets() and hash(), which never change. A value; copies share everything.
template <class T>
class Trie {
  public:
    // The number of an edit. REQUIRES: no version that this trie shares a block with was made under
    // it, but by the same edit, which shows what it makes to nobody before it takes the next
    // number.
    using Edit = std::uint64_t;
    static constexpr Edit copies_all = 0;  // every set and every erase is an edit of its own

    // The pointer lives as long as this version does.
    const std::shared_ptr<const T>* find(std::span<const std::uint8_t> name,
                                         std::uint64_t hash) const noexcept {
        const Block* block = root_.get();
        for (unsigned level = 0; block != nullptr; ++level) {
            if (level == levels_max) return find_among(block->leaves, name);
            const std::uint32_t bit = bit_of(hash, level);
            if ((block->leaf_bits & bit) != 0) {
                const auto& leaf = block->leaves[index(block->leaf_bits, bit)];
                return leaf->hash() == hash && same_name(leaf->name_octets(), name) ? &leaf
                                                                                    : nullptr;
            }
            if ((block->block_bits & bit) == 0) return nullptr;
            block = block->blocks[index(block->block_bits, bit)].get();
        }
        return nullptr;
    }

    // Added, or in the place of the one with its name.
    void set(std::shared_ptr<const T> value, Edit edit = copies_all) {
        if (put(root_, std::move(value), 0, edit)) ++size_;
    }

    void erase(std::span<const std::uint8_t> name, std::uint64_t hash, Edit edit = copies_all) {
        if (find(name, hash) == nullptr) return;
        take(root_, name, hash, 0, edit);
        --size_;
    }

    std::size_t size() const noexcept { return size_; }

    template <class Visit>
    void for_each(Visit visit) const {
        if (root_) visit_all(*root_, visit);
    }

    // The values one by one, in for_each's order, for whoever stops in between.
    class Cursor;
    Cursor cursor() const noexcept { return Cursor(root_.get()); }

    // Calls `visit(const T* before, const T* after)` for every name whose values in the two tries
    // are not the same object; null: there is none. Blocks that they share are skipped.
    template <class Visit>
    static void for_each_change(const Trie& before, const Trie& after, Visit visit) {
        compare(Way{nullptr, before.root_.get()}, Way{nullptr, after.root_.get()}, 0, visit);
    }

  private:
    static constexpr unsigned bits_per_level = 5;
    static constexpr unsigned levels_max =
        12;  // below it, names whose hashes agree so far stand in a row

    // A branch of up to 32 ways: each holds a value, another block, or nothing.
    struct Block {
        Edit made_by = copies_all;
        std::uint32_t leaf_bits = 0, block_bits = 0;
        std::vector<std::shared_ptr<const T>> leaves;
        std::vector<std::shared_ptr<Block>> blocks;
    };
    using BlockPtr = std::shared_ptr<Block>;

    // Where one way of a block leads: to a value, to a block, or to neither.
    struct Way {
        const T* leaf = nullptr;
        const Block* block = nullptr;
    };
    static Way way(const Block* block, std::uint32_t bit) noexcept {
        if (block == nullptr) return {};
        if ((block->leaf_bits & bit) != 0)
            return {block->leaves[index(block->leaf_bits, bit)].get(), nullptr};
        if ((block->block_bits & bit) != 0)
            return {nullptr, block->blocks[index(block->block_bits, bit)].get()};
        return {};
    }

    static std::uint32_t bit_of(std::uint64_t hash, unsigned level) noexcept {
        return std::uint32_t{1} << ((hash >> (level * bits_per_level)) & 31);
    }
    static std::ptrdiff_t offset(std::uint32_t bits, std::uint32_t bit) noexcept {
        return std::popcount(bits & (bit - 1));
    }
    static std::size_t index(std::uint32_t bits, std::uint32_t bit) noexcept {
        return static_cast<std::size_t>(offset(bits, bit));
    }

    static const std::shared_ptr<const T>* find_among(
        const std::vector<std::shared_ptr<const T>>& leaves,
        std::span<const std::uint8_t> name) noexcept {
        for (const auto& leaf : leaves) {
            if (same_name(leaf->name_octets(), name)) return &leaf;
        }
        return nullptr;
    }

    // The block at `at` as this edit may change it: its own, or a copy in its place.
    static Block& own(BlockPtr& at, Edit edit) {
        if (at == nullptr) {
            at = std::make_shared<Block>();
        } else if (edit == copies_all || at->made_by != edit) {
            at = std::make_shared<Block>(*at);
        }
        at->made_by = edit;
        return *at;
    }

    // Whether the name is new.
    static bool put(BlockPtr& at, std::shared_ptr<const T> value, unsigned level, Edit edit) {
        Block& block = own(at, edit);
        if (level == levels_max) {
            for (auto& leaf : block.leaves) {
                if (!same_name(leaf->name_octets(), value->name_octets())) continue;
                leaf = std::move(value);
                return false;
            }
            block.leaves.push_back(std::move(value));
            return true;
        }
        const std::uint32_t bit = bit_of(value->hash(), level);
        if ((block.block_bits & bit) != 0) {
            return put(block.blocks[index(block.block_bits, bit)], std::move(value), level + 1,
                       edit);
        }
        const auto leaf = block.leaves.begin() + offset(block.leaf_bits, bit);
        if ((block.leaf_bits & bit) == 0) {
            block.leaves.insert(leaf, std::move(value));
            block.leaf_bits |= bit;
            return true;
        }
        if ((*leaf)->hash() == value->hash() &&
            same_name((*leaf)->name_octets(), value->name_octets())) {
            *leaf = std::move(value);
            return false;
        }
        // Two names on one way: both go one block down.
        BlockPtr inner;
        put(inner, std::move(*leaf), level + 1, edit);
        put(inner, std::move(value), level + 1, edit);
        block.leaves.erase(leaf);
        block.leaf_bits &= ~bit;
        block.blocks.insert(block.blocks.begin() + offset(block.block_bits, bit), std::move(inner));
        block.block_bits |= bit;
        return true;
    }

    // REQUIRES: the name is there. `at` becomes null if nothing is left.
    static void take(BlockPtr& at, std::span<const std::uint8_t> name, std::uint64_t hash,
                     unsigned level, Edit edit) {
        Block& block = own(at, edit);
        const std::uint32_t bit = bit_of(hash, level);
        if (level == levels_max) {
            std::erase_if(block.leaves,
                          [&](const auto& leaf) { return same_name(leaf->name_octets(), name); });
        } else if ((block.leaf_bits & bit) != 0) {
            block.leaves.erase(block.leaves.begin() + offset(block.leaf_bits, bit));
            block.leaf_bits &= ~bit;
        } else {
            const auto inner = block.blocks.begin() + offset(block.block_bits, bit);
            take(*inner, name, hash, level + 1, edit);
            if (*inner == nullptr || ((*inner)->blocks.empty() && (*inner)->leaves.size() == 1)) {
                if (*inner != nullptr) {  // a block of one value is that value
                    block.leaves.insert(block.leaves.begin() + offset(block.leaf_bits, bit),
                                        (*inner)->leaves.front());
                    block.leaf_bits |= bit;
                }
                block.blocks.erase(inner);
                block.block_bits &= ~bit;
            }
        }
        if (block.leaves.empty() && block.blocks.empty()) at = nullptr;
    }

    template <class Visit>
    static void visit_all(const Block& block, Visit& visit) {
        for (const auto& leaf : block.leaves) visit(leaf);
        for (const auto& inner : block.blocks) visit_all(*inner, visit);
    }

    template <class Visit>
    static void compare(Way before, Way after, unsigned level, Visit& visit) {
        if (before.leaf == nullptr && after.leaf == nullptr) {
            if (before.block == after.block) return;
            if (level == levels_max) return compare_rows(before.block, after.block, visit);
            for (std::uint32_t bit = 1; bit != 0; bit <<= 1)
                compare(way(before.block, bit), way(after.block, bit), level + 1, visit);
        } else if (before.block == nullptr && after.block == nullptr) {
            compare_leaves(before.leaf, after.leaf, visit);
        } else {
            // A value on one side, more than one on the other: its own may be among them.
            const T* const alone = before.leaf != nullptr ? before.leaf : after.leaf;
            bool found = false;
            auto each = [&](const std::shared_ptr<const T>& leaf) {
                const bool same = same_name(leaf->name_octets(), alone->name_octets());
                found = found || same;
                const T* const other = same ? alone : nullptr;
                if (before.leaf != nullptr) {
                    compare_leaves(other, leaf.get(), visit);
                } else {
                    compare_leaves(leaf.get(), other, visit);
                }
            };
            visit_all(before.block != nullptr ? *before.block : *after.block, each);
            if (!found) compare_leaves(before.leaf, after.leaf, visit);
        }
    }

    template <class Visit>
    static void compare_leaves(const T* before, const T* after, Visit& visit) {
        if (before == after) return;
        if (before == nullptr || after == nullptr ||
            same_name(before->name_octets(), after->name_octets())) {
            visit(before, after);
        } else {
            visit(before, static_cast<const T*>(nullptr));
            visit(static_cast<const T*>(nullptr), after);
        }
    }

    template <class Visit>
    static void compare_rows(const Block* before, const Block* after, Visit& visit) {
        const auto in = [](const Block* row, const T& leaf) -> const T* {
            const auto* found = row ? find_among(row->leaves, leaf.name_octets()) : nullptr;
            return found != nullptr ? found->get() : nullptr;
        };
        if (before != nullptr) {
            for (const auto& leaf : before->leaves)
                compare_leaves(leaf.get(), in(after, *leaf), visit);
        }
        if (after == nullptr) return;
        for (const auto& leaf : after->leaves) {
            if (in(before, *leaf) == nullptr) visit(static_cast<const T*>(nullptr), leaf.get());
        }
    }

    BlockPtr root_;
    std::size_t size_ = 0;
};

// The version that it was made of must outlive it.
template <class T>
class Trie<T>::Cursor {
  public:
    explicit Cursor(const Block* root) noexcept { enter(root); }

    // The next value; null: there is none left.
    const T* next() noexcept {
        while (depth_ > 0) {
            Place& place = places_[depth_ - 1];
            if (place.leaf < place.block->leaves.size())
                return place.block->leaves[place.leaf++].get();
            if (place.inner < place.block->blocks.size()) {
                enter(place.block->blocks[place.inner++].get());
            } else {
                --depth_;
            }
        }
        return nullptr;
    }

  private:
    struct Place {
        const Block* block;
        std::size_t leaf = 0, inner = 0;  // what comes next
    };
    void enter(const Block* block) noexcept {
        if (block != nullptr) places_[depth_++] = Place{block};
    }

    std::array<Place, levels_max + 1> places_;
    std::size_t depth_ = 0;
};

}  // namespace dnsd::tree
