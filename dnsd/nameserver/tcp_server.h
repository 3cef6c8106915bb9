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
    std::size_t awaited_max = 100;               // the same, until some were answered
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

    // Inside `respond`: the connection that asks, for a reply that is not there yet; silence is
    // returned now. It stays open for what it waits for, even if the client will not ask more.
    std::uint64_t way_back() noexcept;
    // One message of a reply; `is_last` once for each way back. Empty: there is no (further) reply.
    // `written` runs, here or later, as soon as less than unsent_octets_max waits to be sent, or
    // with false because the connection is gone; never from the destructor.
    void reply_later(std::uint64_t connection, std::span<const std::uint8_t> reply,
                     bool is_last = true, std::function<void(bool is_there)> written = {});

  private:
    struct Listener;
    class Connection;

    void accept(const io::Descriptor& listener);
    void close(std::uint64_t connection);
    void close_idle();

    io::Loop& loop_;
    TcpLimits limits_;
    std::function<void()> before_batch_;
    Respond respond_;
    TcpCounters& counters_;
    std::vector<std::uint8_t> reply_;  // one at a time, 65,535 octets
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::uint64_t last_connection_ = 0;
    Connection* asking_ = nullptr;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::map<IpAddress, std::size_t> per_client_;
    io::Timer sweep_;
};

}  // namespace dnsd::nameserver
