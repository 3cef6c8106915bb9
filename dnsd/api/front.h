// HTTP/1.1 on our loop, plain or over TLS: libmicrohttpd, whose own epoll descriptor the loop
// watches. Requests come out as exchanges; who cannot answer at once keeps the exchange, and the
// client waits suspended.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/io/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "dnsd/api/certificate.h"
#include "dnsd/api/exchange.h"

namespace dnsd::api {

// Belongs to its loop's thread, but for metrics(); made before the loop runs.
class Front {
  public:
    struct Limits {
        unsigned connections_max = 20'000;
        unsigned connections_per_client_max = 20'000;
        // Asked once its head is there.
        std::function<std::size_t(const Request&)> body_octets_max;
        Milliseconds idle_timeout{60'000};
    };
    using Handler = std::function<void(std::shared_ptr<Exchange>)>;

    // Without a certificate it speaks plain HTTP.
    static Result<std::unique_ptr<Front>> open(io::Loop& loop, std::vector<SocketAddress> listen,
                                               Limits limits,
                                               std::shared_ptr<const Certificate> certificate,
                                               Handler handler);
    virtual ~Front() = default;  // closes what is open, answered or not

    // What new connections are shown. REQUIRES: it was opened with one.
    virtual void set_certificate(std::shared_ptr<const Certificate> certificate) = 0;
    virtual const std::vector<SocketAddress>& addresses() const noexcept = 0;
    virtual void stop_listening() = 0;
    virtual std::size_t under_way() const noexcept = 0;  // exchanges, answers being sent included
    virtual std::vector<Metric> metrics() const = 0;     // any thread
};

}  // namespace dnsd::api
