// One connection of a client to an instance or a proxy, used for one exchange of HTTP/1.1 after the
// other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "base/io/tcp.h"
#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/rig/http_reply.h"

namespace dnsd::lab {

// The instance at an address of at::instance(); Request::none of any other.
std::uint8_t instance_at(const SocketAddress& address) noexcept;

Milliseconds time_until(SteadyTime time) noexcept;  // never early

// Belongs to its loop's thread. Destroying it ends it without a word.
class ClientConnection {
  public:
    using Done = std::function<void(Outcome outcome, std::uint8_t instance)>;

    // Begins to connect. `made`: from when its age counts.
    ClientConnection(io::Loop& loop, SocketAddress address, SteadyTime made);
    ~ClientConnection();
    ClientConnection(const ClientConnection&) = delete;
    ClientConnection& operator=(const ClientConnection&) = delete;

    // REQUIRES: none is under way. `done` is called once, from the loop.
    void exchange(const std::string& request, SteadyTime deadline, Done done);
    // Between exchanges: called when the other side has closed.
    void watch_idle(std::function<void()> on_closed);

    const SocketAddress& address() const noexcept { return address_; }
    SteadyTime made() const noexcept { return made_; }
    bool keeps_alive() const noexcept { return reply_.keeps_alive(); }

  private:
    void on_events(unsigned events);
    void send();
    void receive();
    void end(Outcome outcome);

    SocketAddress address_;
    SteadyTime made_;
    io::Descriptor socket_;
    int problem_ = 0;
    std::string request_;
    bool sent_ = false;
    HttpReply reply_;
    Done done_;
    std::function<void()> on_closed_;
    io::Poll poll_;
    io::Timer patience_;
};

}  // namespace dnsd::lab
