// DNS over TCP (RFC 7766) on one worker: connections, their framing, and their limits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "base/counters.h"
#include "base/io/loop.h"
#include "base/io/tcp.h"

namespace dnsd::nameserver {

struct TcpLimits {
    std::size_t connections_max = 4000;            // of one worker
    std::size_t connections_per_client_max = 200;  // by IP address
    Milliseconds idle_timeout{10'000};  // also for half a query, and for a reader that stalls
    std::size_t unsent_octets_max = 256 * 1024;  // no more queries are read until some went out
};

struct TcpCounters {
    Counter accepted;
    Counter refused;  // a limit was hit
    Counter idle_closed;
};

// Belongs to its loop's thread.
class TcpServer {
  public:
    using Respond =
        std::function<std::size_t(std::span<const std::uint8_t> query, const SocketAddress& client,
                                  std::span<std::uint8_t> reply)>;

    // before_batch runs after octets were received and before the first query in them is answered.
    TcpServer(io::Loop& loop, TcpLimits limits, std::function<void()> before_batch, Respond respond,
              TcpCounters& counters);
    ~TcpServer();
    TcpServer(const TcpServer&) = delete;
    TcpServer& operator=(const TcpServer&) = delete;

    void listen(io::Descriptor listener);

  private:
    struct Listener;
    class Connection;

    void accept(const io::Descriptor& listener);
    void close(Connection* connection);
    void close_idle();

    io::Loop& loop_;
    TcpLimits limits_;
    std::function<void()> before_batch_;
    Respond respond_;
    TcpCounters& counters_;
    std::vector<std::uint8_t> reply_;  // one at a time, 65,535 octets
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::map<Connection*, std::unique_ptr<Connection>> connections_;
    std::map<IpAddress, std::size_t> per_client_;
    io::Timer sweep_;
};

}  // namespace dnsd::nameserver
