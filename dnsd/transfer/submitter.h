// Changes on their way to the registry, and their outcomes on the way back to a loop.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/io/loop.h"
#include "base/io/mailbox.h"
#include "zone/registry/registry.h"

namespace dnsd::transfer {

// Belongs to its loop's thread. The registry answers on its own thread, and may do so after this is
// destroyed: those outcomes go nowhere.
class Submitter {
  public:
    using Done = std::move_only_function<void(const registry::Outcome&)>;

    // At most `waiting_max` changes at a time. The registry must outlive it.
    Submitter(io::Loop& loop, registry::Registry& registry, std::size_t waiting_max);
    ~Submitter();
    Submitter(const Submitter&) = delete;
    Submitter& operator=(const Submitter&) = delete;

    // `done` runs on the loop, once, never from here. False, and it does not run: too many wait.
    [[nodiscard]] bool submit(registry::Change change, Done done);

  private:
    struct Shared;

    registry::Registry& registry_;
    const std::size_t waiting_max_;
    std::size_t waiting_ = 0;
    io::Mailbox mailbox_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace dnsd::transfer
