#include "dnsd/nameserver/tcp_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace dnsd::nameserver {

namespace {

constexpr std::size_t message_octets_max = 65'535;
constexpr Milliseconds sweep_interval{250};

}  // namespace

struct TcpServer::Listener {
    io::Descriptor descriptor;
    io::Poll poll;

    Listener(TcpServer& server, io::Descriptor bound)
        : descriptor(std::move(bound)),
          poll(server.loop_, descriptor.number(),
               [this, &server](unsigned) { server.accept(descriptor); }) {
        poll.watch(io::Poll::Readable);
    }
};

// One client. Queries are answered in the order in which they came.
class TcpServer::Connection {
  public:
    Connection(TcpServer& server, io::Accepted accepted)
        : client(accepted.client.ip),
          active(server.loop_.now()),
          server_(server),
          descriptor_(std::move(accepted.descriptor)),
          poll_(server.loop_, descriptor_.number(), [this](unsigned events) { turn(events); }) {
        poll_.watch(io::Poll::Readable);
    }

    const IpAddress client;
    SteadyTime active;  // when the last whole query came, or octets of a reply went

  private:
    void turn(unsigned events) {
        bool open = true;
        if ((events & io::Poll::Readable) != 0 && !is_full()) open = receive();
        if (open) open = send();
        if (!open) {
            server_.close(this);
            return;
        }
        poll_.watch((is_full() ? 0U : unsigned{io::Poll::Readable}) |
                    (sent_ < out_.size() ? unsigned{io::Poll::Writable} : 0U));
    }

    bool is_full() const noexcept {
        return out_.size() - sent_ >= server_.limits_.unsent_octets_max;
    }

    // One read, then all whole queries in it. False: the client has left.
    bool receive() {
        std::array<std::uint8_t, 16'384> octets;
        const ssize_t got = ::recv(descriptor_.number(), octets.data(), octets.size(), 0);
        if (got == 0) return false;
        if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        in_.insert(in_.end(), octets.begin(), octets.begin() + got);
        server_.before_batch_();
        std::size_t at = 0;
        while (in_.size() - at >= 2) {
            const std::size_t length = std::size_t{in_[at]} << 8 | in_[at + 1];
            if (in_.size() - at - 2 < length) break;
            answer(std::span(in_).subspan(at + 2, length));
            at += 2 + length;
        }
        if (at > 0) active = server_.loop_.now();
        in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }

    void answer(std::span<const std::uint8_t> query) {
        const std::size_t size = server_.respond_(query, {client, 0}, server_.reply_);
        if (size == 0) return;
        out_.push_back(static_cast<std::uint8_t>(size >> 8));
        out_.push_back(static_cast<std::uint8_t>(size));
        out_.insert(out_.end(), server_.reply_.begin(),
                    server_.reply_.begin() + static_cast<std::ptrdiff_t>(size));
    }

    bool send() {
        while (sent_ < out_.size()) {
            const ssize_t went = ::send(descriptor_.number(), out_.data() + sent_,
                                        out_.size() - sent_, MSG_NOSIGNAL);
            if (went < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            sent_ += static_cast<std::size_t>(went);
            active = server_.loop_.now();
        }
        out_.clear();
        sent_ = 0;
        return true;
    }

    TcpServer& server_;
    io::Descriptor descriptor_;
    io::Poll poll_;
    std::vector<std::uint8_t> in_, out_;
    std::size_t sent_ = 0;  // octets of out_
};

TcpServer::TcpServer(io::Loop& loop, TcpLimits limits, std::function<void()> before_batch,
                     Respond respond, TcpCounters& counters)
    : loop_(loop),
      limits_(limits),
      before_batch_(std::move(before_batch)),
      respond_(std::move(respond)),
      counters_(counters),
      reply_(message_octets_max),
      sweep_(loop, [this] { close_idle(); }) {
    sweep_.repeat(std::min(sweep_interval, limits_.idle_timeout));
}

TcpServer::~TcpServer() = default;

void TcpServer::listen(io::Descriptor listener) {
    listeners_.push_back(std::make_unique<Listener>(*this, std::move(listener)));
}

void TcpServer::accept(const io::Descriptor& listener) {
    for (;;) {
        io::Accepted accepted = io::accept_tcp(listener);
        if (accepted.descriptor.number() < 0) return;
        std::size_t& of_client = per_client_[accepted.client.ip];
        if (connections_.size() >= limits_.connections_max ||
            of_client >= limits_.connections_per_client_max) {
            counters_.refused.add();
            if (of_client == 0) per_client_.erase(accepted.client.ip);
            continue;
        }
        ++of_client;
        counters_.accepted.add();
        auto connection = std::make_unique<Connection>(*this, std::move(accepted));
        Connection* key = connection.get();
        connections_.emplace(key, std::move(connection));
    }
}

void TcpServer::close(Connection* connection) {
    const auto client = per_client_.find(connection->client);
    if (--client->second == 0) per_client_.erase(client);
    connections_.erase(connection);
}

void TcpServer::close_idle() {
    std::vector<Connection*> idle;
    for (const auto& [connection, owned] : connections_) {
        if (loop_.now() - connection->active >= limits_.idle_timeout) idle.push_back(connection);
    }
    counters_.idle_closed.add(idle.size());
    for (Connection* connection : idle) close(connection);
}

}  // namespace dnsd::nameserver
