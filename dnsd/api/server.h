// The HTTP API: REST, blocking reads, the watch stream, metrics. One thread with a loop of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"
#include "dnsd/api/handlers.h"

namespace dnsd::api {

// Belongs to one thread.
class Server {
  public:
    struct Options {
        std::vector<SocketAddress> listen;      // port 0 takes a free one
        std::string tokens_file;                // empty: nobody is asked for a token
        std::string tls_certificate_file = {};  // empty: plain HTTP
        std::string tls_key_file = {};
        bool metrics_open = false;
        unsigned connections_max = 20'000;
        unsigned connections_per_client_max = 20'000;
        std::size_t body_octets_max = 4 * 1024 * 1024;
        std::size_t zone_octets_max = 64 * 1024 * 1024;  // of a body that is a zone file
        Milliseconds idle_timeout{60'000};
    };

    // Binds; answers nothing before start(). What `surroundings` names and `clock` must outlive it.
    // The registry's on_published becomes its own.
    static Result<std::unique_ptr<Server>> open(Options options, Surroundings surroundings,
                                                const Clock& clock);
    virtual ~Server() = default;  // stops

    virtual void start() = 0;
    // Takes no more connections, answers what was submitted, lets go who waits; then ends.
    virtual void stop() = 0;
    virtual const std::vector<SocketAddress>& addresses() const noexcept = 0;
    // Reads the files of `options` again, and takes over nothing else of them. A bad file changes
    // nothing; whether TLS is spoken stays as it was. For the thread that called start().
    virtual Result<> reload(const Options& options) = 0;
};

}  // namespace dnsd::api
