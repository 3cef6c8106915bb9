// Listens in on the namespaces' own network, so that what a cache asks, when, and what it is told
// is known whatever the cache says.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/tcp.h"
#include "base/result.h"

namespace dnsd::lab {

// An answer that dnsd gave, over UDP, or over TCP in one segment.
struct SeenAnswer {
    SteadyTime at;
    std::string name;  // as asked, lower-cased, without the final dot
    std::uint16_t type = 0;
    std::uint8_t rcode = 0;
    std::vector<Ipv4> addresses;  // A records of the answer and of the additional section
};

// Packets on loopback, which is where all of a namespace's own traffic goes.
struct Traffic {
    std::uint64_t packets = 0, octets = 0;
};

// Has a thread of its own while it lives; the rest may be called by any thread.
class Tap {
  public:
    static Result<std::unique_ptr<Tap>> open();
    ~Tap();

    std::vector<SeenAnswer> answers() const;  // so far, in order
    // The last about a service: its A records, or SRV under any of its names.
    std::optional<SteadyTime> last_answer_about(const std::string& service) const;
    // To or from that port of any address; 53 and 8053 are counted.
    Traffic traffic(std::uint16_t port) const;

  private:
    explicit Tap(io::Descriptor socket);
    void run();
    void see(std::string_view packet);

    io::Descriptor socket_;
    mutable std::mutex mutex_;  // of what the thread finds and others read
    std::vector<SeenAnswer> answers_;
    std::map<std::uint16_t, Traffic> traffic_;
    std::atomic<bool> ends_ = false;
    std::thread thread_;
};

}  // namespace dnsd::lab
