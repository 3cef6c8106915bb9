// What is told of the server and of what happened.
#include <fmt/format.h>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/handlers.h"
#include "dnsd/api/listing.h"
#include "dnsd/api/metrics_page.h"
#include "dnsd/api/openapi.h"
#include "dnsd/api/prometheus.h"

namespace dnsd::api {

namespace {

std::string list(const std::vector<SocketAddress>& addresses) {
    std::string json;
    for (const SocketAddress& address : addresses)
        json += (json.empty() ? "" : ",") + quoted_json(address.print());
    return '[' + json + ']';
}

// A revision in the query; nothing where it is not given.
Result<std::optional<model::Revision>, Problem> revision(const Call& call, std::string_view name) {
    const auto text = call.query(name);
    if (!text) return std::nullopt;
    const auto number = parse_unsigned(*text);
    if (!number) return std::unexpected(Problem{400, fmt::format("{} must be a revision", name)});
    return *number;
}

}  // namespace

void Handlers::watch(const Call& call) {
    auto filter = service_filter(call);
    if (!filter) return call.refuse(filter.error());
    std::optional<model::Revision> last_seen;
    if (const std::string* header = call.request().header("Last-Event-ID")) {
        last_seen = parse_unsigned(trimmed(*header));
        if (!last_seen) return call.refuse({400, "Last-Event-ID must be a revision"});
    }
    watch_.add(call, std::move(*filter), last_seen);
}

void Handlers::follow(const Call& call) {
    Changes::Wishes wishes{{}, call.query("identity").value_or(""), call.flag("heartbeat")};
    if (const std::string* header = call.request().header("Last-Event-ID")) {
        wishes.last_seen = parse_unsigned(trimmed(*header));
        if (!wishes.last_seen) return call.refuse({400, "Last-Event-ID must be a revision"});
    }
    changes_.add(call, std::move(wishes));
}

void Handlers::list_events(const Call& call) {
    const auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    auto before = revision(call, "before"), after = revision(call, "after");
    const auto token = revision(call, "page_token");
    if (!before) return call.refuse(before.error());
    if (!after) return call.refuse(after.error());
    if (!token) return call.refuse(token.error());
    if (*before && *after) return call.refuse({400, "before and after exclude each other"});
    if (*token) (*after ? after : before) = *token;  // goes on in the same direction
    const store::EventReader::Filter filter{call.query("namespace").value_or(""),
                                            call.query("service").value_or("")};
    // One more than asked for: so the page knows that it is cut.
    const auto events =
        *after ? surroundings_.events->after(**after, listing->limit + 1, filter)
               : surroundings_.events->before(before->value_or(0), listing->limit + 1, filter);
    if (!events) return call.refuse({503, "the event table: " + events.error().message});
    Page page("events", *listing);
    for (const model::Event& event : *events) {
        if (!page.add(fmt::format("{}", event.revision), print(event))) break;
    }
    call.reply({200, page.print("")});
}

// Never 404: Prometheus keeps its last list on anything but 200, and would go on scraping a service
// that was deleted. 503 only at a replica that has not heard its centre yet: nobody else is
// answered before the zones are loaded, and a store that cannot be written says nothing against
// what is read.
void Handlers::list_targets(const Call& call) {
    if (awaits_centre()) return call.refuse({503, "the centre has not been heard yet"});
    auto filter = service_filter(call);
    if (!filter) return call.refuse(filter.error());
    call.exchange->stream("application/json", std::make_shared<TargetList>(ServiceWalk(
                                                  registry_.state().load(), std::move(*filter))));
}

// An Envoy that asks without saying which namespaces means all that its token may read.
void Handlers::discover(XdsType type, const Call& call) {
    auto request = decode_discovery_request(type, call.request().body);
    if (!request) return call.refuse(request.error());
    const auto& asked = request->scope.namespaces;
    for (const std::string& name : asked.value_or(std::set<std::string>())) {
        if (!call.readable.empty() && !call.readable.contains(name))
            return call.refuse({403, fmt::format("the token is not for namespace {}", name)});
    }
    request->scope.readable = call.readable;
    xds_holds_.add(call, std::move(*request));
}

void Handlers::show_status(const Call& call) {
    const registry::State& state = state_.latest();
    std::size_t services = 0, instances = 0, healthy = 0, unhealthy = 0, draining = 0;
    state.namespaces.for_each([&](const std::string&, const auto& within) {
        services += within->services.size();
        within->services.for_each([&](const std::string&, const auto& service) {
            for (const auto& instance : service->instances) {
                ++instances;
                draining += instance->drain.has_value();
                healthy += !instance->drain && instance->status == model::HealthStatus::Healthy;
                unhealthy += !instance->drain && instance->status == model::HealthStatus::Unhealthy;
            }
        });
    });
    const auto writable = registry_.check_writable();
    const Following& following = surroundings_.following;
    std::string replica = "null";
    if (!following.centres.empty()) {
        const FollowingStatus status = following.status();
        replica = fmt::format(R"({{"connected":{},"centre":{},"silent_for":{},"trouble":{}}})",
                              status.is_connected, quoted_json(status.centre),
                              static_cast<double>(status.silent_for.count()) / 1000,
                              quoted_json(status.trouble));
    }
    call.reply(
        {200,
         fmt::format(
             R"({{"version":{},"started":"{}","revision":{},"namespaces":{},"services":{},)"
             R"("instances":{{"total":{},"healthy":{},"unhealthy":{},"unknown":{},"draining":{}}},)"
             R"("waiting":{},"watching":{},"following":{},"replica":{},"dns":{},"api":{},"tls":{},"store":{{"writable":{},"reason":{}}}}})",
             quoted_json(surroundings_.version), print_time(started_), state.revision,
             state.namespaces.size(), services, instances, healthy, unhealthy,
             instances - healthy - unhealthy - draining, draining, waiters_.size(), watch_.size(),
             changes_.size(), replica, list(surroundings_.dns_addresses), list(api_addresses_),
             tls_, writable.has_value(),
             writable ? "null" : quoted_json(writable.error().message))});
}

void Handlers::show_metrics(const Call& call) {
    std::vector<Metric> metrics;
    for (const MetricSource& source : surroundings_.metrics) {
        auto more = source();
        metrics.insert(metrics.end(), std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
    }
    metrics.push_back({"dnsd_api_waiting",
                       "Clients that wait for a change",
                       Metric::Kind::Gauge,
                       {{{}, static_cast<double>(waiters_.size()), {}}},
                       {}});
    metrics.push_back({"dnsd_api_watching",
                       "Clients that follow /v1/watch",
                       Metric::Kind::Gauge,
                       {{{}, static_cast<double>(watch_.size()), {}}},
                       {}});
    metrics.push_back({"dnsd_api_following",
                       "Replicas that follow /v1/changes",
                       Metric::Kind::Gauge,
                       {{{}, static_cast<double>(changes_.size()), {}}},
                       {}});
    for (Metric& metric : xds_holds_.metrics()) metrics.push_back(std::move(metric));
    call.reply({200, print_metrics(metrics), "text/plain; version=0.0.4; charset=utf-8", {}});
}

bool Handlers::awaits_centre() const {
    const Following& following = surroundings_.following;
    return !following.centres.empty() && !following.status().has_state;
}

void Handlers::show_health(const Call& call) { call.reply({200, R"({"alive":true})"}); }

// Zones are loaded and sockets bound before the API answers anybody.
void Handlers::show_readiness(const Call& call) {
    const auto writable = registry_.check_writable();
    if (awaits_centre())
        return call.reply(
            {503, R"({"ready":false,"reasons":["the centre has not been heard yet"]})"});
    if (writable) return call.reply({200, R"({"ready":true,"reasons":[]})"});
    call.reply({503, fmt::format(
                         R"({{"ready":false,"reasons":[{}]}})",
                         quoted_json("the store cannot be written: " + writable.error().message))});
}

void Handlers::show_openapi(const Call& call) {
    call.reply({200, print_openapi(surroundings_.version)});
}

}  // namespace dnsd::api
