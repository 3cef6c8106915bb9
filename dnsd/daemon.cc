#include "dnsd/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/io/loop.h"
#include "base/log.h"
#include "base/text.h"
#include "dnsd/api/server.h"
#include "dnsd/config.h"
#include "dnsd/nameserver/server.h"
#include "dnsd/other_servers.h"
#include "dnsd/privileges.h"
#include "dnsd/replica/follower.h"
#include "dnsd/resolver.h"
#include "healthcheck/checker.h"
#include "zone/registry/registry.h"

namespace dnsd {

namespace {

Milliseconds milliseconds(double seconds) {
    return std::chrono::round<Milliseconds>(std::chrono::duration<double>(seconds));
}

// Thousands of waiting clients, probes and TCP queries each hold a descriptor.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Where clients reach what listens there: `advertise` stands for the wildcards.
std::vector<IpAddress> advertised(const Options& options, std::string_view listen) {
    std::vector<IpAddress> addresses;
    bool is_wild = false;
    for (const SocketAddress& address : addresses_of(options, listen)) {
        if (is_unspecified(address.ip)) {
            is_wild = true;
        } else if (std::ranges::find(addresses, address.ip) == addresses.end()) {
            addresses.push_back(address.ip);
        }
    }
    if (!is_wild) return addresses;
    if (options.list("advertise").empty())
        log::warn("no address to advertise option={} hint={}", listen,
                  log::quoted("set advertise: a wildcard is no address that clients can use"));
    for (const std::string& text : options.list("advertise")) addresses.push_back(*parse_ip(text));
    return addresses;
}

bool is_replica(const Options& options) { return !options.list("replica.follow").empty(); }

Result<replica::Follower::Options> follower_options(const Options& options) {
    replica::Follower::Options out;
    out.centres = options.list("replica.follow");
    for (std::string& centre : out.centres) {
        while (centre.ends_with('/')) centre.pop_back();
    }
    out.ca_file = options.text("replica.ca_file");
    const std::string& path = options.text("replica.token");
    if (path.empty()) return out;
    std::ifstream file(path);
    if (!std::getline(file, out.token))
        return fail(fmt::format("replica.token: {} has no token to read", path));
    out.token = std::string(trimmed(out.token));
    return out;
}

store::Store::Options store_options(const Options& options) {
    return {.path = options.text("store.path"),
            .synchronous_full = options.text("store.synchronous") == "full",
            .events_keep = static_cast<std::uint64_t>(options.integer("events.keep"))};
}

registry::Registry::Options registry_options(const Options& options) {
    Milliseconds publish_delay = milliseconds(options.seconds("registry.publish_delay"));
    if (!options.is_set("registry.publish_delay") && options.text("profile") == "aws")
        publish_delay = std::chrono::seconds(60);
    return {.instances_per_service_max =
                static_cast<std::uint32_t>(options.integer("registry.instances_per_service_max")),
            .changes_waiting_max =
                static_cast<std::size_t>(options.integer("registry.changes_waiting_max")),
            .publish_delay = publish_delay,
            .advertised_name = options.text("name_server"),
            .dns_addresses = advertised(options, "dns.listen"),
            .api_addresses = advertised(options, "api.listen"),
            .track_answers = options.boolean("registry.track_answers"),
            .is_following = is_replica(options),
            .ttl_max = is_replica(options)
                           ? static_cast<std::uint32_t>(options.integer("replica.ttl_max"))
                           : UINT32_MAX,
            .history = {.differences_max =
                            static_cast<std::uint64_t>(options.integer("transfer.history_max")),
                        .age_max = milliseconds(options.seconds("transfer.history_age"))}};
}

// The secrets themselves are in no message.
Result<std::vector<nameserver::CookieSecrets::Secret>> read_cookie_secrets(const Options& options) {
    using nameserver::CookieSecrets;
    std::vector<CookieSecrets::Secret> secrets;
    for (const std::string& text : options.list("dns.cookie_secret")) {
        if (const auto secret = CookieSecrets::parse(text)) {
            secrets.push_back(*secret);
            continue;
        }
        std::ifstream file(text);
        if (!file) return fail(fmt::format("dns.cookie_secret: {} cannot be read", text));
        for (std::string line; std::getline(file, line);) {
            if (trimmed(line).empty()) continue;
            const auto secret = CookieSecrets::parse(trimmed(line));
            if (!secret)
                return fail(fmt::format(
                    "dns.cookie_secret: {} has a line that is not 32 hex digits", text));
            secrets.push_back(*secret);
        }
        if (secrets.empty()) return fail(fmt::format("dns.cookie_secret: {} is empty", text));
    }
    if (secrets.size() > CookieSecrets::secrets_max)
        return fail("dns.cookie_secret: more than two; the second is the one before the first");
    return secrets;
}

nameserver::Server::Options nameserver_options(const Options& options) {
    nameserver::Server::Options out;
    out.listen = addresses_of(options, "dns.listen");
    out.workers = static_cast<unsigned>(options.integer("dns.workers"));
    out.query_log_sample = static_cast<std::uint64_t>(options.integer("dns.query_log_sample"));
    out.answer.nsid = options.text("dns.nsid");
    out.answer.version = options.text("dns.version");
    out.answer.server_id = options.text("dns.server_id");
    out.answer.udp_payload_octets_max =
        static_cast<std::uint16_t>(options.integer("dns.udp_payload_max"));
    out.answer.recursion_allow = recursion_allow_of(options);
    out.answer.search_lists = search_lists_of(options);
    out.answer.stale_max = milliseconds(options.seconds("replica.stale_max"));
    out.answer.show_age = options.boolean("cache.show_age");
    out.answer.require_cookies = options.boolean("dns.require_cookies");
    out.rates = rate_limits_of(options);
    out.tcp.connections_max = static_cast<std::size_t>(options.integer("dns.tcp_connections_max"));
    out.tcp.connections_per_client_max =
        static_cast<std::size_t>(options.integer("dns.tcp_connections_per_client_max"));
    out.tcp.idle_timeout = milliseconds(options.seconds("dns.tcp_idle_timeout"));
    out.answer.tcp_idle_timeout = out.tcp.idle_timeout;
    return out;
}

api::Server::Options api_options(const Options& options) {
    return {.listen = addresses_of(options, "api.listen"),
            .tokens_file = options.text("api.tokens"),
            .tls_certificate_file = options.text("api.tls_cert"),
            .tls_key_file = options.text("api.tls_key"),
            .metrics_open = options.boolean("api.metrics_open"),
            .connections_max = static_cast<unsigned>(options.integer("api.connections_max")),
            .connections_per_client_max =
                static_cast<unsigned>(options.integer("api.connections_per_client_max")),
            .body_octets_max = static_cast<std::size_t>(options.integer("api.body_octets_max")),
            .zone_octets_max = static_cast<std::size_t>(options.integer("api.zone_octets_max")),
            .idle_timeout = milliseconds(options.seconds("api.idle_timeout"))};
}

health::Checker::Options checker_options(const Options& options) {
    return {
        .probes_in_flight_max = static_cast<std::size_t>(options.integer("checks.in_flight_max")),
        .breaker_percent = options.percent("checks.breaker_percent")};
}

std::string print(const std::vector<SocketAddress>& addresses) {
    std::vector<std::string> texts;
    for (const SocketAddress& address : addresses) texts.push_back(address.print());
    return fmt::format("{}", fmt::join(texts, ","));
}

// Whole or not at all: who waits for the file must not read half a line.
Result<> write_ready_file(const std::string& path, const std::string& line) {
    const std::string draft = path + ".new";
    std::FILE* file = std::fopen(draft.c_str(), "we");
    bool good = file != nullptr;
    if (good) {
        good = std::fputs(line.c_str(), file) >= 0;
        good = std::fclose(file) == 0 && good;
    }
    if (!good || std::rename(draft.c_str(), path.c_str()) != 0)
        return fail(fmt::format("write {}: {}", path, std::strerror(errno)));
    return {};
}

class RealDaemon final : public Daemon {
  public:
    RealDaemon(Invocation invocation, Options options)
        : invocation_(std::move(invocation)), options_(std::move(options)) {}

