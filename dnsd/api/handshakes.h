// TLS handshakes under way. libmicrohttpd 0.9.75 asks a handshake that waits for its client again
// and again, without a pause: whoever sent half a ClientHello would have a core of ours. So a
// connection is suspended until its socket is ready, as long as its handshake is not done.
#pragma once

#include <microhttpd.h>

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/io/loop.h"

struct gnutls_session_int;

namespace dnsd::api {

// Belongs to its loop's thread, but for failed().
class Handshakes {
  public:
    // `resumed` is called when libmicrohttpd has to run again.
    Handshakes(io::Loop& loop, Milliseconds timeout, std::function<void()> resumed);

    // It was accepted just now.
    void begin(MHD_Connection* connection, gnutls_session_int* session, int descriptor);
    void done(MHD_Connection* connection);  // a request came over it
    void end(MHD_Connection* connection);   // it is closed
    // Suspends those that are not done. REQUIRES: libmicrohttpd is not running, but just was.
    void suspend();
    // Gives up those that take too long. To be called every now and then.
    void look();
    // Gives all back to libmicrohttpd, which is not stopped with suspended connections.
    void resume_all();

    std::uint64_t failed() const noexcept { return failed_.value(); }  // any thread

  private:
    struct Handshake {
        gnutls_session_int* session = nullptr;
        int descriptor = -1;
        SteadyTime deadline{};
        bool was_looked_at = false;     // its first octet
        std::optional<io::Poll> waits;  // while it is suspended
    };

    void ready(MHD_Connection* connection);
    void resume(MHD_Connection* connection, Handshake& handshake);

    io::Loop& loop_;
    Milliseconds timeout_;
    std::function<void()> resumed_;
    std::unordered_map<MHD_Connection*, Handshake> all_;
    std::vector<MHD_Connection*> running_;  // those that are not suspended; some may have ended
    Counter failed_;
};

}  // namespace dnsd::api
