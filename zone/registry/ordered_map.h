// An immutable map from text to values, in the order of its keys: what changed is copied along one
// path (O(log n)), all the rest is shared. A weight-balanced tree.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace dnsd::registry {

// A value: copying one is copying a pointer, and a copy never sees what is done to the other.
// Different copies may be used by different threads at once.
template <class Value>
class OrderedMap {
  public:
    std::size_t size() const noexcept { return size_of(root_); }
    bool empty() const noexcept { return root_ == nullptr; }
    // Whether nothing was changed between the two. False does not say that they differ.
    bool is_same(const OrderedMap& other) const noexcept { return root_ == other.root_; }

    // Null if there is none. Lives as long as a copy of this map that holds it.
    const Value* find(std::string_view key) const noexcept {
        const Node* at = root_.get();
        while (at) {
            const int order = key.compare(at->key);
            if (order == 0) return &at->value;
            at = order < 0 ? at->left.get() : at->right.get();
        }
        return nullptr;
    }

    void set(std::string_view key, Value value) { root_ = with(root_, key, std::move(value)); }
    void erase(std::string_view key) {
        if (find(key)) root_ = without(root_, key);
    }

    // Visits keys in order: visit(const std::string&, const Value&) -> void.
    template <class Visit>
    void for_each(Visit visit) const {
        walk(root_.get(), [&](const std::string& key, const Value& value) {
            visit(key, value);
            return true;
        });
    }

    // Visits the keys above `after` in order, until visit(key, value) says false.
    template <class Visit>
    void for_each_after(std::string_view after, Visit visit) const {
        walk_after(root_.get(), after, visit);
    }

  private:
    struct Node;
    using Tree = std::shared_ptr<const Node>;
    struct Node {
        std::string key;
        Value value;
        Tree left, right;
        std::size_t size;
    };

    // Neither side is more than `weight_ratio` times as heavy as the other; a side that is less
    // than `single_ratio` times as heavy inside than outside is put right by one rotation. The pair
    // (3, 2) is proven by Hirai and Yamamoto, "Balancing weight-balanced trees" (2011).
    static constexpr std::size_t weight_ratio = 3;
    static constexpr std::size_t single_ratio = 2;

    static std::size_t size_of(const Tree& tree) noexcept { return tree ? tree->size : 0; }
    static std::size_t weight_of(const Tree& tree) noexcept { return size_of(tree) + 1; }

    static Tree join(std::string key, Value value, Tree left, Tree right) {
        const std::size_t size = size_of(left) + size_of(right) + 1;
        return std::make_shared<const Node>(
            Node{std::move(key), std::move(value), std::move(left), std::move(right), size});
    }

    // As join(), where one side has just gained or lost one node.
    static Tree balanced(const std::string& key, const Value& value, Tree left, Tree right) {
        if (weight_of(right) > weight_ratio * weight_of(left)) {
            const Node& r = *right;
            if (weight_of(r.left) < single_ratio * weight_of(r.right))
                return join(r.key, r.value, join(key, value, std::move(left), r.left), r.right);
            const Node& middle = *r.left;
            return join(middle.key, middle.value, join(key, value, std::move(left), middle.left),
                        join(r.key, r.value, middle.right, r.right));
        }
        if (weight_of(left) > weight_ratio * weight_of(right)) {
            const Node& l = *left;
            if (weight_of(l.right) < single_ratio * weight_of(l.left))
                return join(l.key, l.value, l.left, join(key, value, l.right, std::move(right)));
            const Node& middle = *l.right;
            return join(middle.key, middle.value, join(l.key, l.value, l.left, middle.left),
                        join(key, value, middle.right, std::move(right)));
        }
        return join(key, value, std::move(left), std::move(right));
    }

    static Tree with(const Tree& tree, std::string_view key, Value value) {
        if (!tree) return join(std::string(key), std::move(value), nullptr, nullptr);
        const int order = key.compare(tree->key);
        if (order == 0) return join(tree->key, std::move(value), tree->left, tree->right);
        if (order < 0)
            return balanced(tree->key, tree->value, with(tree->left, key, std::move(value)),
                            tree->right);
        return balanced(tree->key, tree->value, tree->left,
                        with(tree->right, key, std::move(value)));
    }

    // REQUIRES: `key` is in `tree`.
    static Tree without(const Tree& tree, std::string_view key) {
        const int order = key.compare(tree->key);
        if (order < 0)
            return balanced(tree->key, tree->value, without(tree->left, key), tree->right);
        if (order > 0)
            return balanced(tree->key, tree->value, tree->left, without(tree->right, key));
        if (!tree->left) return tree->right;
        if (!tree->right) return tree->left;
        const Node* next = tree->right.get();
        while (next->left) next = next->left.get();
        return balanced(next->key, next->value, tree->left, without(tree->right, next->key));
    }

    template <class Visit>
    static bool walk(const Node* tree, Visit&& visit) {
        return !tree || (walk(tree->left.get(), visit) && visit(tree->key, tree->value) &&
                         walk(tree->right.get(), visit));
    }

    template <class Visit>
    static bool walk_after(const Node* tree, std::string_view after, Visit& visit) {
        if (!tree) return true;
        if (std::string_view(tree->key) <= after)
            return walk_after(tree->right.get(), after, visit);
        return walk_after(tree->left.get(), after, visit) && visit(tree->key, tree->value) &&
               walk(tree->right.get(), visit);
    }

    Tree root_;
};

}  // namespace dnsd::registry
