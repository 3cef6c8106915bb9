// The load: requests at a fixed rate whatever becomes of them (open loop), each counted from the
// time at which it was meant to be sent, so that a slow answer hides none that would have come
// after it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/sources.h"

namespace dnsd::lab {

// Belongs to its loop's thread; what is said of any thread is.
class Generator {
  public:
    // `sources`: one for each client, outliving this. `on_dead`: a client could not reach an
    // instance.
    Generator(io::Loop& loop, const Setting& setting, std::vector<AddressSource*> sources,
              std::uint64_t seed, std::function<void(int instance)> on_dead);
    ~Generator();
    Generator(const Generator&) = delete;
    Generator& operator=(const Generator&) = delete;

    // Request n is due at `zero` + n / rate, until end_at().
    void start(SteadyTime zero);
    // The last request is due before that time. Any thread.
    void end_at(SteadyTime end) noexcept;
    // Called once the last request has ended.
    void when_done(std::function<void()> done);

    // After the end: in the order of intended times.
    const std::vector<Request>& log() const noexcept;
    // When a client was last given the instance's address, before a connection. Any thread.
    std::optional<SteadyTime> last_offered(int instance) const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::lab
