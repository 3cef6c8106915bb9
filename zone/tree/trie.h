// A persistent hash trie from names to immutable values: what changed is copied along one path
// (O(log32 n) blocks), all the rest is shared with the version before.
#pragma once

#include <algorithm>
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
    void set(std::shared_ptr<const T> value) {
        bool added = false;
        root_ = with(root_.get(), std::move(value), 0, added);
        if (added) ++size_;
    }

    void erase(std::span<const std::uint8_t> name, std::uint64_t hash) {
        if (find(name, hash) == nullptr) return;
        root_ = without(*root_, name, hash, 0);
        --size_;
    }

    std::size_t size() const noexcept { return size_; }

    template <class Visit>
    void for_each(Visit visit) const {
        if (root_) visit_all(*root_, visit);
    }

  private:
    static constexpr unsigned bits_per_level = 5;
    static constexpr unsigned levels_max =
        12;  // below it, names whose hashes agree so far stand in a row

    // A branch of up to 32 ways: each holds a value, another block, or nothing.
    struct Block {
        std::uint32_t leaf_bits = 0, block_bits = 0;
        std::vector<std::shared_ptr<const T>> leaves;
        std::vector<std::shared_ptr<const Block>> blocks;
    };
    using BlockPtr = std::shared_ptr<const Block>;

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

    static BlockPtr with(const Block* old, std::shared_ptr<const T> value, unsigned level,
                         bool& added) {
        auto block = old != nullptr ? std::make_shared<Block>(*old) : std::make_shared<Block>();
        if (level == levels_max) {
            for (auto& leaf : block->leaves) {
                if (!same_name(leaf->name_octets(), value->name_octets())) continue;
                leaf = std::move(value);
                return block;
            }
            block->leaves.push_back(std::move(value));
            added = true;
            return block;
        }
        const std::uint32_t bit = bit_of(value->hash(), level);
        if ((block->block_bits & bit) != 0) {
            BlockPtr& inner = block->blocks[index(block->block_bits, bit)];
            inner = with(inner.get(), std::move(value), level + 1, added);
            return block;
        }
        if ((block->leaf_bits & bit) == 0) {
            block->leaves.insert(block->leaves.begin() + offset(block->leaf_bits, bit),
                                 std::move(value));
            block->leaf_bits |= bit;
            added = true;
            return block;
        }
        auto& leaf = block->leaves[index(block->leaf_bits, bit)];
        if (leaf->hash() == value->hash() && same_name(leaf->name_octets(), value->name_octets())) {
            leaf = std::move(value);
            return block;
        }
        // Two names on one way: both go one block down.
        bool ignored = false;
        BlockPtr inner = with(nullptr, leaf, level + 1, ignored);
        inner = with(inner.get(), std::move(value), level + 1, added);
        block->leaves.erase(block->leaves.begin() + offset(block->leaf_bits, bit));
        block->leaf_bits &= ~bit;
        block->blocks.insert(block->blocks.begin() + offset(block->block_bits, bit),
                             std::move(inner));
        block->block_bits |= bit;
        return block;
    }

    // REQUIRES: the name is there. Null: nothing is left.
    static BlockPtr without(const Block& old, std::span<const std::uint8_t> name,
                            std::uint64_t hash, unsigned level) {
        auto block = std::make_shared<Block>(old);
        if (level == levels_max) {
            std::erase_if(block->leaves,
                          [&](const auto& leaf) { return same_name(leaf->name_octets(), name); });
            return block->leaves.empty() ? nullptr : block;
        }
        const std::uint32_t bit = bit_of(hash, level);
        if ((block->leaf_bits & bit) != 0) {
            block->leaves.erase(block->leaves.begin() + offset(block->leaf_bits, bit));
            block->leaf_bits &= ~bit;
        } else {
            const auto at = block->blocks.begin() + offset(block->block_bits, bit);
            BlockPtr inner = without(**at, name, hash, level + 1);
            if (inner == nullptr || (inner->blocks.empty() && inner->leaves.size() == 1)) {
                block->blocks.erase(at);
                block->block_bits &= ~bit;
                if (inner != nullptr) {  // a block of one value is that value
                    block->leaves.insert(block->leaves.begin() + offset(block->leaf_bits, bit),
                                         inner->leaves.front());
                    block->leaf_bits |= bit;
                }
            } else {
                *at = std::move(inner);
            }
        }
        return block->leaves.empty() && block->blocks.empty() ? nullptr : block;
    }

    template <class Visit>
    static void visit_all(const Block& block, Visit& visit) {
        for (const auto& leaf : block.leaves) visit(leaf);
        for (const auto& inner : block.blocks) visit_all(*inner, visit);
    }

    BlockPtr root_;
    std::size_t size_ = 0;
};

}  // namespace dnsd::tree
