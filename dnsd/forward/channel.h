// One c-ares channel to one server: it sends octets that we made, and gives back what answers them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/io/loop.h"

namespace dnsd::forward {

// Belongs to its loop's thread.
//
// c-ares closes its sockets when nothing is in flight, and so asks from a new port, which the
// kernel draws, after each pause: who wants that for every query uses a channel that is idle. It
// goes on to TCP by itself where the answer was cut, and believes only answers with our id and
// question from the server's address.
class Channel {
  public:
    // Why there is no answer, in a word for people; null: there is one.
    using Done = std::function<void(const char* failure, std::span<const std::uint8_t> answer)>;

    // One try, of at most `timeout` for each of UDP and TCP. `tcp`: over TCP at once.
    Channel(io::Loop& loop, const SocketAddress& server, Milliseconds timeout, bool tcp);
    ~Channel();  // whoever waits is told
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // `query` ends with an OPT RR without options. `done` is called once, maybe before this
    // returns. REQUIRES: its id is not in flight here.
    void send(std::span<const std::uint8_t> query, Done done);
    std::size_t in_flight() const noexcept;
    std::size_t sent_from_this_port() const noexcept;  // since it was idle last

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dnsd::forward
