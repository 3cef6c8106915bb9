#include "tools/failover-lab/rig/client_connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/io/handle.h"

namespace dnsd::lab {
namespace {

// "i-3" is the third.
std::uint8_t instance_named(std::string_view name) {
    unsigned number = 0;
    if (!name.starts_with("i-")) return Request::none;
    const auto [end, problem] = std::from_chars(name.data() + 2, name.data() + name.size(), number);
    if (problem != std::errc{} || end != name.data() + name.size() || number == 0 || number > 200) {
        return Request::none;
    }
    return static_cast<std::uint8_t>(number - 1);
}

}  // namespace

std::uint8_t instance_at(const SocketAddress& address) noexcept {
    const auto* ip = std::get_if<Ipv4>(&address.ip);
    if (ip == nullptr || ip->octets[0] != 127 || ip->octets[1] != 0 || ip->octets[2] != 1) {
        return Request::none;
    }
    return static_cast<std::uint8_t>(ip->octets[3] - 1);
}

Milliseconds time_until(SteadyTime time) noexcept {
    return std::max(Milliseconds(0),
                    std::chrono::ceil<Milliseconds>(time - machine_clock().steady()));
}

ClientConnection::ClientConnection(io::Loop& loop, SocketAddress address, SteadyTime made)
    : address_(address),
      made_(made),
      socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      poll_(loop, socket_.number(), [this](unsigned events) { on_events(events); }),
      patience_(loop, [this] { end(Outcome::Timeout); }) {
    sockaddr_storage storage;
    const auto octets = address.to(storage);
    if (::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&storage), octets) != 0 &&
        errno != EINPROGRESS) {
        problem_ = errno;
    }
}

ClientConnection::~ClientConnection() {
    // With a reset, so that no port is held in TIME_WAIT: a hundred a second would add up.
    const linger now{1, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void ClientConnection::exchange(const std::string& request, SteadyTime deadline, Done done) {
    request_ = request;
    done_ = std::move(done);
    sent_ = false;
    reply_.next();
    patience_.start(time_until(deadline));
    poll_.watch(io::Poll::Writable | io::Poll::Readable);
}

void ClientConnection::watch_idle(std::function<void()> on_closed) {
    on_closed_ = std::move(on_closed);
    poll_.watch(io::Poll::Readable);
}

void ClientConnection::on_events(unsigned events) {
    if (!done_) {
        if (on_closed_) io::call(on_closed_);
        return;
    }
    if (sent_) return receive();
    if ((events & io::Poll::Writable) != 0) send();
}

void ClientConnection::send() {
    int problem = problem_;
    socklen_t octets = sizeof problem;
    if (problem == 0) ::getsockopt(socket_.number(), SOL_SOCKET, SO_ERROR, &problem, &octets);
    if (problem != 0) return end(problem == ECONNREFUSED ? Outcome::Refused : Outcome::Reset);
    if (::send(socket_.number(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) {
        return end(Outcome::Reset);
    }
    sent_ = true;
    poll_.watch(io::Poll::Readable);
}

void ClientConnection::receive() {
    std::array<char, 8192> octets;
    const auto got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got == 0) reply_.end_of_stream();
    if (got > 0 && !reply_.read({octets.data(), static_cast<std::size_t>(got)})) {
        return end(Outcome::Reset);
    }
    if (reply_.is_whole()) return end(reply_.status() == 200 ? Outcome::Ok : Outcome::HttpError);
    if (got <= 0) end(Outcome::Reset);
}

void ClientConnection::end(Outcome outcome) {
    patience_.stop();
    poll_.watch(0);
    const Done done = std::exchange(done_, nullptr);
    std::uint8_t instance = instance_at(address_);
    if (instance == Request::none && reply_.is_whole()) instance = instance_named(reply_.body());
    done(outcome, instance);
}

}  // namespace dnsd::lab
