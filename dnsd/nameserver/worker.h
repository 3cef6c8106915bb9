// One thread that answers queries.
#pragma once

#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/io/mailbox.h"
#include "base/io/udp.h"
#include "base/snapshot.h"
#include "dnsd/nameserver/answer.h"
#include "dnsd/nameserver/tcp_server.h"

namespace dnsd::nameserver {

struct WorkerCounters {
    AnswerCounters udp_answers, tcp_answers;
    io::UdpCounters udp;
    TcpCounters tcp;
    Counter waiting_refused;  // too many queries wait for others' answers
};

// Made and stopped by the thread that owns the server.
class Worker {
  public:
    // `query_log_sample`: one query in so many is logged; 0: none. `recursion` may be null.
    Worker(const AnswerOptions& options, std::uint64_t query_log_sample, TcpLimits tcp,
           const Snapshot<tree::ZoneSet>& zones, Recursion* recursion,
           std::function<Milliseconds()> silent_for, const Clock& clock,
           std::vector<io::UdpSocket> udp, std::vector<io::Descriptor> tcp_listeners);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    void stop();
    const WorkerCounters& counters() const noexcept { return counters_; }  // any thread

  private:
    // After a batch was received, and before it is answered: else an acknowledged change could be
    // missed.
    void look_up_to_date();
    using TcpWay = std::uint64_t;  // a connection
    using UdpWay = std::pair<io::UdpResponder*, io::UdpReturn>;
    // A query that waits for what others know.
    struct Waiting {
        std::vector<std::uint8_t> query;
        SocketAddress client;
        std::variant<TcpWay, UdpWay> way_back;
        std::vector<Resolved> resolved;
    };

    AnswerContext context_for(Transport transport, const SocketAddress& client,
                              std::span<const Resolved> resolved);
    // 0: silence, or the reply comes later; `way_back` is asked where to.
    template <class WayBack>
    std::size_t answer_with(Transport transport, std::span<const std::uint8_t> query,
                            const SocketAddress& client, std::span<std::uint8_t> reply,
                            WayBack&& way_back);
    void resolve(std::uint64_t ticket, const wire::RecursiveQuestion& question);
    void go_on(std::uint64_t ticket, Resolved resolved);
    void log_sampled(Transport transport, std::span<const std::uint8_t> query,
                     const SocketAddress& client, std::span<const std::uint8_t> reply);

    const AnswerOptions& options_;
    const std::uint64_t query_log_sample_;
    std::uint64_t since_logged_ = 0;
    Recursion* const recursion_;
    const std::function<Milliseconds()> asks_silence_;
    Milliseconds silent_for_{0};  // of the batch under way
    const Clock& clock_;
    WorkerCounters counters_;
    SnapshotView<tree::ZoneSet> view_;
    const tree::ZoneSet* zones_ = nullptr;  // of the batch under way
    WallTime now_{};
    Random random_ = seeded_by_machine();
    std::map<std::uint64_t, Waiting> waiting_;  // by ticket
    std::uint64_t last_ticket_ = 0;
    std::vector<std::uint8_t> late_reply_;
    io::Loop loop_;
    io::Mailbox mailbox_;
    TcpServer tcp_;
    std::vector<std::unique_ptr<io::UdpResponder>> udp_;
    std::thread thread_;
};

}  // namespace dnsd::nameserver
