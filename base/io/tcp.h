// Listening TCP sockets. What a connection does is its room's to write, over a Poll.
#pragma once

#include <utility>

#include "base/address.h"
#include "base/result.h"

namespace dnsd::io {

// Owns a file descriptor.
class Descriptor {
  public:
    explicit Descriptor(int number = -1) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();

    int number() const noexcept { return number_; }

  private:
    int number_;
};

// Non-blocking; IPv6 sockets take no IPv4. `shared`: as UdpSocket::bind.
Result<Descriptor> listen_tcp(const SocketAddress& address, bool shared);

// Non-blocking, without Nagle's delay. -1 inside where nobody waits, or nothing is left to take one
// with.
struct Accepted {
    Descriptor descriptor;
    SocketAddress client;
};
Accepted accept_tcp(const Descriptor& listener) noexcept;

SocketAddress local_address(const Descriptor& socket) noexcept;

}  // namespace dnsd::io
