// What the API does with a request. Belongs to the API's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "dnsd/api/changes.h"
#include "dnsd/api/courier.h"
#include "dnsd/api/following.h"
#include "dnsd/api/forwarding.h"
#include "dnsd/api/routes.h"
#include "dnsd/api/tokens.h"
#include "dnsd/api/waiters.h"
#include "dnsd/api/watch.h"
#include "dnsd/api/xds_holds.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"

namespace dnsd::api {

// What the daemon gives the API to work with.
struct Surroundings {
    registry::Registry& registry;
    std::unique_ptr<store::EventReader> events;
    model::Defaults defaults;
    Forwarding forwarding;
    Following following;
    std::vector<MetricSource> metrics;
    std::vector<SocketAddress> dns_addresses;
    std::string version;
};

class Handlers {
  public:
    Handlers(io::Loop& loop, Surroundings& surroundings, std::shared_ptr<Courier> courier,
             const Clock& clock);

    // Finds the route, asks for the token, and answers, now or later.
    void handle(const std::shared_ptr<Exchange>& exchange);
    void news(const registry::Published& published);
    void stop();  // whoever waits or watches is let go

    void set_tokens(Tokens tokens);
    void set_metrics_open(bool open) { metrics_open_ = open; }
    void set_tls(bool tls) { tls_ = tls; }
    void set_api_addresses(std::vector<SocketAddress> addresses) {
        api_addresses_ = std::move(addresses);
    }

    // The table's.
    void list_namespaces(const Call& call);
    void show_namespace(const Call& call);
    void put_namespace(const Call& call);
    void delete_namespace(const Call& call);
    void list_services(const Call& call);
    void show_service(const Call& call);
    void put_service(const Call& call);
    void delete_service(const Call& call);
    void list_instances(const Call& call);
    void put_instances(const Call& call);
    void show_instance(const Call& call);
    void put_instance(const Call& call);
    void delete_instance(const Call& call);
    void put_health(const Call& call);
    void heartbeat(const Call& call);
    void reconfirm(const Call& call);
    void report(const Call& call);
    void watch(const Call& call);
    void follow(const Call& call);
    void list_events(const Call& call);
    void show_cache(const Call& call);
    void flush_cache(const Call& call);
    void list_upstreams(const Call& call);
    void list_targets(const Call& call);
    void discover_endpoints(const Call& call) { discover(XdsType::Endpoints, call); }
    void discover_clusters(const Call& call) { discover(XdsType::Clusters, call); }
    void discover_routes(const Call& call) { discover(XdsType::Routes, call); }
    void discover_listeners(const Call& call) { discover(XdsType::Listeners, call); }
    void show_status(const Call& call);
    void show_metrics(const Call& call);
    void show_health(const Call& call);
    void show_readiness(const Call& call);
    void show_openapi(const Call& call);

  private:
    bool awaits_centre() const;
    using Render = std::function<Reply(const registry::Applied&)>;

    std::optional<Problem> judge_token(const Route& route, Call& call) const;
    void discover(XdsType type, const Call& call);
    void submit(const Call& call, registry::Change change, Render render);
    void warn_of_zero_ttl(bool is_zero);
    // Names as the registry spells them: of the path, and of ?namespace=&service=.
    std::string namespace_name(const std::string& asked) const;
    std::string namespace_name(const Call& call) const { return namespace_name(call.names[0]); }
    std::string service_name(const std::string& within, const std::string& asked) const;
    std::string service_name(const Call& call) const {
        return service_name(namespace_name(call), call.names[1]);
    }
    Result<ServiceFilter, Problem> service_filter(const Call& call) const;

    Surroundings& surroundings_;
    registry::Registry& registry_;
    std::shared_ptr<Courier> courier_;
    const Clock& clock_;
    WallTime started_;
    Tokens tokens_;
    bool metrics_open_ = false, tls_ = false;
    bool warned_of_zero_ttl_ = false;
    std::vector<SocketAddress> api_addresses_;
    SnapshotView<registry::State> state_;
    Waiters waiters_;
    Watch watch_;
    Changes changes_;
    XdsHolds xds_holds_;
};

}  // namespace dnsd::api
