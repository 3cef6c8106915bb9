#include "base/io/tcp.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace dnsd::io {

namespace {

bool set_option(int descriptor, int level, int name) noexcept {
    const int on = 1;
    return setsockopt(descriptor, level, name, &on, sizeof on) == 0;
}

}  // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

Result<Descriptor> listen_tcp(const SocketAddress& address, bool shared) {
    const bool v6 = std::holds_alternative<Ipv6>(address.ip);
    Descriptor socket(
        ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t octets = address.to(storage);
    const int number = socket.number();
    if (number < 0 || !set_option(number, SOL_SOCKET, SO_REUSEADDR) ||
        (v6 && !set_option(number, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        (shared && !set_option(number, SOL_SOCKET, SO_REUSEPORT)) ||
        ::bind(number, reinterpret_cast<const sockaddr*>(&storage), octets) != 0 ||
        ::listen(number, SOMAXCONN) != 0) {
        return fail(fmt::format("TCP {}: {}", address.print(), std::strerror(errno)));
    }
    return socket;
}

Accepted accept_tcp(const Descriptor& listener) noexcept {
    sockaddr_storage storage{};
    socklen_t octets = sizeof storage;
    Accepted accepted;
    accepted.descriptor =
        Descriptor(::accept4(listener.number(), reinterpret_cast<sockaddr*>(&storage), &octets,
                             SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.descriptor.number() < 0) return accepted;
    set_option(accepted.descriptor.number(), IPPROTO_TCP, TCP_NODELAY);
    accepted.client = SocketAddress::from(reinterpret_cast<const sockaddr&>(storage));
    return accepted;
}

SocketAddress local_address(const Descriptor& socket) noexcept {
    sockaddr_storage storage{};
    socklen_t octets = sizeof storage;
    getsockname(socket.number(), reinterpret_cast<sockaddr*>(&storage), &octets);
    return SocketAddress::from(reinterpret_cast<const sockaddr&>(storage));
}

}  // namespace dnsd::io
