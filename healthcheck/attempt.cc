#include "healthcheck/attempt.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/io/tcp.h"
#include "base/log.h"
#include "base/text.h"
#include "healthcheck/grpc_answer.h"
#include "healthcheck/http_answer.h"

namespace dnsd::health {

namespace {

constexpr std::size_t read_octets = 16 * 1024;

std::string words_of(int error) { return lower_cased(std::strerror(error)); }

std::string host_of(const Target& target) {
    if (!target.host.empty()) return target.host;
    return target.address.print();
}

Expectation expectation_of(const Target& target) {
    return {target.expected_status_least, target.expected_status_most, target.body_substring};
}

// tcp: the connection stands. http: and the answer is as expected. A plain socket, since libcurl
// takes ten times as long and thousands of these are under way.
class SocketAttempt final : public Attempt {
  public:
    SocketAttempt(io::Loop& loop, const Target& target, Done done)
        : is_http_(target.kind == Target::Kind::Http), done_(std::move(done)) {
        if (is_http_) {
            answer_.emplace(expectation_of(target));
            unsent_ = fmt::format(
                "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: dnsd\r\n"
                "Accept: */*\r\nConnection: close\r\n\r\n",
                target.path, host_of(target));
        }
        const int error = connect(target.address);
        if (error != 0) {
            late_.emplace(loop, [this, error] { finish({false, words_of(error)}); });
            late_->start(Milliseconds(0));
            return;
        }
        poll_.emplace(loop, socket_.number(), [this](unsigned) { go_on(); });
        poll_->watch(io::Poll::Writable);
    }
    ~SocketAttempt() override { poll_.reset(); }  // before the descriptor

    bool is_connected() const noexcept override { return connected_; }

  private:
    // Zero while it is under way.
    int connect(const SocketAddress& address) {
        sockaddr_storage storage{};
        const socklen_t size = address.to(storage);
        socket_ = io::Descriptor(
            ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (socket_.number() < 0) return errno;
        // Closed with a reset: thousands of probes a minute would fill the ports with TIME_WAIT.
        const linger at_once{1, 0};
        setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        const auto* to = reinterpret_cast<const sockaddr*>(&storage);
        if (::connect(socket_.number(), to, size) != 0 && errno != EINPROGRESS) return errno;
        return 0;
    }

    void go_on() {
        if (!connected_) {
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(socket_.number(), SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) return finish({false, words_of(error)});
            connected_ = true;
            if (!is_http_) return finish({true, "connected"});
        }
        if (!unsent_.empty()) {
            const ssize_t sent =
                send(socket_.number(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EAGAIN || errno == EINTR) return;
                return finish({false, words_of(errno)});
            }
            unsent_.erase(0, static_cast<std::size_t>(sent));
            if (!unsent_.empty()) return;
            poll_->watch(io::Poll::Readable);
            return;
        }
        char octets[read_octets];
        const ssize_t got = recv(socket_.number(), octets, sizeof octets, 0);
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            return finish({false, words_of(errno)});
        }
        if (auto judged = answer_->read({octets, static_cast<std::size_t>(got)}))
            finish({judged->success, std::move(judged->outcome)});
    }

    void finish(Outcome outcome) {
        if (poll_) poll_->watch(0);
        const Done done = std::move(done_);
        done(std::move(outcome));  // may destroy us
    }

