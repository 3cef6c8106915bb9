// A bounded number at a time, the others one after the other in the order in which they came.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <set>
#include <utility>

namespace dnsd::transfer {

// Belongs to one thread. Whoever entered leaves before it is destroyed, whether its turn came or
// not.
class Turns {
  public:
    explicit Turns(std::size_t max) : max_(max) {}

    // `go` runs when the turn comes, maybe before this returns. REQUIRES: `who` is not in here.
    void enter(const void* who, std::function<void()> go) {
        waiting_.emplace_back(who, std::move(go));
        serve();
    }

    // Nothing happens if it is not in here.
    void leave(const void* who) {
        std::erase_if(waiting_, [&](const auto& each) { return each.first == who; });
        inside_.erase(who);
        serve();
    }

    void close() noexcept { max_ = 0; }  // nobody's turn comes any more
    std::size_t inside() const noexcept { return inside_.size(); }

  private:
    // Whoever leaves at once, in its own turn, is followed by the next from the same loop: a
    // thousand of them do not stand on the stack together.
    void serve() {
        if (is_serving_) return;
        is_serving_ = true;
        while (!waiting_.empty() && inside_.size() < max_) {
            const auto [who, go] = std::move(waiting_.front());
            waiting_.pop_front();
            inside_.insert(who);
            go();
        }
        is_serving_ = false;
    }

    std::size_t max_;
    bool is_serving_ = false;
    std::set<const void*> inside_;
    std::deque<std::pair<const void*, std::function<void()>>> waiting_;
};

}  // namespace dnsd::transfer
