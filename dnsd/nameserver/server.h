// DNS over UDP and TCP: one worker thread per core, each with a loop and sockets of its own, all
// answering from the zones that were published last.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/snapshot.h"
#include "dnsd/nameserver/answer.h"
#include "dnsd/nameserver/handover.h"
#include "dnsd/nameserver/tcp_server.h"
#include "zone/tree/zone_set.h"
#include "zone/wire/tsig.h"

namespace dnsd::nameserver {

// Belongs to one thread, but for metrics().
class Server {
  public:
    struct Options {
        std::vector<SocketAddress>
            listen;  // port 0: all workers, UDP and TCP, share the number the first one got
        unsigned workers = 0;  // 0: one per core
        AnswerOptions answer;
        std::uint64_t query_log_sample = 0;  // one query in so many is logged; 0: none
        TcpLimits tcp;                       // of all workers together
        // Newest first, at most CookieSecrets::secrets_max; empty: one is drawn.
        std::vector<CookieSecrets::Secret> cookie_secrets = {};
        RateLimits rates = {};  // of each worker
        // Asked once for each batch of queries, by all workers; empty: 0.
        std::function<Milliseconds()> silent_for = {};
    };

    // Binds; answers nothing before start(). `zones`, `recursion`, `handover`, `keys` and `clock`
    // must live until it is stopped; what `recursion` was asked must have ended before it is
    // destroyed. `recursion` may be null: names outside our zones are refused. So may `handover`:
    // transfers are refused, NOTIFY and UPDATE not implemented. `keys`: who may sign messages.
    static Result<std::unique_ptr<Server>> open(Options options,
                                                const Snapshot<tree::ZoneSet>& zones,
                                                Recursion* recursion, Handover* handover,
                                                const Snapshot<wire::Keyring>& keys,
                                                const Clock& clock);
    virtual ~Server() = default;  // stops

    virtual void start() = 0;
    virtual void stop() = 0;  // what was received is answered; then the workers end
    virtual const std::vector<SocketAddress>& addresses() const noexcept = 0;
    virtual std::vector<Metric> metrics() const = 0;  // any thread
    // Cookies are made from the first of these from now on; empty: nothing changes.
    virtual void set_cookie_secrets(std::vector<CookieSecrets::Secret> newest_first) = 0;
};

}  // namespace dnsd::nameserver