    bool is_http_;
    Done done_;
    std::string unsent_;
    std::optional<HttpAnswer> answer_;
    io::Descriptor socket_;
    std::optional<io::Poll> poll_;
    std::optional<io::Timer> late_;  // tells of a connect that failed at once
    bool connected_ = false;
};

// What libcurl is to ask.
http::Request request_for(const Target& target, std::string_view scheme, std::string_view path) {
    http::Request request;
    // The URL's host is what SNI and the certificate's name are about.
    std::string host = target.host.empty() ? target.address.print() : target.host;
    if (!target.host.empty() && target.host.find(':') == std::string::npos)
        host += fmt::format(":{}", target.address.port);
    request.url = fmt::format("{}://{}{}", scheme, host, path);
    request.headers = {fmt::format("Host: {}", host_of(target)), "User-Agent: dnsd"};
    request.connect_to = target.address;
    request.timeout = target.timeout;
    request.connect_timeout = target.connect_timeout;
    request.verify_tls = target.verify_tls;
    request.closes_with_reset = true;
    return request;
}

class HttpsAttempt final : public Attempt {
  public:
    HttpsAttempt(http::Client& client, const Target& target, Done done)
        : client_(client), expectation_(expectation_of(target)), done_(std::move(done)) {
        http::Request request = request_for(target, "https", target.path);
        // All that is read of a body is its beginning; the rest is none of our business.
        request.on_body = [this](std::string_view octets) {
            body_.append(octets.substr(0, HttpAnswer::body_octets_max - body_.size()));
            return body_.size() < HttpAnswer::body_octets_max &&
                   !expectation_.body_substring.empty();
        };
        number_ = client_.send(std::move(request), [this](Result<http::Response> response) {
            number_ = 0;
            const Done told = std::move(done_);
            told(judge(response));  // may destroy us
        });
    }
    ~HttpsAttempt() override {
        if (number_ != 0) client_.cancel(number_);
    }

    bool is_connected() const noexcept override { return true; }  // libcurl keeps that timeout

  private:
    Outcome judge(const Result<http::Response>& response) const {
        if (!response) return {false, lower_cased(response.error().message)};
        const int status = response->status;
        if (status < expectation_.status_least || status > expectation_.status_most)
            return {false, fmt::format("status {}", status)};
        if (body_.find(expectation_.body_substring) == body_.npos)
            return {false, fmt::format("status {}, the body lacks {}", status,
                                       log::quoted(expectation_.body_substring))};
        return {true, fmt::format("{}", status)};
    }

    http::Client& client_;
    Expectation expectation_;
    Done done_;
    std::string body_;
    std::uint64_t number_ = 0;
};

// One unary call over HTTP/2 without TLS.
class GrpcAttempt final : public Attempt {
  public:
    GrpcAttempt(http::Client& client, const Target& target, Done done)
        : client_(client), done_(std::move(done)) {
        http::Request request = request_for(target, "http", grpc_check_path);
        request.http2 = true;
        request.method = "POST";
        request.headers.insert(request.headers.end(),
                               {"Content-Type: application/grpc", "TE: trailers"});
        request.body = encode_grpc_request(target.grpc_service);
        request.on_header = [this](std::string_view name, std::string_view value, bool trailer) {
            answer_.read_header(name, value, trailer);
        };
        request.on_body = [this](std::string_view octets) { return answer_.read_body(octets); };
        number_ = client_.send(std::move(request), [this](Result<http::Response> response) {
            number_ = 0;
            const Done told = std::move(done_);
            told(judge(response));  // may destroy us
        });
    }
    ~GrpcAttempt() override {
        if (number_ != 0) client_.cancel(number_);
    }

    bool is_connected() const noexcept override { return true; }  // libcurl keeps that timeout

  private:
    Outcome judge(const Result<http::Response>& response) const {
        if (!response) return {false, lower_cased(response.error().message)};
        auto judged = answer_.judge(response->status);
        return {judged.success, std::move(judged.outcome)};
    }

    http::Client& client_;
    Done done_;
    GrpcAnswer answer_;
    std::uint64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Attempt> Attempt::start(io::Loop& loop, http::Client& client, const Target& target,
                                        Done done) {
    if (target.kind == Target::Kind::Https)
        return std::make_unique<HttpsAttempt>(client, target, std::move(done));
    if (target.kind == Target::Kind::Grpc)
        return std::make_unique<GrpcAttempt>(client, target, std::move(done));
    return std::make_unique<SocketAttempt>(loop, target, std::move(done));
}

}  // namespace dnsd::health
