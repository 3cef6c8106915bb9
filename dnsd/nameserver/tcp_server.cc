#include "dnsd/nameserver/tcp_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace dnsd::nameserver {

namespace {

constexpr std::size_t message_octets_max = 65'535;
constexpr Milliseconds sweep_interval{250};
constexpr std::size_t sent_octets_kept_max = 64 * 1024;  // in front of those still to be sent

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

// One client. Queries are answered in the order in which they came, but for those whose answers
// come later (RFC 7766 §6.2.1.1).
class TcpServer::Connection {
  public:
    Connection(TcpServer& server, std::uint64_t its_number, io::Accepted accepted)
        : number(its_number),
          client(accepted.client.ip),
          active(server.loop_.now()),
          server_(server),
          descriptor_(std::move(accepted.descriptor)),
          poll_(server.loop_, descriptor_.number(), [this](unsigned events) { turn(events); }) {
        poll_.watch(io::Poll::Readable);
    }

    const std::uint64_t number;
    const IpAddress client;
    std::size_t awaited = 0;  // replies that come later
    SteadyTime active;        // when the last whole query came, or octets of a reply went

    std::vector<std::function<void(bool)>> writers;  // wait until more may be written

    void reply_later(std::span<const std::uint8_t> reply, bool is_last) {
        if (is_last) --awaited;
        queue(reply);
        go_on(send());
    }

  private:
    void turn(unsigned events) {
        bool open = true;
        if ((events & io::Poll::Readable) != 0 && is_reading()) open = receive();
        go_on(open && send());
    }

    void go_on(bool open) {
        if (open && is_writable()) {
            for (const auto& written : std::exchange(writers, {})) written(true);
        }
        if (!open || (asked_all_ && awaited == 0 && out_.empty())) {
            server_.close(number);
            return;
        }
        poll_.watch((is_reading() ? unsigned{io::Poll::Readable} : 0U) |
                    (sent_ < out_.size() ? unsigned{io::Poll::Writable} : 0U));
    }

    bool is_reading() const noexcept {
        return !asked_all_ && awaited < server_.limits_.awaited_max && is_writable();
    }

    bool is_writable() const noexcept {
        return out_.size() - sent_ < server_.limits_.unsent_octets_max;
    }

    // One read, then all whole queries in it. False: the client has left.
    bool receive() {
        std::array<std::uint8_t, 16'384> octets;
        const ssize_t got = ::recv(descriptor_.number(), octets.data(), octets.size(), 0);
        if (got == 0) {
            asked_all_ = true;
            return true;
        }
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
        server_.asking_ = this;
        const std::size_t size = server_.respond_(query, {client, 0}, server_.reply_);
        server_.asking_ = nullptr;
        queue(std::span(server_.reply_).first(size));
    }

    void queue(std::span<const std::uint8_t> reply) {
        if (reply.empty()) return;
        out_.push_back(static_cast<std::uint8_t>(reply.size() >> 8));
        out_.push_back(static_cast<std::uint8_t>(reply.size()));
        out_.insert(out_.end(), reply.begin(), reply.end());
    }

    bool send() {
        while (sent_ < out_.size()) {
            const ssize_t went = ::send(descriptor_.number(), out_.data() + sent_,
                                        out_.size() - sent_, MSG_NOSIGNAL);
            if (went < 0) {
                // The tail of a long transfer may never be empty: what went is let go.
                if (sent_ > sent_octets_kept_max) {
                    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
                    sent_ = 0;
                }
                return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            }
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
    std::size_t sent_ = 0;    // octets of out_
    bool asked_all_ = false;  // the client has shut down its side
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
        const std::uint64_t number = ++last_connection_;
        connections_.emplace(number,
                             std::make_unique<Connection>(*this, number, std::move(accepted)));
    }
}

std::uint64_t TcpServer::way_back() noexcept {
    ++asking_->awaited;
    return asking_->number;
}

void TcpServer::reply_later(std::uint64_t connection, std::span<const std::uint8_t> reply,
                            bool is_last, std::function<void(bool)> written) {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) {
        if (written) written(false);
        return;
    }
    if (written) found->second->writers.push_back(std::move(written));
    found->second->reply_later(reply, is_last);
}

void TcpServer::close(std::uint64_t connection) {
    const auto found = connections_.find(connection);
    const auto client = per_client_.find(found->second->client);
    if (--client->second == 0) per_client_.erase(client);
    const auto writers = std::move(found->second->writers);
    connections_.erase(found);
    for (const auto& written : writers) written(false);
}

void TcpServer::close_idle() {
    std::vector<std::uint64_t> idle;
    for (const auto& [number, connection] : connections_) {
        if (loop_.now() - connection->active >= limits_.idle_timeout) idle.push_back(number);
    }
    counters_.idle_closed.add(idle.size());
    for (const std::uint64_t number : idle) close(number);
}

}  // namespace dnsd::nameserver
