// A value published by one thread and read by many, without a lock on the reader's path.
//
// A reader keeps a SnapshotView. Asking whether its copy is still the latest is one atomic load;
// the mutex is taken only when the generation moved (pdns's sholder.hh). Versions that were
// replaced are freed by the writer, at the next publication after the last reader has let go.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace dnsd {

// publish() belongs to one thread, the writer; load() and generation() to any.
template <class T>
class Snapshot {
  public:
    explicit Snapshot(std::shared_ptr<const T> first) : current_(std::move(first)) {}
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    void publish(std::shared_ptr<const T> next) {
        {
            const std::lock_guard lock(mutex_);
            current_.swap(next);
            generation_.fetch_add(1, std::memory_order_release);
        }
        replaced_.push_back(std::move(next));
        std::erase_if(replaced_, [](const auto& version) { return version.use_count() == 1; });
    }

    std::shared_ptr<const T> load() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }

    std::uint64_t generation() const noexcept {
        return generation_.load(std::memory_order_acquire);
    }

  private:
    mutable std::mutex mutex_;  // guards current_ and the move of generation_
    std::shared_ptr<const T> current_;
    std::atomic<std::uint64_t> generation_{1};
    std::vector<std::shared_ptr<const T>> replaced_;  // the writer's
};

// One reader's copy. Belongs to one thread; the Snapshot must outlive it.
template <class T>
class SnapshotView {
  public:
    explicit SnapshotView(const Snapshot<T>& source) : source_(source) {}

    // The latest value. The reference holds until the next call.
    const T& latest() {
        const std::uint64_t generation = source_.generation();
        if (generation != generation_) {
            copy_ = source_.load();
            generation_ = generation;
        }
        return *copy_;
    }

    // As latest(), for those who keep it.
    std::shared_ptr<const T> share() {
        latest();
        return copy_;
    }

  private:
    const Snapshot<T>& source_;
    std::shared_ptr<const T> copy_;
    std::uint64_t generation_ = 0;
};

}  // namespace dnsd