    Result<> build();
    Result<> run() override;
    ~RealDaemon() override;

  private:
    void reload();
    api::Following following();

    Invocation invocation_;
    Options options_;
    const Clock& clock_ = machine_clock();
    // In the order of their making; stopped in the reverse.
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<replica::Follower> follower_;  // null: this is a centre
    std::unique_ptr<forward::Forwarder> forwarder_;
    std::unique_ptr<nameserver::Recursion> recursion_;
    std::unique_ptr<transfer::Transfers> transfers_;
    std::unique_ptr<nameserver::Handover> handover_;
    std::unique_ptr<nameserver::Server> nameserver_;
    std::unique_ptr<health::Checker> checker_;
    std::unique_ptr<api::Server> api_;
};

api::Following RealDaemon::following() {
    if (!is_replica(options_)) return {};
    return {options_.list("replica.follow"), [this] {
                const replica::Follower::Status status = follower_->status();
                return api::FollowingStatus{
                    status.is_connected,
                    status.is_connected || registry_->state().load()->revision > 0, status.centre,
                    follower_->silent_for(), status.trouble};
            }};
}

Result<> RealDaemon::build() {
    raise_descriptor_limit();
    // A client that goes while we write to it is an error of that write, not of ours.
    std::signal(SIGPIPE, SIG_IGN);

    auto privileges = Privileges::find(options_.text("user"));
    if (!privileges) return std::unexpected(privileges.error());
    if (auto lowered = privileges->lower(); !lowered) return lowered;
    auto store = store::Store::open(store_options(options_));
    if (!store) return std::unexpected(store.error());
    auto events = store::EventReader::open(options_.text("store.path"));
    if (!events) return std::unexpected(events.error());
    auto history = store::HistoryReader::open(options_.text("store.path"));
    if (!history) return std::unexpected(history.error());
    auto transfers = transfer_options(options_);
    if (!transfers) return std::unexpected(transfers.error());
    transfers->is_replica = is_replica(options_);
    auto registry = registry::Registry::open(registry_options(options_), std::move(*store), clock_);
    if (!registry) return std::unexpected(registry.error());
    registry_ = std::move(*registry);
    if (auto raised = privileges->raise(); !raised) return raised;

    transfers_ =
        transfer::Transfers::make(std::move(*transfers), *registry_, std::move(*history), clock_);
    handover_ = make_handover(*transfers_);
    forwarder_ = forward::Forwarder::make(forwarder_options(options_), clock_);
    recursion_ = make_recursion(*forwarder_);
    auto dns_options = nameserver_options(options_);
    auto secrets = read_cookie_secrets(options_);
    if (!secrets) return std::unexpected(secrets.error());
    dns_options.cookie_secrets = *std::move(secrets);
    if (is_replica(options_)) dns_options.silent_for = [this] { return follower_->silent_for(); };
    auto nameserver =
        nameserver::Server::open(std::move(dns_options), registry_->zones(), recursion_.get(),
                                 handover_.get(), transfers_->keyring(), clock_);
    if (!nameserver) return in_context("DNS", nameserver.error());
    nameserver_ = std::move(*nameserver);
    auto api = api::Server::open(
        api_options(options_),
        {.registry = *registry_,
         .events = std::move(*events),
         .defaults = defaults_of(options_),
         .forwarding = make_forwarding(*forwarder_, clock_),
         .following = following(),
         .metrics = {
             [this] { return registry_->metrics(); }, [this] { return nameserver_->metrics(); },
             [this] { return transfers_->metrics(); }, [this] { return forwarder_->metrics(); },
             [this] { return checker_->metrics(); },
             [this] { return follower_ ? follower_->metrics() : std::vector<Metric>(); }},
         .dns_addresses = nameserver_->addresses(),
         .version = DNSD_VERSION,
         .refresh = [this](const std::string& zone) { transfers_->refresh_now(zone, false); }},
        clock_);
    if (!api) return in_context("API", api.error());
    api_ = std::move(*api);
    if (auto dropped = privileges->drop(); !dropped) return dropped;

    if (is_replica(options_)) {
        auto following = follower_options(options_);
        if (!following) return std::unexpected(following.error());
        follower_ = replica::Follower::make(std::move(*following), *registry_, clock_);
    }
    auto checker = health::Checker::make(checker_options(options_), clock_,
                                         [this](std::vector<health::Transition> transitions) {
                                             registry_->transitions(std::move(transitions));
                                         });
    if (!checker) return in_context("checks", checker.error());
    checker_ = std::move(*checker);
    // A replica believes what its centre has found out.
    if (!follower_) registry_->attach(checker_.get());
    nameserver_->start();
    api_->start();
    transfers_->start();
    return {};
}

RealDaemon::~RealDaemon() {
    sd_notify(0, "STOPPING=1");
    api_.reset();
    if (checker_) registry_->attach(nullptr);
    if (nameserver_) nameserver_->stop();  // its workers ask how long the centre is silent
    follower_.reset();
    transfers_.reset();
    checker_.reset();
    // The workers have stopped, and are there until what they asked has told them.
    forwarder_.reset();
    nameserver_.reset();
    registry_.reset();
}

Result<> RealDaemon::run() {
    io::Loop loop;
    const auto stop = [&](const char* signal) {
        log::info("stopping signal={}", signal);
        loop.stop();
    };
    io::Signal terminate(loop, SIGTERM, [&] { stop("SIGTERM"); });
    io::Signal interrupt(loop, SIGINT, [&] { stop("SIGINT"); });
    io::Signal hang_up(loop, SIGHUP, [&] { reload(); });

    const std::string line = fmt::format("ready dns={} api={}\n", print(nameserver_->addresses()),
                                         print(api_->addresses()));
    if (!invocation_.ready_file.empty()) {
        if (auto written = write_ready_file(invocation_.ready_file, line); !written) return written;
    }
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
    sd_notify(0, "READY=1");
    loop.run();
    return {};
}

// A bad file is refused whole, and the old configuration stays.
void RealDaemon::reload() {
    sd_notify(0, "RELOADING=1");
    auto options = read_options(invocation_);
    auto secrets = options ? read_cookie_secrets(*options)
                           : Result<std::vector<nameserver::CookieSecrets::Secret>>();
    Result<> files;
    if (!options) {
        log::error("reload refused reason={}", log::quoted(options.error().message));
    } else if (!secrets) {
        log::error("reload refused reason={}", log::quoted(secrets.error().message));
    } else if (files = api_->reload(api_options(*options)); !files) {
        log::error("reload refused reason={}", log::quoted(files.error().message));
    } else if (auto transfers = transfer_options(*options); !transfers) {
        log::error("reload refused reason={}", log::quoted(transfers.error().message));
    } else {
        transfers_->reload(std::move(*transfers));
        log::set_level(log_level_of(*options));
        nameserver_->set_cookie_secrets(*std::move(secrets));
        forwarder_->set_routes(find_routes(*options));
        checker_->set_breaker_percent(options->percent("checks.breaker_percent"));
        for (const std::string& name : options_.fixed_differences(*options))
            log::warn("restart needed option={}", name);
        log::info("reloaded file={}", log::quoted(invocation_.config_file));
    }
    sd_notify(0, "READY=1");
}

}  // namespace

Result<Options> read_options(const Invocation& invocation) {
    Options options(option_table());
    if (!invocation.config_file.empty()) {
        if (auto read = options.read_file(invocation.config_file); !read)
            return std::unexpected(read.error());
    }
    for (const std::string& assignment : invocation.assignments) {
        if (auto set = options.set(assignment); !set) return in_context("--set", set.error());
    }
    if (auto checked = check(options); !checked) return std::unexpected(checked.error());
    return options;
}

Result<std::unique_ptr<Daemon>> Daemon::start(const Invocation& invocation,
                                              const Options& options) {
    auto daemon = std::make_unique<RealDaemon>(invocation, options);
    if (auto built = daemon->build(); !built) return std::unexpected(built.error());
    return daemon;
}

}  // namespace dnsd
