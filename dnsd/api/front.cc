#include "dnsd/api/front.h"

#include <fmt/format.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/assert.h"
#include "base/counters.h"
#include "base/io/tcp.h"
#include "base/log.h"
#include "base/text.h"
#include "dnsd/api/handshakes.h"
#include "dnsd/api/problem.h"

namespace dnsd::api {

namespace {

// libmicrohttpd does not see a client leave while its connection is suspended, nor one that closes
// its half right behind what it sent (0.9.75 waits for an edge that has passed): every so often we
// look ourselves. Twice, so that who only closed its half still gets an answer that is on its way.
constexpr Milliseconds look_every(2'000);
// Headers and what is read of a body at once.
constexpr std::size_t connection_memory_octets = 24 * 1024;
// What a body has too much is read and thrown away, so that the client reads our answer; up to
// here.
constexpr std::size_t discarded_octets_max = 64 * 1024 * 1024;
// What RFC 9325 §3.1 and §4.2 leave: TLS 1.2 and 1.3, ephemeral keys, authenticated encryption.
// X25519 first: it is what clients send a share for unasked, which saves a round trip.
constexpr const char* tls_priorities =
    "PFS:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"
    "+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "%SERVER_PRECEDENCE";

struct Counters {
    Counter requests, too_many, body_too_large, left;
    std::array<Counter, 6> by_class;  // by the status's first digit
    std::atomic<std::int64_t> connections{0}, suspended{0};
};

class MicroFront;

class MicroExchange final : public Exchange, public std::enable_shared_from_this<MicroExchange> {
  public:
    MicroExchange(MicroFront& front, MHD_Connection* connection)
        : front_(&front), connection_(connection) {}

    void limit_body(std::size_t octets_max) { body_octets_max_ = octets_max; }
    std::size_t body_octets_max() const noexcept { return body_octets_max_; }

    void reply(Reply reply) override;
    void stream(std::string content_type, std::shared_ptr<Source> source) override;
    void wake() override;

    // The steps of libmicrohttpd's dance.
    MHD_Result receive(const char* octets, std::size_t& size);
    MHD_Result proceed();
    ssize_t read(char* into, std::size_t octets_max);
    void ended();
    void client_left();

    MHD_Connection* connection() const noexcept { return connection_; }

  private:
    void suspend();
    void resume();
    MHD_Result queue();

    MicroFront* front_;
    MHD_Connection* connection_;  // null once it has ended
    std::optional<Reply> reply_;
    std::shared_ptr<Source> source_;
    std::string unsent_;  // of the source
    std::size_t sent_ = 0;
    std::size_t body_octets_max_ = 0, discarded_ = 0;
    bool dispatched_ = false, suspended_ = false, client_left_ = false, answered_ = false;
};

class MicroFront final : public Front {
  public:
    MicroFront(io::Loop& loop, Limits limits, std::shared_ptr<const Certificate> certificate,
               Handler handler)
        : limits_(std::move(limits)),
          certificate_(std::move(certificate)),
          handler_(std::move(handler)),
          handshakes_(loop, limits_.idle_timeout, [this] { run_soon(); }),
          run_soon_(loop, [this] { run(); }),
          look_(loop, [this] { look_at_clients(); }) {
        look_.repeat(look_every);
    }
    ~MicroFront() override;

    Result<> listen(io::Loop& loop, const SocketAddress& address);
    void set_certificate(std::shared_ptr<const Certificate> certificate) override {
        DNSD_ASSERT(certificate_ && certificate);
        certificate_ = std::move(certificate);
    }
    const std::vector<SocketAddress>& addresses() const noexcept override { return addresses_; }
    void stop_listening() override;
    std::size_t under_way() const noexcept override { return exchanges_; }
    std::vector<Metric> metrics() const override;

    void dispatch(const std::shared_ptr<MicroExchange>& exchange);
    void run_soon() { run_soon_.start(Milliseconds(0)); }
    Counters& counters() noexcept { return counters_; }

    std::unordered_set<MicroExchange*> suspended;  // each alive while it is in here

  private:
    struct Listener {
        MHD_Daemon* daemon = nullptr;
        std::unique_ptr<io::Poll> poll;
    };

    static MHD_Result on_request(void* front, MHD_Connection* connection, const char* url,
                                 const char* method, const char* version, const char* octets,
                                 std::size_t* size, void** state);
    static void on_ended(void* front, MHD_Connection* connection, void** state,
                         MHD_RequestTerminationCode code);
    static void on_connection(void* front, MHD_Connection* connection, void** context,
                              MHD_ConnectionNotificationCode code);
    static std::size_t unchanged(void*, MHD_Connection*, char* text) { return std::strlen(text); }
    static void log_line(void*, const char* format, va_list arguments);

    std::shared_ptr<MicroExchange> begin(MHD_Connection* connection, const char* url,
                                         const char* method);
    void run();
    void look_at_clients();
    bool is_there(int descriptor) const;

    Limits limits_;
    std::shared_ptr<const Certificate> certificate_;  // null: plain HTTP
    Handler handler_;
    std::vector<Listener> listeners_;
    std::vector<SocketAddress> addresses_;
    struct Client {
        int descriptor;
        std::shared_ptr<const Certificate> shown;
        bool is_gone = false;               // when we looked last
        MicroExchange* exchange = nullptr;  // whose request has come whole
    };
    std::unordered_map<MHD_Connection*, Client> clients_;
    std::map<IpAddress, unsigned> by_client_;
    std::size_t exchanges_ = 0;
    bool running_ = false;
    Counters counters_;
    Handshakes handshakes_;
    io::Timer run_soon_, look_;
};

SocketAddress client_of(MHD_Connection* connection) {
    const MHD_ConnectionInfo* info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return SocketAddress::from(*info->client_addr);
}

gnutls_session_t session_of(MHD_Connection* connection) {
    const MHD_ConnectionInfo* info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return static_cast<gnutls_session_t>(info->tls_session);
}

// Each session is given the certificate of its time when it begins (on_connection), so that a
// reload is a swap; libmicrohttpd, which does not start without a certificate, gets this.
int no_certificate(gnutls_session_t, const gnutls_cert_retr_st*, gnutls_pcert_st**, unsigned*,
                   gnutls_ocsp_data_st**, unsigned*, gnutls_privkey_t*, unsigned*) {
    return GNUTLS_E_INSUFFICIENT_CREDENTIALS;
}

// ---- one exchange

void MicroExchange::reply(Reply reply) {
    if (!connection_ || answered_) return;
    answered_ = true;
    const auto kind = static_cast<std::size_t>(reply.status / 100);
    front_->counters().by_class[std::min<std::size_t>(kind, 5)].add();
    reply_ = std::move(reply);
    resume();
}

void MicroExchange::stream(std::string content_type, std::shared_ptr<Source> source) {
    if (!connection_ || answered_) return;
    source_ = std::move(source);
    reply({200, "", std::move(content_type), {{"Cache-Control", "no-store"}}});
}

void MicroExchange::wake() {
    if (connection_) resume();
}

void MicroExchange::suspend() {
    DNSD_ASSERT(!suspended_);
    suspended_ = true;
    front_->suspended.insert(this);
    MHD_suspend_connection(connection_);
}

void MicroExchange::resume() {
    if (!suspended_) return;
    suspended_ = false;
    front_->suspended.erase(this);
    MHD_resume_connection(connection_);
    front_->run_soon();
}

MHD_Result MicroExchange::receive(const char* octets, std::size_t& size) {
    if (discarded_ == 0 && size <= body_octets_max_ - request.body.size()) {
        request.body.append(octets, size);
    } else {
        discarded_ += size;
        request.body = {};
        if (discarded_ > discarded_octets_max) return MHD_NO;
    }
    size = 0;
    return MHD_YES;
}

MHD_Result MicroExchange::proceed() {
    if (client_left_) return MHD_NO;
    if (!dispatched_) {
        dispatched_ = true;
        if (discarded_ > 0) {
            front_->counters().body_too_large.add();
            reply(reply_of({413, fmt::format("a body has at most {} octets", body_octets_max_)}));
        } else {
            front_->dispatch(shared_from_this());
        }
    }
    if (reply_) return queue();
    suspend();
    return MHD_YES;
}

MHD_Result MicroExchange::queue() {
    MHD_Response* response = nullptr;
    if (source_) {
        response = MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, 16 * 1024,
            [](void* self, std::uint64_t, char* into, std::size_t octets_max) {
                return (*static_cast<std::shared_ptr<MicroExchange>*>(self))
                    ->read(into, octets_max);
            },
            new std::shared_ptr<MicroExchange>(shared_from_this()),
            [](void* self) { delete static_cast<std::shared_ptr<MicroExchange>*>(self); });
    } else {
        auto body = std::make_unique<std::string>(std::move(reply_->body));
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            body->size(), body->data(), [](void* sent) { delete static_cast<std::string*>(sent); },
            body.get());
        if (response) (void)body.release();  // it is freed with the response
    }
    if (!response) return MHD_NO;
    if (!reply_->content_type.empty())
        MHD_add_response_header(response, "Content-Type", reply_->content_type.c_str());
    for (const auto& [name, value] : reply_->headers)
        MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result queued =
        MHD_queue_response(connection_, static_cast<unsigned>(reply_->status), response);
    MHD_destroy_response(response);
    reply_->body = {};
    return queued;
}

ssize_t MicroExchange::read(char* into, std::size_t octets_max) {
    if (client_left_) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (sent_ == unsent_.size()) {
        auto more = source_->next();
        if (!more) return MHD_CONTENT_READER_END_OF_STREAM;
        unsent_ = std::move(*more);
        sent_ = 0;
        if (unsent_.empty()) {
            suspend();
            return 0;
        }
    }
    const std::size_t octets = std::min(octets_max, unsent_.size() - sent_);
    std::memcpy(into, unsent_.data() + sent_, octets);
    sent_ += octets;
    return static_cast<ssize_t>(octets);
}

void MicroExchange::ended() {
    front_->suspended.erase(this);
    const bool left = !answered_ || source_;
    connection_ = nullptr;
    source_.reset();
    if (left && on_gone) on_gone();
    on_gone = nullptr;
}

void MicroExchange::client_left() {
    if (!suspended_) return;  // its answer is on its way
    client_left_ = true;
    front_->counters().left.add();
    resume();
}

// ---- all of them

MicroFront::~MicroFront() {
    // A daemon is not stopped with suspended connections.
    while (!suspended.empty()) {
        MicroExchange* exchange = *suspended.begin();
        exchange->wake();
    }
    handshakes_.resume_all();
    for (Listener& listener : listeners_) {
        listener.poll.reset();
        MHD_stop_daemon(listener.daemon);
    }
}

Result<> MicroFront::listen(io::Loop& loop, const SocketAddress& address) {
    auto socket = io::listen_tcp(address, false);
    if (!socket) return std::unexpected(socket.error());
    addresses_.push_back(io::local_address(*socket));
    const int descriptor = dup(socket->number());  // libmicrohttpd closes its own
    const unsigned seconds = static_cast<unsigned>(
        std::chrono::ceil<std::chrono::seconds>(limits_.idle_timeout).count());
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (std::holds_alternative<Ipv6>(address.ip)) flags |= MHD_USE_IPv6;
    const MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, nullptr}};
    MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(tls_priorities)},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, reinterpret_cast<void*>(&no_certificate)},
        {MHD_OPTION_END, 0, nullptr}};
    if (certificate_) flags |= MHD_USE_TLS;
    MHD_Daemon* daemon = MHD_start_daemon(
        flags, 0, nullptr, nullptr, &on_request, this, MHD_OPTION_EXTERNAL_LOGGER, &log_line,
        nullptr, MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT,
        limits_.connections_max + 64,  // these are told why they go
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory_octets, MHD_OPTION_CONNECTION_TIMEOUT,
        seconds, MHD_OPTION_UNESCAPE_CALLBACK, &unchanged, nullptr, MHD_OPTION_NOTIFY_COMPLETED,
        &on_ended, this, MHD_OPTION_NOTIFY_CONNECTION, &on_connection, this, MHD_OPTION_ARRAY,
        certificate_ ? tls : plain, MHD_OPTION_END);
    if (!daemon) return fail(fmt::format("{}: libmicrohttpd does not start", address.print()));
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    Listener& listener = listeners_.emplace_back();
    listener.daemon = daemon;
    listener.poll = std::make_unique<io::Poll>(loop, info->epoll_fd, [this](unsigned) { run(); });
    listener.poll->watch(io::Poll::Readable);
    return {};
}

