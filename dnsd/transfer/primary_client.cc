#include "dnsd/transfer/primary_client.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "base/io/tcp.h"

namespace dnsd::transfer {

namespace {

constexpr std::size_t message_octets_max = 65'535;
// What one turn of the loop takes off a connection: others want their turn too.
constexpr std::size_t turn_octets_max = std::size_t{4} * message_octets_max;

// A socket of the server's family, connected or about to be; -1 inside and errno set where there is
// none. Datagrams of others do not reach a connected socket.
io::Descriptor connect_to(const SocketAddress& server, int type) noexcept {
    const bool v6 = std::holds_alternative<Ipv6>(server.ip);
    io::Descriptor socket(
        ::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.number() < 0) return socket;
    sockaddr_storage storage;
    const socklen_t octets = server.to(storage);
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&storage), octets) == 0 ||
        errno == EINPROGRESS)
        return socket;
    const int error = errno;
    socket = io::Descriptor();
    errno = error;
    return socket;
}

bool is_not_yet(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

std::string reason(int error) { return std::strerror(error); }

}  // namespace

// The callbacks may destroy their owner: each event holds a share of the state while it is handled.
struct DatagramExchange::State : std::enable_shared_from_this<State> {
    Accepts accepts;
    Done done;
    io::Descriptor socket;
    std::optional<io::Poll> poll;
    std::optional<io::Timer> timer;
    bool is_over = false;

    void end() noexcept {
        is_over = true;
        timer.reset();
        poll.reset();
        socket = io::Descriptor();
    }

    void finish(Result<std::vector<std::uint8_t>> answer) {
        if (is_over) return;
        end();
        done(std::move(answer));
    }

    void read() {
        while (!is_over) {
            std::vector<std::uint8_t> message(message_octets_max);
            const ssize_t octets = ::recv(socket.number(), message.data(), message.size(), 0);
            if (octets < 0 && errno == EINTR) continue;
            if (octets < 0 && is_not_yet(errno)) return;
            if (octets < 0) return finish(fail(reason(errno)));  // ICMP said that nobody is there
            message.resize(static_cast<std::size_t>(octets));
            if (accepts(message)) return finish(std::move(message));
        }
    }
};

DatagramExchange::DatagramExchange(io::Loop& loop, const SocketAddress& server,
                                   std::span<const std::uint8_t> query, Milliseconds timeout,
                                   Accepts accepts, Done done)
    : state_(std::make_shared<State>()) {
    state_->accepts = std::move(accepts);
    state_->done = std::move(done);
    state_->socket = connect_to(server, SOCK_DGRAM);
    State* const state = state_.get();
    if (state->socket.number() < 0 ||
        ::send(state->socket.number(), query.data(), query.size(), 0) < 0) {
        state->timer.emplace(
            loop, [state, why = reason(errno)] { state->shared_from_this()->finish(fail(why)); });
        state->timer->start(Milliseconds(0));
        return;
    }
    state->timer.emplace(loop, [state] { state->shared_from_this()->finish(fail("timeout")); });
    state->timer->start(timeout);
    state->poll.emplace(loop, state->socket.number(),
                        [state](unsigned) { state->shared_from_this()->read(); });
    state->poll->watch(io::Poll::Readable);
}

DatagramExchange::~DatagramExchange() { state_->end(); }

struct StreamExchange::State : std::enable_shared_from_this<State> {
    Take take;
    Failed failed;
    Timeouts timeouts{};
    io::Descriptor socket;
    std::optional<io::Poll> poll;
    std::optional<io::Timer> message_timer, whole_timer;
    bool is_over = false;
    bool is_connected = false;
    std::vector<std::uint8_t> to_send;  // what is left of the query and its length
    std::vector<std::uint8_t> octets;   // received, from the start of a message on

    void end() noexcept {
        is_over = true;
        message_timer.reset();
        whole_timer.reset();
        poll.reset();
        socket = io::Descriptor();
    }

    void fail_with(std::string why) {
        if (is_over) return;
        end();
        failed(Error{std::move(why)});
    }

    void ready() {
        if (!is_connected && !connected()) return;
        if (!to_send.empty() && !send()) return;
        read();
    }

    bool connected() {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            fail_with(reason(error));
            return false;
        }
        is_connected = true;
        message_timer->start(timeouts.message);
        return true;
    }

    bool send() {
        const ssize_t sent = ::send(socket.number(), to_send.data(), to_send.size(), MSG_NOSIGNAL);
        if (sent < 0 && !is_not_yet(errno) && errno != EINTR) {
            fail_with(reason(errno));
            return false;
        }
        if (sent > 0) to_send.erase(to_send.begin(), to_send.begin() + sent);
        if (!to_send.empty()) return false;
        poll->watch(io::Poll::Readable);
        return true;
    }

    void read() {
        for (std::size_t taken = 0; taken < turn_octets_max;) {
            const std::size_t before = octets.size();
            octets.resize(before + message_octets_max);
            const ssize_t got =
                ::recv(socket.number(), octets.data() + before, message_octets_max, 0);
            octets.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && is_not_yet(errno)) return;
            if (got < 0) return fail_with(reason(errno));
            if (got == 0) return fail_with("the connection was closed before the end");
            if (!take_messages()) return;
            taken += static_cast<std::size_t>(got);
        }
    }

    // Those that are whole. False: it is over.
    bool take_messages() {
        std::size_t at = 0;
        while (octets.size() - at >= 2) {
            const std::size_t size = std::size_t{octets[at]} << 8 | octets[at + 1];
            if (octets.size() - at - 2 < size) break;
            const auto start = octets.begin() + static_cast<std::ptrdiff_t>(at + 2);
            at += 2 + size;
            const bool is_more = take({start, start + static_cast<std::ptrdiff_t>(size)});
            if (is_over) return false;
            if (!is_more) {
                end();
                return false;
            }
            message_timer->start(timeouts.message);
        }
        octets.erase(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }
};

StreamExchange::StreamExchange(io::Loop& loop, const SocketAddress& server,
                               std::span<const std::uint8_t> query, Timeouts timeouts, Take take,
                               Failed failed)
    : state_(std::make_shared<State>()) {
    DNSD_ASSERT(query.size() <= message_octets_max);
    State* const state = state_.get();
    state->take = std::move(take);
    state->failed = std::move(failed);
    state->timeouts = timeouts;
    state->to_send = {static_cast<std::uint8_t>(query.size() >> 8),
                      static_cast<std::uint8_t>(query.size())};
    state->to_send.insert(state->to_send.end(), query.begin(), query.end());
    state->socket = connect_to(server, SOCK_STREAM);
    if (state->socket.number() < 0) {
        state->message_timer.emplace(
            loop, [state, why = reason(errno)] { state->shared_from_this()->fail_with(why); });
        state->message_timer->start(Milliseconds(0));
        return;
    }
    state->message_timer.emplace(loop,
                                 [state] { state->shared_from_this()->fail_with("timeout"); });
    state->message_timer->start(timeouts.message);
    state->whole_timer.emplace(
        loop, [state] { state->shared_from_this()->fail_with("it takes too long"); });
    state->whole_timer->start(timeouts.whole);
    state->poll.emplace(loop, state->socket.number(),
                        [state](unsigned) { state->shared_from_this()->ready(); });
    state->poll->watch(io::Poll::Writable);
}

StreamExchange::~StreamExchange() { state_->end(); }

bool StreamExchange::was_connected() const noexcept { return state_->is_connected; }

}  // namespace dnsd::transfer
