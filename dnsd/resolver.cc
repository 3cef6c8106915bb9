#include "dnsd/resolver.h"

#include <ifaddrs.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>

#include "base/log.h"
#include "base/text.h"
#include "dnsd/config.h"

namespace dnsd {

namespace {

using forward::Forwarder;

constexpr std::uint16_t dns_port = 53;

Milliseconds milliseconds(double seconds) {
    return std::chrono::round<Milliseconds>(std::chrono::duration<double>(seconds));
}

// resolv.conf(5): `nameserver ADDRESS`. Addresses with a zone index are passed over.
std::vector<SocketAddress> name_servers_in(const std::string& path) {
    std::vector<SocketAddress> servers;
    std::ifstream file(path);
    if (!file) {
        log::warn("no upstreams file={} reason={}", log::quoted(path),
                  log::quoted("it cannot be read"));
        return servers;
    }
    for (std::string line; std::getline(file, line);) {
        constexpr std::string_view keyword = "nameserver";
        const std::string_view text = trimmed(line);
        if (!text.starts_with(keyword)) continue;
        const std::string_view rest = text.substr(keyword.size());
        if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t')) continue;
        if (const auto ip = parse_ip(trimmed(rest))) servers.push_back({*ip, dns_port});
    }
    return servers;
}

std::vector<IpAddress> addresses_of_this_machine() {
    std::vector<IpAddress> addresses;
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) return addresses;
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) continue;
        const int family = one->ifa_addr->sa_family;
        if (family == AF_INET || family == AF_INET6)
            addresses.push_back(SocketAddress::from(*one->ifa_addr).ip);
    }
    freeifaddrs(first);
    return addresses;
}

bool is_this_server(const SocketAddress& upstream, const Options& options) {
    for (const SocketAddress& listen : addresses_of(options, "dns.listen")) {
        if (listen.port != upstream.port) continue;
        if (listen.ip == upstream.ip) return true;
        if (!is_unspecified(listen.ip) || listen.ip.index() != upstream.ip.index()) continue;
        // All of 127.0.0.0/8 is ours.
        const auto ours = addresses_of_this_machine();
        if (is_loopback(upstream.ip) || std::ranges::find(ours, upstream.ip) != ours.end())
            return true;
    }
    return false;
}

class ForwarderRecursion final : public nameserver::Recursion {
  public:
    explicit ForwarderRecursion(Forwarder& forwarder) : forwarder_(forwarder) {}

    bool is_available() const noexcept override { return forwarder_.has_upstreams(); }
    std::optional<wire::AgedResponse> find(const wire::RecursiveQuestion& question) override {
        return forwarder_.find(question);
    }
    void resolve(const wire::RecursiveQuestion& question, const IpAddress& client,
                 std::function<void(wire::AgedResponse)> done) override {
        forwarder_.resolve(question, client, std::move(done));
    }

  private:
    Forwarder& forwarder_;
};

}  // namespace

std::vector<Forwarder::Route> find_routes(const Options& options) {
    std::vector<Forwarder::Route> routes = routes_of(options);
    const std::string& resolv_conf = options.text("forward.resolv_conf");
    const bool has_default = std::ranges::any_of(
        routes, [](const Forwarder::Route& route) { return route.domain.is_root(); });
    if (!has_default && !resolv_conf.empty())
        routes.push_back({wire::Name(), name_servers_in(resolv_conf)});
    for (Forwarder::Route& route : routes) {
        std::erase_if(route.upstreams, [&](const SocketAddress& upstream) {
            if (!is_this_server(upstream, options)) return false;
            log::warn("upstream left out address={} reason={}", upstream.print(),
                      log::quoted("it is this server"));
            return true;
        });
    }
    std::erase_if(routes, [](const Forwarder::Route& route) { return route.upstreams.empty(); });
    return routes;
}

Forwarder::Options forwarder_options(const Options& options) {
    const auto count = [&](std::string_view name) {
        return static_cast<std::size_t>(options.integer(name));
    };
    const auto seconds = [&](std::string_view name) {
        return static_cast<std::uint32_t>(options.integer(name));
    };
    Forwarder::Options out;
    out.routes = find_routes(options);
    out.tries = static_cast<unsigned>(options.integer("forward.tries"));
    out.in_flight_max = count("forward.in_flight_max");
    out.in_flight_per_client_max = count("forward.in_flight_per_client_max");
    out.stale_after = milliseconds(options.seconds("cache.stale_after"));
    out.trust_ad = options.boolean("forward.trust_ad");
    out.upstream.timeout = milliseconds(options.seconds("forward.timeout"));
    out.upstream.randomise_case = options.boolean("forward.randomise_case");
    const std::string& policy = options.text("cache.policy");
    out.cache.policy = policy == "clamp" ? forward::CachePolicy::Clamp
                       : policy == "pin" ? forward::CachePolicy::Pin
                       : policy == "off" ? forward::CachePolicy::Off
                                         : forward::CachePolicy::Honour;
    out.cache.octets_max = count("cache.octets_max");
    out.cache.ttl_min = seconds("cache.ttl_min");
    out.cache.ttl_max = seconds("cache.ttl_max");
    out.cache.negative_ttl_max = seconds("cache.negative_ttl_max");
    out.cache.stale_max = static_cast<std::uint32_t>(options.seconds("cache.stale_max"));
    out.cache.prefetch_percent = static_cast<unsigned>(options.percent("cache.prefetch_percent"));
    return out;
}

std::unique_ptr<nameserver::Recursion> make_recursion(Forwarder& forwarder) {
    return std::make_unique<ForwarderRecursion>(forwarder);
}

api::Forwarding make_forwarding(Forwarder& forwarder, const Clock& clock) {
    api::Forwarding out;
    out.list = [&forwarder, &clock](const wire::Name& name) {
        std::vector<api::CachedAnswer> answers;
        for (forward::Cache::Listed& one : forwarder.cache().list(name, clock.steady()))
            answers.push_back({std::move(one.question), std::move(one.aged), one.left});
        return answers;
    };
    out.flush = [&forwarder](const wire::Name& name, std::optional<wire::RrType> type,
                             bool subtree) { return forwarder.cache().flush(name, type, subtree); };
    out.totals = [&forwarder] {
        const forward::Cache::Totals totals = forwarder.cache().totals();
        return api::CacheTotals{totals.entries,    totals.octets, totals.hits,
                                totals.stale_hits, totals.misses, totals.evictions};
    };
    out.upstreams = [&forwarder] {
        std::vector<api::UpstreamStatus> upstreams;
        for (const Forwarder::Listed& one : forwarder.upstreams()) {
            upstreams.push_back({one.domain, one.upstream.address, one.upstream.is_well,
                                 one.upstream.keeps_case, one.upstream.latency,
                                 one.upstream.queries, one.upstream.failures});
        }
        return upstreams;
    };
    return out;
}

}  // namespace dnsd
