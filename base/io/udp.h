// UDP sockets that receive and send in batches, and answer from the address that was asked.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/address.h"
#include "base/counters.h"
#include "base/io/loop.h"
#include "base/result.h"

namespace dnsd::io {

// A bound UDP socket. IPv6 sockets take no IPv4 (RFC 3493 §5.3).
class UdpSocket {
  public:
    // `shared`: several sockets of this process take turns on one port (SO_REUSEPORT). The first
    // one to bind is not shared: it tells whether somebody else is there.
    static Result<UdpSocket> bind(const SocketAddress& address, bool shared);
    UdpSocket(UdpSocket&& other) noexcept;
    UdpSocket& operator=(UdpSocket&&) = delete;
    ~UdpSocket();

    int descriptor() const noexcept { return descriptor_; }
    SocketAddress address() const noexcept;  // with the port that the kernel gave

  private:
    explicit UdpSocket(int descriptor) noexcept : descriptor_(descriptor) {}
    int descriptor_;
};

struct UdpCounters {
    Counter received, sent;
    Counter send_dropped;  // the kernel would not take it: the client asks again
    Counter receive_dropped;  // it came faster than we took it, and the kernel had no room left
};

// Where a datagram came from and which of our addresses it asked: what a later reply needs.
struct UdpReturn {
    sockaddr_storage client;
    std::uint32_t client_octets = 0;
    alignas(8) std::array<std::uint8_t, 48> control;  // IP_PKTINFO or IPV6_PKTINFO
    std::size_t control_octets = 0;
};

// Receives on a socket (recvmmsg), asks for a reply to each datagram, sends them (sendmmsg).
// Belongs to its loop's thread. Buffers are allocated once.
class UdpResponder {
  public:
    // Writes a reply into `reply` and returns its octets; 0: silence.
    using Respond =
        std::function<std::size_t(std::span<const std::uint8_t> query, const SocketAddress& client,
                                  std::span<std::uint8_t> reply)>;
    struct Options {
        std::uint16_t query_octets_max = 4096;  // longer datagrams are cut, and then malformed
        std::uint16_t reply_octets_max = 4096;
        unsigned batch = 32;  // datagrams in one system call
    };

    // Runs after datagrams were received and before the first of them is answered.
    using BeforeBatch = std::function<void(std::span<const std::span<const std::uint8_t>> queries)>;

    UdpResponder(Loop& loop, UdpSocket socket, Options options, BeforeBatch before_batch,
                 Respond respond, UdpCounters& counters);
    ~UdpResponder();
    UdpResponder(const UdpResponder&) = delete;
    UdpResponder& operator=(const UdpResponder&) = delete;

    SocketAddress address() const noexcept;

    // Inside `respond`: the way back for a reply that is not there yet; silence is returned now.
    UdpReturn way_back() const noexcept;
    void reply_later(const UdpReturn& way, std::span<const std::uint8_t> reply) noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::io
