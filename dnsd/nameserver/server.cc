#include "dnsd/nameserver/server.h"

#include <algorithm>
#include <thread>

#include "dnsd/nameserver/worker.h"

namespace dnsd::nameserver {

namespace {

// How often a free UDP port is tried whose TCP twin turns out to be taken.
constexpr int free_port_tries = 16;

// The sockets of all workers at one address.
struct Sockets {
    std::vector<io::UdpSocket> udp;
    std::vector<io::Descriptor> tcp;
};

// SO_REUSEPORT would let a second server in: the first pair is bound without it, to see that nobody
// else is there, and then again.
Result<Sockets> bind_at(SocketAddress& address, unsigned workers) {
    {
        const auto udp = io::UdpSocket::bind(address, false);
        if (!udp) return std::unexpected(udp.error());
        SocketAddress bound = udp->address();
        const auto tcp = io::listen_tcp(bound, false);
        if (!tcp) return std::unexpected(tcp.error());
        address = bound;
    }
    Sockets sockets;
    for (unsigned i = 0; i < workers; ++i) {
        auto udp = io::UdpSocket::bind(address, true);
        if (!udp) return std::unexpected(udp.error());
        auto tcp = io::listen_tcp(address, true);
        if (!tcp) return std::unexpected(tcp.error());
        sockets.udp.push_back(*std::move(udp));
        sockets.tcp.push_back(*std::move(tcp));
    }
    return sockets;
}

Result<Sockets> bind_somewhere(SocketAddress& address, unsigned workers) {
    const bool any_port = address.port == 0;
    for (int tries = 1;; ++tries) {
        auto sockets = bind_at(address, workers);
        if (sockets) return sockets;
        if (!any_port || tries == free_port_tries)
            return in_context("listen for DNS", std::move(sockets.error()));
        address.port = 0;
    }
}

class ServerImpl final : public Server {
  public:
    ServerImpl(Options options, const Snapshot<tree::ZoneSet>& zones, Recursion* recursion,
               Handover* handover, const Snapshot<wire::Keyring>& keys, const Clock& clock)
        : options_(std::move(options)),
          zones_(zones),
          recursion_(recursion),
          handover_(handover),
          keys_(keys),
          clock_(clock),
          cookies_(std::make_shared<const CookieSecrets>(options_.cookie_secrets.empty()
                                                             ? std::vector{drawn_key()}
                                                             : options_.cookie_secrets)) {}
    ~ServerImpl() override { stop(); }

    Result<> bind() {
        const unsigned count = options_.workers != 0
                                   ? options_.workers
                                   : std::max(1U, std::thread::hardware_concurrency());
        std::vector<Sockets> of_worker(count);
        for (SocketAddress address : options_.listen) {
            auto sockets = bind_somewhere(address, count);
            if (!sockets) return std::unexpected(sockets.error());
            for (unsigned i = 0; i < count; ++i) {
                of_worker[i].udp.push_back(std::move(sockets->udp[i]));
                of_worker[i].tcp.push_back(std::move(sockets->tcp[i]));
            }
            addresses_.push_back(address);
        }
        TcpLimits tcp = options_.tcp;
        tcp.connections_max = std::max<std::size_t>(1, tcp.connections_max / count);
        tcp.connections_per_client_max =
            std::max<std::size_t>(1, tcp.connections_per_client_max / count);
        for (Sockets& sockets : of_worker) {
            workers_.push_back(std::make_unique<Worker>(
                options_.answer, options_.query_log_sample, tcp, zones_, recursion_, handover_,
                keys_, cookies_, options_.rates, options_.silent_for, clock_,
                std::move(sockets.udp), std::move(sockets.tcp)));
        }
        return {};
    }

    void start() override {
        for (const auto& worker : workers_) worker->start();
    }
    void stop() override {
        for (const auto& worker : workers_) worker->stop();
    }
    const std::vector<SocketAddress>& addresses() const noexcept override { return addresses_; }
    std::vector<Metric> metrics() const override;
    void set_cookie_secrets(std::vector<CookieSecrets::Secret> newest_first) override {
        if (newest_first.empty()) return;
        cookies_.publish(std::make_shared<const CookieSecrets>(std::move(newest_first)));
    }

