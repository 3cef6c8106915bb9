// HTTP requests on our loop: libcurl's multi interface, its sockets and timer watched by the loop.
// For what probes and followers need; proxies of the environment are ignored.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "base/result.h"

namespace dnsd::http {

struct Request {
    std::string method = "GET";
    std::string url;
    std::vector<std::string> headers;  // "Name: value"
    std::string token;                 // not empty: "Authorization: Bearer" carries it (RFC 6750)
    std::string body;
    Milliseconds timeout{30'000};  // of all of it; 0: none
    std::optional<Milliseconds> connect_timeout;
    std::optional<SocketAddress> connect_to;  // instead of where the URL's host resolves to
    bool verify_tls = true;
    std::string ca_file;  // PEM; whose roots alone count, instead of the system's
    // What whoever runs us calls ca_file, as in "--ca": complaints about certificates name it.
    std::string ca_option;
    bool http2 = false;  // at once, without TLS and without an upgrade (RFC 9113 §3.3)
    // Closed with a reset, so that no TIME_WAIT is left behind.
    bool closes_with_reset = false;
    std::size_t body_octets_max = 64 * 1024 * 1024;
    // Given the body as it comes, instead of Response::body; false: it has seen enough, and the
    // request ends well.
    std::function<bool(std::string_view octets)> on_body;
    // Given each header as it comes, and each trailer; where all of it comes at once, trailers may
    // be told before the body's end.
    std::function<void(std::string_view name, std::string_view value, bool is_trailer)> on_header;
};

struct Response {
    int status = 0;
    std::string body;
};

// Belongs to its loop's thread.
class Client {
  public:
    using Done = std::function<void(Result<Response>)>;

    explicit Client(io::Loop& loop);
    ~Client();  // requests under way end without a word
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // `done` is called once, from the loop, unless the request is cancelled first. May be called
    // from inside `done` and `on_body`.
    std::uint64_t send(Request request, Done done);
    void cancel(std::uint64_t number);  // nothing happens if it has ended

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// For programs that do one thing at a time: a loop of its own until the reply is there.
Result<Response> fetch(Request request);

}  // namespace dnsd::http
