// The generator with the clients' stubs, on a thread and a loop of their own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/http/client.h"
#include "base/io/mailbox.h"
#include "tools/failover-lab/rig/generator.h"
#include "tools/failover-lab/rig/scene.h"
#include "tools/failover-lab/rig/sources.h"

namespace dnsd::lab {

// A stub for one client, as the setting has it: `name` is asked for. Programs that it needs are
// started in the scene.
Result<std::unique_ptr<AddressSource>> make_source(Scene& scene, io::Loop& loop, int client);

// Made and started by one thread; what it then tells, any may ask.
class Load {
  public:
    static Result<std::unique_ptr<Load>> make(Scene& scene, std::uint64_t seed);
    ~Load();

    void start(SteadyTime zero);
    void end_at(SteadyTime end) noexcept;
    void join();  // until the last request has ended; REQUIRES: end_at() was called

    bool asks_dns()
        const noexcept;  // or else: its addresses are a list that is polled, or a proxy's
    std::optional<SteadyTime> last_fetch() const;  // of the first client
    std::optional<SteadyTime> last_offered(int instance) const noexcept;
    const std::vector<Request>& log() const noexcept;  // after join()

  private:
    explicit Load(Scene& scene);
    void reconfirm(int instance);

    Scene& scene_;
    io::Loop loop_;
    std::vector<std::unique_ptr<AddressSource>> sources_;
    std::unique_ptr<http::Client> client_;
    std::map<int, SteadyTime> reconfirmed_;
    std::unique_ptr<Generator> generator_;
    std::thread thread_;
};

}  // namespace dnsd::lab
