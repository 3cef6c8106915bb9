// A persistent hash trie from names to immutable values: what changed is copied along one path
// (O(log64 n) blocks), all the rest is shared with the version before. An edit of many values names
// itself and copies a block once: what it has made itself it changes in place (as Clojure's
// transients do).
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "base/assert.h"
#include "zone/wire/name.h"

namespace dnsd::tree {

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
            if (level == levels_max) return find_among(block, name);
            const std::uint64_t bit = bit_of(hash, level);
            if ((block->leaf_bits & bit) != 0) {
                const auto& leaf = block->leaf(index(block->leaf_bits, bit));
                return leaf->hash() == hash && wire::equal_names(leaf->name_octets(), name)
                           ? &leaf
                           : nullptr;
            }
            if ((block->block_bits & bit) == 0) return nullptr;
            block = block->inner(index(block->block_bits, bit)).get();
        }
        return nullptr;
    }

    // The way down to a value, one wait for memory a step, for whoever goes several ways at once.
    class Descent;
    Descent descent(std::uint64_t hash) const noexcept { return Descent(root_.get(), hash); }

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
        if (root_.get() != nullptr) visit_all(*root_, visit);
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
    static constexpr unsigned bits_per_level = 6;
    static constexpr unsigned levels_max =
        10;  // below it, names whose hashes agree so far stand in a row

    using Leaf = std::shared_ptr<const T>;
    struct Block;

    // Shares a block; null: none.
    class BlockPtr {
      public:
        BlockPtr() noexcept = default;
        explicit BlockPtr(Block* block) noexcept : block_(block) {}  // its first owner
        BlockPtr(const BlockPtr& other) noexcept : block_(other.block_) {
            if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
        }
        BlockPtr(BlockPtr&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
        BlockPtr& operator=(BlockPtr other) noexcept {
            std::swap(block_, other.block_);
            return *this;
        }
        ~BlockPtr() {
            if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
                Block::destroy(block_);
        }
        Block* get() const noexcept { return block_; }
        Block* operator->() const noexcept { return block_; }
        Block& operator*() const noexcept { return *block_; }

      private:
        Block* block_ = nullptr;
    };

    // A branch of up to 64 ways: each holds a value, another block, or nothing. This head, the
    // values and the blocks stand one behind the other in one piece of memory, of exactly their
    // size: whoever looks a name up waits for memory once a level.
    struct Block {
        std::atomic<std::uint32_t> owners{1};
        std::uint32_t leaf_count, block_count;
        Edit made_by;
        std::uint64_t leaf_bits, block_bits;

        // The caller constructs what is behind the head.
        static Block* make(std::uint32_t leaf_count, std::uint32_t block_count) {
            void* memory = ::operator new(sizeof(Block) + leaf_count * sizeof(Leaf) +
                                          block_count * sizeof(BlockPtr));
            auto* block = new (memory) Block;
            block->leaf_count = leaf_count;
            block->block_count = block_count;
            return block;
        }
        static void destroy(Block* block) noexcept {
            std::destroy_n(block->leaves(), block->leaf_count);
            std::destroy_n(block->blocks(), block->block_count);
            block->~Block();
            ::operator delete(block);
        }

        Leaf* leaves() noexcept { return reinterpret_cast<Leaf*>(this + 1); }
        BlockPtr* blocks() noexcept { return reinterpret_cast<BlockPtr*>(leaves() + leaf_count); }
        std::span<const Leaf> leaves() const noexcept {
            return {reinterpret_cast<const Leaf*>(this + 1), leaf_count};
        }
        std::span<const BlockPtr> blocks() const noexcept {
            return {reinterpret_cast<const BlockPtr*>(leaves().data() + leaf_count), block_count};
        }
        const Leaf& leaf(std::size_t i) const noexcept { return leaves()[i]; }
        const BlockPtr& inner(std::size_t i) const noexcept { return blocks()[i]; }
    };
    static_assert(alignof(Leaf) <= alignof(Block) && alignof(BlockPtr) <= alignof(Leaf));

    // Where one way of a block leads: to a value, to a block, or to neither.
    struct Way {
        const T* leaf = nullptr;
        const Block* block = nullptr;
    };
    static Way way(const Block* block, std::uint64_t bit) noexcept {
        if (block == nullptr) return {};
        if ((block->leaf_bits & bit) != 0)
            return {block->leaf(index(block->leaf_bits, bit)).get(), nullptr};
        if ((block->block_bits & bit) != 0)
            return {nullptr, block->inner(index(block->block_bits, bit)).get()};
        return {};
    }

    static std::uint64_t bit_of(std::uint64_t hash, unsigned level) noexcept {
        return std::uint64_t{1} << ((hash >> (level * bits_per_level)) & 63);
    }
    static std::size_t index(std::uint64_t bits, std::uint64_t bit) noexcept {
        return static_cast<std::size_t>(std::popcount(bits & (bit - 1)));
    }

    static const Leaf* find_among(const Block* row, std::span<const std::uint8_t> name) noexcept {
        for (const Leaf& leaf : row->leaves()) {
            if (wire::equal_names(leaf->name_octets(), name)) return &leaf;
        }
        return nullptr;
    }

    // What is another in a list: at `at`, one less if there `was` one, and `now` if it is not null.
    template <class E>
    struct Other {
        std::size_t at;
        bool was;
        E now;
    };
    template <class E>
    static void fill(E* to, E* from, std::size_t count, Other<E>& other, bool may_take) {
        const auto put = [&](E* first, E* last) {
            to = may_take ? std::uninitialized_move(first, last, to)
                          : std::uninitialized_copy(first, last, to);
        };
        put(from, from + other.at);
        if (other.now.get() != nullptr) new (to++) E(std::move(other.now));
        put(from + other.at + (other.was ? 1 : 0), from + count);
    }

    // The block at `at`, which may be null, with other content on one way, in its place; a block of
    // this edit is taken apart for it.
    static void remake(BlockPtr& at, std::uint64_t leaf_bits, std::uint64_t block_bits,
                       Other<Leaf> leaf, Other<BlockPtr> inner, Edit edit) {
        const auto count = [](std::size_t before, const auto& other) {
            return static_cast<std::uint32_t>(before - (other.was ? 1 : 0) +
                                              (other.now.get() != nullptr ? 1 : 0));
        };
        Block* from = at.get();
        const std::size_t leaves = from ? from->leaf_count : 0,
                          blocks = from ? from->block_count : 0;
        const bool may_take = from != nullptr && is_own(*from, edit);
        Block* made = Block::make(count(leaves, leaf), count(blocks, inner));
        made->made_by = edit;
        made->leaf_bits = leaf_bits;
        made->block_bits = block_bits;
        fill(made->leaves(), from ? from->leaves() : nullptr, leaves, leaf, may_take);
        fill(made->blocks(), from ? from->blocks() : nullptr, blocks, inner, may_take);
        at = BlockPtr(made);
    }
    static bool is_own(const Block& block, Edit edit) noexcept {
        return edit != copies_all && block.made_by == edit;
    }

    // The block at `at` as this edit may change it: its own, or a copy in its place.
    static Block& own(BlockPtr& at, Edit edit) {
        if (!is_own(*at, edit)) {
            const Block& from = *at;
            remake(at, from.leaf_bits, from.block_bits, {0, false, nullptr}, {0, false, BlockPtr()},
                   edit);
        }
        return *at;
    }

    // Whether the name is new.
    static bool put(BlockPtr& at, Leaf value, unsigned level, Edit edit) {
        if (at.get() == nullptr) {
            const std::uint64_t bits = level == levels_max ? 0 : bit_of(value->hash(), level);
            remake(at, bits, 0, {0, false, std::move(value)}, {0, false, BlockPtr()}, edit);
            return true;
        }
        if (level == levels_max) return put_in_row(at, std::move(value), edit);
        const std::uint64_t bit = bit_of(value->hash(), level);
        if ((at->block_bits & bit) != 0) {
            Block& block = own(at, edit);
            return put(block.blocks()[index(block.block_bits, bit)], std::move(value), level + 1,
                       edit);
        }
        const std::size_t place = index(at->leaf_bits, bit);
        if ((at->leaf_bits & bit) == 0) {
            remake(at, at->leaf_bits | bit, at->block_bits, {place, false, std::move(value)},
                   {0, false, BlockPtr()}, edit);
            return true;
        }
        const Leaf& there = at->leaf(place);
        if (there->hash() == value->hash() &&
            wire::equal_names(there->name_octets(), value->name_octets())) {
            own(at, edit).leaves()[place] = std::move(value);
            return false;
        }
        // Two names on one way: both go one block down.
        BlockPtr inner;
        put(inner, there, level + 1, edit);
        put(inner, std::move(value), level + 1, edit);
        remake(at, at->leaf_bits & ~bit, at->block_bits | bit, {place, true, nullptr},
               {index(at->block_bits, bit), false, std::move(inner)}, edit);
        return true;
    }
    static bool put_in_row(BlockPtr& at, Leaf value, Edit edit) {
        if (const Leaf* there = find_among(at.get(), value->name_octets())) {
            const auto place = static_cast<std::size_t>(there - at->leaves());
            own(at, edit).leaves()[place] = std::move(value);
            return false;
        }
        remake(at, 0, 0, {at->leaf_count, false, std::move(value)}, {0, false, BlockPtr()}, edit);
        return true;
    }

    // REQUIRES: the name is there. `at` becomes null if nothing is left.
    static void take(BlockPtr& at, std::span<const std::uint8_t> name, std::uint64_t hash,
                     unsigned level, Edit edit) {
        const std::uint64_t bit = level == levels_max ? 0 : bit_of(hash, level);
        if (level == levels_max || (at->leaf_bits & bit) != 0) {
            if (at->leaf_count + at->block_count == 1) {
                at = BlockPtr();
                return;
            }
            const std::size_t place =
                level == levels_max
                    ? static_cast<std::size_t>(find_among(at.get(), name) - at->leaves())
                    : index(at->leaf_bits, bit);
            remake(at, at->leaf_bits & ~bit, at->block_bits, {place, true, nullptr},
                   {0, false, BlockPtr()}, edit);
            return;
        }
        BlockPtr& inner = own(at, edit).blocks()[index(at->block_bits, bit)];
        take(inner, name, hash, level + 1, edit);
        if (inner.get() != nullptr && (inner->block_count > 0 || inner->leaf_count > 1)) return;
        // A block of one value is that value.
        Leaf alone = inner.get() != nullptr ? inner->leaf(0) : nullptr;
        if (alone == nullptr && at->leaf_count + at->block_count == 1) {
            at = BlockPtr();
            return;
        }
        const std::uint64_t leaf_bits = at->leaf_bits | (alone != nullptr ? bit : 0);
        remake(at, leaf_bits, at->block_bits & ~bit,
               {index(at->leaf_bits, bit), false, std::move(alone)},
               {index(at->block_bits, bit), true, BlockPtr()}, edit);
    }

    template <class Visit>
    static void visit_all(const Block& block, Visit& visit) {
        for (const Leaf& leaf : block.leaves()) visit(leaf);
        for (const BlockPtr& inner : block.blocks()) visit_all(*inner, visit);
    }

    template <class Visit>
    static void compare(Way before, Way after, unsigned level, Visit& visit) {
        if (before.leaf == nullptr && after.leaf == nullptr) {
            if (before.block == after.block) return;
            if (level == levels_max) return compare_rows(before.block, after.block, visit);
            for (std::uint64_t bit = 1; bit != 0; bit <<= 1)
                compare(way(before.block, bit), way(after.block, bit), level + 1, visit);
        } else if (before.block == nullptr && after.block == nullptr) {
            compare_leaves(before.leaf, after.leaf, visit);
        } else {
            // A value on one side, more than one on the other: its own may be among them.
            const T* const alone = before.leaf != nullptr ? before.leaf : after.leaf;
            bool found = false;
            auto each = [&](const std::shared_ptr<const T>& leaf) {
                const bool same = wire::equal_names(leaf->name_octets(), alone->name_octets());
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
            wire::equal_names(before->name_octets(), after->name_octets())) {
            visit(before, after);
        } else {
            visit(before, static_cast<const T*>(nullptr));
            visit(static_cast<const T*>(nullptr), after);
        }
    }

    template <class Visit>
    static void compare_rows(const Block* before, const Block* after, Visit& visit) {
        const auto in = [](const Block* row, const T& leaf) -> const T* {
            const auto* found = row ? find_among(row, leaf.name_octets()) : nullptr;
            return found != nullptr ? found->get() : nullptr;
        };
        if (before != nullptr) {
            for (const auto& leaf : before->leaves())
                compare_leaves(leaf.get(), in(after, *leaf), visit);
        }
        if (after == nullptr) return;
        for (const auto& leaf : after->leaves()) {
            if (in(before, *leaf) == nullptr) visit(static_cast<const T*>(nullptr), leaf.get());
        }
    }

    BlockPtr root_;
    std::size_t size_ = 0;
};

// The version that it was made of must outlive it.
template <class T>
class Trie<T>::Descent {
  public:
    Descent() noexcept = default;  // means nothing
    Descent(const Block* root, std::uint64_t hash) noexcept
        : block_(root), leaf_(nullptr), inner_(nullptr), value_(nullptr), hash_(hash), level_(0) {}

    // Has the processor fetch what the next step looks at. False: it has ended.
    bool step() noexcept {
        if (leaf_ != nullptr) {
            value_ = leaf_->get();
            leaf_ = nullptr;
            __builtin_prefetch(value_);
            __builtin_prefetch(reinterpret_cast<const char*>(value_) + 63);
            return false;
        }
        if (inner_ != nullptr) {
            block_ = inner_->get();
            inner_ = nullptr;
            __builtin_prefetch(block_);
            return true;
        }
        if (block_ == nullptr || level_ == levels_max) return false;
        const std::uint64_t bit = bit_of(hash_, level_++);
        const Block* const block = std::exchange(block_, nullptr);
        if ((block->leaf_bits & bit) != 0) {
            leaf_ = &block->leaf(index(block->leaf_bits, bit));
            __builtin_prefetch(leaf_);
        } else if ((block->block_bits & bit) != 0) {
            inner_ = &block->inner(index(block->block_bits, bit));
            __builtin_prefetch(inner_);
        }
        return true;
    }

    // Where it has ended, on its way into the cache: of the name, or of another of the same way.
    // Null: there is none.
    const T* value() const noexcept { return value_; }

  private:
    const Block* block_;
    const Leaf* leaf_;
    const BlockPtr* inner_;
    const T* value_;
    std::uint64_t hash_;
    unsigned level_;
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
            if (place.leaf < place.block->leaf_count) return place.block->leaf(place.leaf++).get();
            if (place.inner < place.block->block_count) {
                enter(place.block->inner(place.inner++).get());
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
