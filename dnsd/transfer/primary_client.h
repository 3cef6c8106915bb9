// Questions to one name server over sockets of their own: datagrams, and TCP with many messages in
// answer (RFC 1035 §4.2). Ports are drawn by the kernel for each question.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "base/result.h"

namespace dnsd::transfer {

// One datagram, and what answers it. Belongs to its loop's thread. Destroying it ends it without a
// word, also from inside its callbacks.
class DatagramExchange {
  public:
    // Whether a datagram from the server is the answer: others are passed over. It may change it.
    using Accepts = std::function<bool(std::vector<std::uint8_t>& message)>;
    using Done = std::function<void(Result<std::vector<std::uint8_t>> answer)>;

    // `done` is called once, from the loop, never from here.
    DatagramExchange(io::Loop& loop, const SocketAddress& server,
                     std::span<const std::uint8_t> query, Milliseconds timeout, Accepts accepts,
                     Done done);
    ~DatagramExchange();
    DatagramExchange(const DatagramExchange&) = delete;
    DatagramExchange& operator=(const DatagramExchange&) = delete;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

// A connection, one query, and the messages that come. The same rules.
class StreamExchange {
  public:
    struct Timeouts {
        Milliseconds message;  // to connect, and then for each message
        Milliseconds whole;    // of all of it
    };
    // The next message; false: nothing more is wanted. It then ends without a word.
    using Take = std::function<bool(std::vector<std::uint8_t> message)>;
    // Why no further message will come, before take() had enough.
    using Failed = std::function<void(const Error& why)>;

    // REQUIRES: at most 65,535 octets of query.
    StreamExchange(io::Loop& loop, const SocketAddress& server, std::span<const std::uint8_t> query,
                   Timeouts timeouts, Take take, Failed failed);
    ~StreamExchange();
    StreamExchange(const StreamExchange&) = delete;
    StreamExchange& operator=(const StreamExchange&) = delete;

    bool was_connected() const noexcept;  // the server took the connection

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace dnsd::transfer