void MicroFront::stop_listening() {
    for (Listener& listener : listeners_) {
        const MHD_socket descriptor = MHD_quiesce_daemon(listener.daemon);
        if (descriptor != MHD_INVALID_SOCKET) close(descriptor);
    }
}

// Also after every resume: libmicrohttpd looks at resumed connections nowhere else.
void MicroFront::run() {
    if (running_) return;
    running_ = true;
    for (const Listener& listener : listeners_) MHD_run(listener.daemon);
    handshakes_.suspend();
    std::optional<Milliseconds> next;
    for (const Listener& listener : listeners_) {
        MHD_UNSIGNED_LONG_LONG timeout = 0;
        if (MHD_get_timeout(listener.daemon, &timeout) == MHD_YES) {
            const Milliseconds after(static_cast<std::int64_t>(timeout));
            next = std::min(next.value_or(after), after);
        }
    }
    running_ = false;
    if (next) run_soon_.start(*next);
}

// Who leaves TLS says so in a last record, which nobody reads while the connection is suspended:
// there the end of the connection counts even behind octets that are unread.
bool MicroFront::is_there(int descriptor) const {
    if (certificate_) {
        pollfd socket{descriptor, POLLRDHUP, 0};
        return poll(&socket, 1, 0) <= 0;
    }
    char octet;
    const ssize_t got = recv(descriptor, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

void MicroFront::look_at_clients() {
    handshakes_.look();
    for (auto& [connection, client] : clients_) {
        const bool was_gone = std::exchange(client.is_gone, !is_there(client.descriptor));
        if (!client.is_gone || !was_gone) continue;
        if (client.exchange) {
            client.exchange->client_left();
        } else {
            MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
            run_soon();
        }
    }
}

void MicroFront::dispatch(const std::shared_ptr<MicroExchange>& exchange) {
    counters_.requests.add();
    clients_.at(exchange->connection()).exchange = exchange.get();
    const auto connections = counters_.connections.load(std::memory_order_relaxed);
    const auto of_client = by_client_.find(exchange->request.client.ip);
    if (connections > limits_.connections_max) {
        counters_.too_many.add();
        Reply reply = reply_of(
            {503, fmt::format("at most {} connections are open at once", limits_.connections_max)});
        reply.headers.emplace_back("Connection", "close");
        exchange->reply(std::move(reply));
    } else if (of_client != by_client_.end() &&
               of_client->second > limits_.connections_per_client_max) {
        counters_.too_many.add();
        Reply reply = reply_of({429, fmt::format("at most {} connections of one client are open at "
                                                 "once",
                                                 limits_.connections_per_client_max)});
        reply.headers.emplace_back("Connection", "close");
        exchange->reply(std::move(reply));
    } else {
        handler_(exchange);
    }
}

std::shared_ptr<MicroExchange> MicroFront::begin(MHD_Connection* connection, const char* url,
                                                 const char* method) {
    handshakes_.done(connection);
    auto exchange = std::make_shared<MicroExchange>(*this, connection);
    Request& request = exchange->request;
    request.method = method;
    request.path = url;
    request.client = client_of(connection);
    MHD_get_connection_values(
        connection, MHD_HEADER_KIND,
        [](void* to, MHD_ValueKind, const char* name, const char* value) {
            static_cast<Request*>(to)->headers.emplace_back(name, value ? value : "");
            return MHD_YES;
        },
        &request);
    MHD_get_connection_values(
        connection, MHD_GET_ARGUMENT_KIND,
        [](void* to, MHD_ValueKind, const char* name, const char* value) {
            // What is no good encoding stays as it came, and will be unknown.
            const auto decoded = [](const char* text) {
                return percent_decoded(text ? text : "").value_or(text ? text : "");
            };
            static_cast<Request*>(to)->query.emplace_back(decoded(name), decoded(value));
            return MHD_YES;
        },
        &request);
    exchange->limit_body(limits_.body_octets_max(request));
    return exchange;
}

MHD_Result MicroFront::on_request(void* front, MHD_Connection* connection, const char* url,
                                  const char* method, const char*, const char* octets,
                                  std::size_t* size, void** state) {
    auto& self = *static_cast<MicroFront*>(front);
    if (!*state) {
        auto exchange = self.begin(connection, url, method);
        const std::string* length = exchange->request.header("Content-Length");
        const bool waits = exchange->request.header("Expect") != nullptr;
        *state = new std::shared_ptr<MicroExchange>(exchange);
        ++self.exchanges_;
        // Who asks before it sends hears at once that it need not.
        if (waits && length && parse_unsigned(*length).value_or(0) > exchange->body_octets_max()) {
            std::size_t too_many = exchange->body_octets_max() + 1;
            exchange->receive(nullptr, too_many);
            return exchange->proceed();
        }
        return MHD_YES;
    }
    MicroExchange& exchange = **static_cast<std::shared_ptr<MicroExchange>*>(*state);
    if (*size > 0) return exchange.receive(octets, *size);
    return exchange.proceed();
}

void MicroFront::on_ended(void* front, MHD_Connection* connection, void** state,
                          MHD_RequestTerminationCode) {
    auto& self = *static_cast<MicroFront*>(front);
    if (!*state) return;
    if (const auto client = self.clients_.find(connection); client != self.clients_.end())
        client->second.exchange = nullptr;
    auto* exchange = static_cast<std::shared_ptr<MicroExchange>*>(*state);
    (*exchange)->ended();
    delete exchange;
    *state = nullptr;
    --self.exchanges_;
}

void MicroFront::on_connection(void* front, MHD_Connection* connection, void**,
                               MHD_ConnectionNotificationCode code) {
    auto& self = *static_cast<MicroFront*>(front);
    const IpAddress client = client_of(connection).ip;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const MHD_ConnectionInfo* info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        self.clients_.emplace(connection, Client{info->connect_fd, self.certificate_});
        if (self.certificate_) {
            const gnutls_session_t session = session_of(connection);
            self.certificate_->show_in(session);
            self.handshakes_.begin(connection, session, info->connect_fd);
        }
        ++self.by_client_[client];
        self.counters_.connections.fetch_add(1, std::memory_order_relaxed);
    } else {
        self.handshakes_.end(connection);
        self.clients_.erase(connection);
        if (--self.by_client_[client] == 0) self.by_client_.erase(client);
        self.counters_.connections.fetch_sub(1, std::memory_order_relaxed);
    }
}

void MicroFront::log_line(void*, const char* format, va_list arguments) {
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    log::debug("http reason={}", log::quoted(trimmed(line)));
}

std::vector<Metric> MicroFront::metrics() const {
    const auto value = [](auto number) { return static_cast<double>(number); };
    Metric replies{
        "dnsd_api_replies_total", "HTTP replies by class of status", Metric::Kind::Counter, {}, {}};
    for (std::size_t i = 2; i < counters_.by_class.size(); ++i)
        replies.samples.push_back(
            {{{"class", fmt::format("{}xx", i)}}, value(counters_.by_class[i].value()), {}});
    return {{"dnsd_api_connections",
             "HTTP connections that are open",
             Metric::Kind::Gauge,
             {{{}, value(counters_.connections.load(std::memory_order_relaxed)), {}}},
             {}},
            {"dnsd_api_requests_total",
             "HTTP requests",
             Metric::Kind::Counter,
             {{{}, value(counters_.requests.value()), {}}},
             {}},
            {"dnsd_api_refused_total",
             "HTTP requests that met a limit",
             Metric::Kind::Counter,
             {{{{"limit", "connections"}}, value(counters_.too_many.value()), {}},
              {{{"limit", "body"}}, value(counters_.body_too_large.value()), {}}},
             {}},
            {"dnsd_api_clients_left_total",
             "Waiting HTTP clients that left",
             Metric::Kind::Counter,
             {{{}, value(counters_.left.value()), {}}},
             {}},
            {"dnsd_api_handshakes_failed_total",
             "TLS connections that ended before their handshake did",
             Metric::Kind::Counter,
             {{{}, value(handshakes_.failed()), {}}},
             {}},
            std::move(replies)};
}

}  // namespace

const std::string* Request::header(std::string_view name) const noexcept {
    for (const auto& [known, value] : headers) {
        if (equal_ignoring_case(known, name)) return &value;
    }
    return nullptr;
}

std::string media_type(const Request& request) {
    const std::string* type = request.header("Content-Type");
    if (!type) return "";
    return lower_cased(trimmed(std::string_view(*type).substr(0, type->find(';'))));
}

Result<std::unique_ptr<Front>> Front::open(io::Loop& loop, std::vector<SocketAddress> listen,
                                           Limits limits,
                                           std::shared_ptr<const Certificate> certificate,
                                           Handler handler) {
    auto front = std::make_unique<MicroFront>(loop, std::move(limits), std::move(certificate),
                                              std::move(handler));
    for (const SocketAddress& address : listen) {
        if (auto listening = front->listen(loop, address); !listening)
            return std::unexpected(listening.error());
    }
    return front;
}

}  // namespace dnsd::api
