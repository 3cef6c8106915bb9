// One thread that answers queries.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "base/io/mailbox.h"
#include "base/io/udp.h"
#include "base/snapshot.h"
#include "dnsd/nameserver/answer.h"
#include "dnsd/nameserver/handover.h"
#include "dnsd/nameserver/tcp_server.h"
#include "zone/tree/look_ahead.h"
#include "zone/wire/message.h"
#include "zone/wire/tsig.h"

namespace dnsd::nameserver {

struct WorkerCounters {
    AnswerCounters udp_answers, tcp_answers;
    io::UdpCounters udp;
    TcpCounters tcp;
    Counter waiting_refused;  // too many queries wait for others' answers
    Counter tsig_failures;    // messages that are signed, and not believed
    Counter handed_over;
    Counter handover_refused;  // too many wait already
};

// Made and stopped by the thread that owns the server.
class Worker {
  public:
    // `query_log_sample`: one query in so many is logged; 0: none. `recursion` and `handover` may
    // be null.
    Worker(const AnswerOptions& options, std::uint64_t query_log_sample, TcpLimits tcp,
           const Snapshot<tree::ZoneSet>& zones, Recursion* recursion, Handover* handover,
           const Snapshot<wire::Keyring>& keys, const Snapshot<CookieSecrets>& cookies,
           const RateLimits& rates, std::function<Milliseconds()> silent_for, const Clock& clock,
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
    void look_ahead(std::span<const std::span<const std::uint8_t>> queries) noexcept;
    using TcpWay = std::uint64_t;  // a connection
    using UdpWay = std::pair<io::UdpResponder*, io::UdpReturn>;
    using WayBack = std::variant<TcpWay, UdpWay>;
    using Session = std::optional<wire::TsigSession>;  // of a message that is signed, and believed
    // A query that waits for what others know.
    struct Waiting {
        std::vector<std::uint8_t> query;
        SocketAddress client;
        WayBack way_back;
        Session session;
        std::vector<Resolved> resolved;
    };
    // What others hold of us, and outlives us.
    struct Door;
    class HandedOverWay;

    // One message, and where it came from.
    struct Received {
        Transport transport;
        std::span<const std::uint8_t> octets;
        const SocketAddress& client;
        std::optional<wire::QuestionGlance> question;
        std::optional<tree::LookAhead::Found> ahead = {};
    };

    AnswerContext context_for(Transport transport, const SocketAddress& client,
                              std::span<const Resolved> resolved, const Session& session);
    // All three: 0: silence, or the reply comes later; `way_back` is asked where to.
    template <class AskWayBack>
    std::size_t answer_any(const Received& message, std::span<std::uint8_t> reply,
                           AskWayBack&& way_back);
    template <class AskWayBack>
    std::size_t answer_query(const Received& query, std::span<std::uint8_t> reply,
                             AskWayBack&& way_back, Session session);
    template <class AskWayBack>
    std::size_t hand_over(const Received& message, std::span<std::uint8_t> reply,
                          AskWayBack&& way_back, Session session);
    void end_handed_over(const IpAddress& client);
    // A reply without records.
    std::size_t say(wire::Rcode rcode, const Received& message, std::span<std::uint8_t> reply);
    std::size_t disbelieve(const wire::TsigFailure& failure, const Received& message,
                           std::span<std::uint8_t> reply);
    // The octets of the reply with its TSIG RR, if there is a session.
    std::size_t sign(Session& session, std::span<std::uint8_t> reply, std::size_t octets);
    void resolve(std::uint64_t ticket, const wire::RecursiveQuestion& question);
    void go_on(std::uint64_t ticket, Resolved resolved);
    void log_sampled(Transport transport, std::span<const std::uint8_t> query,
                     const SocketAddress& client, std::span<const std::uint8_t> reply);

    const AnswerOptions& options_;
    const std::uint64_t query_log_sample_;
    std::uint64_t since_logged_ = 0;
    Recursion* const recursion_;
    Handover* const handover_;
    const std::function<Milliseconds()> asks_silence_;
    Milliseconds silent_for_{0};  // of the batch under way
    const Clock& clock_;
    WorkerCounters counters_;
    SnapshotView<tree::ZoneSet> view_;
    const tree::ZoneSet* zones_ = nullptr;  // of the batch under way
    SnapshotView<wire::Keyring> keys_;
    SnapshotView<CookieSecrets> cookies_;
    const CookieSecrets* secrets_ = nullptr;  // of the batch under way
    std::optional<RateLimiter> rates_;        // nothing: no limits
    // For the queries of the batch under way, in their order.
    std::array<std::optional<wire::QuestionGlance>, tree::LookAhead::names_max> glances_;
    tree::LookAhead ahead_;
    std::size_t ahead_used_ = 0;
    WallTime now_{};
    Random random_ = seeded_by_machine();
    std::map<std::uint64_t, Waiting> waiting_;  // by ticket
    std::uint64_t last_ticket_ = 0;
    std::size_t handed_over_ = 0;  // messages that wait for their last reply
    std::map<IpAddress, std::size_t> handed_over_by_;
    std::vector<std::uint8_t> late_reply_;
    io::Loop loop_;
    io::Mailbox mailbox_;
    TcpServer tcp_;
    std::vector<std::unique_ptr<io::UdpResponder>> udp_;
    std::shared_ptr<Door> door_;
    std::thread thread_;
};

}  // namespace dnsd::nameserver
