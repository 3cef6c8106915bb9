#include "tools/failover-lab/rig/instance.h"

#include <fmt/format.h>
#include <http_parser.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/io/handle.h"
#include "base/io/loop.h"
#include "base/io/tcp.h"
#include "base/text.h"

namespace dnsd::lab {
namespace {

struct Manners {
    std::string name;
    int health = 200, requests = 200;
    double delay = 0;  // seconds, of every answer
};

// One client's connection: requests one after the other, pipelined ones too.
class Connection {
  public:
    Connection(io::Loop& loop, io::Descriptor socket, const Manners& manners,
               std::function<void()> on_end)
        : loop_(loop),
          socket_(std::move(socket)),
          manners_(manners),
          on_end_(std::move(on_end)),
          poll_(loop, socket_.number(), [this](unsigned) { read(); }) {
        http_parser_init(&parser_, HTTP_REQUEST);
        parser_.data = this;
        poll_.watch(io::Poll::Readable);
    }

  private:
    static const http_parser_settings& settings() {
        static const http_parser_settings table = [] {
            http_parser_settings made;
            http_parser_settings_init(&made);
            made.on_message_begin = [](http_parser* parser) {
                static_cast<Connection*>(parser->data)->target_.clear();
                return 0;
            };
            made.on_url = [](http_parser* parser, const char* at, std::size_t octets) {
                static_cast<Connection*>(parser->data)->target_.append(at, octets);
                return 0;
            };
            made.on_message_complete = [](http_parser* parser) {
                static_cast<Connection*>(parser->data)->answer();
                return 0;
            };
            return made;
        }();
        return table;
    }

    void read() {
        std::array<char, 16384> octets;
        const auto got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) return io::call(on_end_);
        const auto size = static_cast<std::size_t>(got);
        if (http_parser_execute(&parser_, &settings(), octets.data(), size) != size) ends_ = true;
        if (ends_ && delayed_.empty()) io::call(on_end_);
    }

    void answer() {
        constexpr std::string_view health = "/health";
        const bool is_probe = target_.starts_with(health);
        if (is_probe) {
            const auto by = target_.find("by=");
            std::printf(
                "probe %s %lld\n", by == std::string::npos ? "unknown" : target_.c_str() + by + 3,
                static_cast<long long>(machine_clock().steady().time_since_epoch().count()));
            std::fflush(stdout);
        }
        const int status = is_probe ? manners_.health : manners_.requests;
        const bool keep = http_should_keep_alive(&parser_) != 0;
        ends_ = ends_ || !keep;
        const std::string reply = fmt::format(
            "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
            "Connection: {}\r\n\r\n{}",
            status, status == 200 ? "OK" : "Unavailable", manners_.name.size(),
            keep ? "keep-alive" : "close", manners_.name);
        if (manners_.delay <= 0) return send(reply);
        auto timer = std::make_unique<io::Timer>(loop_, [this, reply] {
            send(reply);
            delayed_.erase(delayed_.begin());
            if (ends_ && delayed_.empty()) io::call(on_end_);
        });
        timer->start(Milliseconds(static_cast<int>(manners_.delay * 1000)));
        delayed_.push_back(std::move(timer));
    }

    // An answer is small, and the client waits for it: the socket's buffer takes it.
    void send(const std::string& reply) {
        if (::send(socket_.number(), reply.data(), reply.size(), MSG_NOSIGNAL) < 0) ends_ = true;
    }

    io::Loop& loop_;
    io::Descriptor socket_;
    const Manners& manners_;
    std::function<void()> on_end_;
    http_parser parser_;
    std::string target_;
    bool ends_ = false;
    std::vector<std::unique_ptr<io::Timer>> delayed_;
    io::Poll poll_;
};

class Instance {
  public:
    Instance(io::Loop& loop, io::Descriptor listener, std::string name)
        : loop_(loop),
          listener_(std::move(listener)),
          accept_(loop, listener_.number(), [this](unsigned) { accept(); }),
          orders_(loop, STDIN_FILENO, [this](unsigned) { read_orders(); }) {
        manners_.name = std::move(name);
        accept_.watch(io::Poll::Readable);
        orders_.watch(io::Poll::Readable);
    }

  private:
    void accept() {
        while (true) {
            io::Accepted accepted = io::accept_tcp(listener_);
            if (accepted.descriptor.number() < 0) return;
            const int number = accepted.descriptor.number();
            connections_[number] =
                std::make_unique<Connection>(loop_, std::move(accepted.descriptor), manners_,
                                             [this, number] { connections_.erase(number); });
        }
    }

    void read_orders() {
        std::array<char, 4096> octets;
        const auto got = ::read(STDIN_FILENO, octets.data(), octets.size());
        if (got <= 0) return loop_.stop();
        pending_.append(octets.data(), static_cast<std::size_t>(got));
        for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;
             pending_.erase(0, end + 1)) {
            obey(std::string_view(pending_).substr(0, end));
        }
    }

    void obey(std::string_view order) {
        const auto words = split(order, ' ');
        if (words.size() != 2) return;
        const std::string value(words[1]);
        if (words[0] == "health") manners_.health = std::atoi(value.c_str());
        if (words[0] == "requests") manners_.requests = std::atoi(value.c_str());
        if (words[0] == "delay") manners_.delay = std::strtod(value.c_str(), nullptr);
    }

    io::Loop& loop_;
    Manners manners_;
    std::map<int, std::unique_ptr<Connection>> connections_;
    io::Descriptor listener_;
    std::string pending_;
    io::Poll accept_, orders_;
};

}  // namespace

Result<> serve_instance(const std::string& address, std::uint16_t port, const std::string& name) {
    const auto parsed = SocketAddress::parse(fmt::format("{}:{}", address, port));
    if (!parsed) return fail(fmt::format("'{}' is no address", address));
    auto listener = io::listen_tcp(*parsed, false);
    if (!listener) return std::unexpected(listener.error());
    io::Loop loop;
    const Instance instance(loop, std::move(*listener), name);
    std::puts("ready");
    std::fflush(stdout);
    loop.run();
    return {};
}

}  // namespace dnsd::lab
