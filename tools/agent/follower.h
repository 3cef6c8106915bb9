// Follows /v1/watch of one of several dnsd: reconnects, resumes, and believes no stream that
// contradicts itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/http/client.h"
#include "base/http/event_stream.h"
#include "base/io/loop.h"
#include "base/random.h"
#include "tools/agent/news.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class Follower {
  public:
    struct Options {
        std::vector<std::string> centres;  // "http://192.0.2.53:8053"; not empty
        std::string namespace_name;        // empty: all
        std::string token_file;            // empty: no token
        std::string ca_file;               // PEM: the roots for https; empty: the system's
        Milliseconds reconnect_max, silence_max;
    };
    struct Listener {
        std::function<void(const Change&)> changed;
        // What was told before does not lead here: nothing that was kept can be believed.
        std::function<void(const Snapshot&)> start_over;
        // The stream contradicts itself; a snapshot follows on another connection.
        std::function<void()> doubted;
        std::function<void()> resumed;  // connected, without a snapshot
    };

    // `revision`: the last that was seen, if any.
    Follower(io::Loop& loop, http::Client& client, Options options, Listener listener,
             std::optional<std::uint64_t> revision, Random random);

    // The one that is followed, or was last, and how requests to it are made.
    http::Request request(std::string_view path) const;
    std::optional<std::uint64_t> revision() const noexcept { return revision_; }

    struct Counts {
        std::uint64_t changes = 0, connections = 0, snapshots = 0, doubts = 0;
    };
    const Counts& counts() const noexcept { return counts_; }

  private:
    void connect();
    bool read(std::string_view octets);
    void take(const http::ServerSentEvent& event);
    void take_change(const std::string& data);
    void take_snapshot(const std::string& data);
    void doubt(const std::string& reason);
    void heard();
    void lost(const std::string& reason);
    std::string token() const;

    io::Loop& loop_;
    http::Client& client_;
    const Options options_;
    const Listener listener_;
    Random random_;

    std::size_t centre_ = 0;
    std::optional<std::uint64_t> revision_;
    std::uint64_t request_ = 0;  // under way; 0: none
    std::unique_ptr<http::EventStream> stream_;
    bool greeted_ = false;   // this connection has said something that an event stream says
    bool doubted_ = false;   // this connection is read no more
    std::string head_;       // of a refusal
    std::string last_loss_;  // logged once, until it is another
    Milliseconds back_off_;
    Counts counts_;
    io::Timer reconnect_, silence_;
};

}  // namespace dnsd::agent