  private:
    Options options_;
    const Snapshot<tree::ZoneSet>& zones_;
    Recursion* const recursion_;
    Handover* const handover_;
    const Snapshot<wire::Keyring>& keys_;
    const Clock& clock_;
    Snapshot<CookieSecrets> cookies_;
    std::vector<SocketAddress> addresses_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

struct Row {
    const char* name;
    const char* help;
    const char* transport;
    std::uint64_t (*value)(const WorkerCounters&);
};

constexpr Row rows[] = {
    {"dnsd_dns_queries_total", "Queries answered.", "udp",
     [](const auto& c) { return c.udp_answers.queries.value(); }},
    {"dnsd_dns_queries_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.queries.value(); }},
    {"dnsd_dns_malformed_total", "Queries answered FORMERR because they could not be read.", "udp",
     [](const auto& c) { return c.udp_answers.malformed.value(); }},
    {"dnsd_dns_malformed_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.malformed.value(); }},
    {"dnsd_dns_silent_total", "Messages that get no answer: too short, or responses themselves.",
     "udp", [](const auto& c) { return c.udp_answers.silent.value(); }},
    {"dnsd_dns_silent_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.silent.value(); }},
    {"dnsd_dns_truncated_total", "Answers that did not fit.", "udp",
     [](const auto& c) { return c.udp_answers.truncated.value(); }},
    {"dnsd_dns_truncated_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.truncated.value(); }},
    {"dnsd_dns_search_completed_total",
     "Names that were found further along the client's search list.", "udp",
     [](const auto& c) { return c.udp_answers.completed.value(); }},
    {"dnsd_dns_search_completed_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.completed.value(); }},
    {"dnsd_dns_waiting_refused_total",
     "Queries answered SERVFAIL because too many wait for upstreams.", "any",
     [](const auto& c) { return c.waiting_refused.value(); }},
    {"dnsd_dns_bad_cookies_total", "Queries with a server cookie that is not ours, or too old.",
     "udp", [](const auto& c) { return c.udp_answers.bad_cookies.value(); }},
    {"dnsd_dns_bad_cookies_total", "", "tcp",
     [](const auto& c) { return c.tcp_answers.bad_cookies.value(); }},
    {"dnsd_dns_rate_dropped_total", "Queries not answered because of dns.rate_limit.", "udp",
     [](const auto& c) { return c.udp_answers.rate_dropped.value(); }},
    {"dnsd_dns_rate_slipped_total",
     "Queries answered with TC or BADCOOKIE alone because of dns.rate_limit.", "udp",
     [](const auto& c) { return c.udp_answers.rate_slipped.value(); }},
    {"dnsd_dns_tsig_failures_total", "Messages that are signed (TSIG) and not believed.", "any",
     [](const auto& c) { return c.tsig_failures.value(); }},
    {"dnsd_dns_handed_over_total", "Zone transfers, NOTIFY and UPDATE messages taken.", "any",
     [](const auto& c) { return c.handed_over.value(); }},
    {"dnsd_dns_handover_refused_total",
     "Of these, those answered SERVFAIL because too many are under way.", "any",
     [](const auto& c) { return c.handover_refused.value(); }},
    {"dnsd_dns_receive_dropped_total",
     "Datagrams that came faster than they were taken, and that the kernel had no room for.", "udp",
     [](const auto& c) { return c.udp.receive_dropped.value(); }},
    {"dnsd_dns_send_dropped_total", "Answers that the kernel would not take.", "udp",
     [](const auto& c) { return c.udp.send_dropped.value(); }},
    {"dnsd_dns_connections_total", "TCP connections accepted.", "tcp",
     [](const auto& c) { return c.tcp.accepted.value(); }},
    {"dnsd_dns_connections_refused_total", "TCP connections closed at once because of a limit.",
     "tcp", [](const auto& c) { return c.tcp.refused.value(); }},
    {"dnsd_dns_connections_idle_total", "TCP connections closed because they were idle.", "tcp",
     [](const auto& c) { return c.tcp.idle_closed.value(); }},
};

std::vector<Metric> ServerImpl::metrics() const {
    std::vector<Metric> metrics;
    for (const Row& row : rows) {
        std::uint64_t sum = 0;
        for (const auto& worker : workers_) sum += row.value(worker->counters());
        if (metrics.empty() || metrics.back().name != row.name) {
            metrics.push_back({row.name, row.help, Metric::Kind::Counter, {}, {}});
        }
        metrics.back().samples.push_back(
            {{{"transport", row.transport}}, static_cast<double>(sum), {}});
    }
    Metric rcodes{"dnsd_dns_responses_total", "Responses by rcode.", Metric::Kind::Counter, {}, {}};
    for (std::size_t rcode = 0; rcode < std::tuple_size_v<decltype(AnswerCounters::by_rcode)>;
         ++rcode) {
        std::uint64_t sum = 0;
        for (const auto& worker : workers_) {
            sum += worker->counters().udp_answers.by_rcode[rcode].value() +
                   worker->counters().tcp_answers.by_rcode[rcode].value();
        }
        if (sum == 0 && rcode > 5) continue;
        rcodes.samples.push_back({{{"rcode", wire::print(static_cast<wire::Rcode>(rcode))}},
                                  static_cast<double>(sum),
                                  {}});
    }
    metrics.push_back(std::move(rcodes));
    return metrics;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(Options options, const Snapshot<tree::ZoneSet>& zones,
                                             Recursion* recursion, Handover* handover,
                                             const Snapshot<wire::Keyring>& keys,
                                             const Clock& clock) {
    auto server =
        std::make_unique<ServerImpl>(std::move(options), zones, recursion, handover, keys, clock);
    if (auto bound = server->bind(); !bound) return std::unexpected(bound.error());
    return server;
}

}  // namespace dnsd::nameserver
