// What the API does with a request. Belongs to the API's thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/io/work.h"
#include "base/metrics.h"
#include "dnsd/api/changes.h"
#include "dnsd/api/courier.h"
#include "dnsd/api/following.h"
#include "dnsd/api/forwarding.h"
#include "dnsd/api/record_sets.h"
#include "dnsd/api/routes.h"
#include "dnsd/api/tokens.h"
#include "dnsd/api/waiters.h"
#include "dnsd/api/watch.h"
#include "dnsd/api/xds_holds.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/store/store.h"
#include "zone/tree/master_file.h"
#include "zone/tree/zone_set.h"
#include "zone/wire/name.h"

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
    // A secondary asks its primaries now. Any thread; empty: nothing here does.
    std::function<void(const std::string& zone)> refresh = {};
};

class Handlers {
  public:
    Handlers(io::Loop& loop, Surroundings& surroundings, std::shared_ptr<Courier> courier,
             const Clock& clock);

    // Finds the route, asks for the token, and answers, now or later.
    void handle(const std::shared_ptr<Exchange>& exchange);
    void news(const registry::Published& published);
    void stop();  // whoever waits or watches is let go
    // Whether the body that follows may be a zone file: the route takes one, it says that it is
    // one, and its token may send it. Asked before anything of it is read.
    bool awaits_zone_file(const Request& request) const;

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
    void list_zones(const Call& call);
    void show_zone(const Call& call);
    void put_zone(const Call& call);
    void delete_zone(const Call& call);
    void refresh_zone(const Call& call);
    void list_record_sets(const Call& call);
    void change_record_sets(const Call& call);
    void show_record_set(const Call& call);
    void put_record_set(const Call& call);
    void delete_record_set(const Call& call);
    void list_keys(const Call& call);
    void show_key(const Call& call);
    void put_key(const Call& call);
    void delete_key(const Call& call);
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

    // `readable`: the namespaces that the answer keeps to; empty: all.
    std::optional<Problem> judge_token(const Route& route, const Request& request,
                                       const std::vector<std::string>& names,
                                       std::set<std::string>& readable) const;
    void discover(XdsType type, const Call& call);
    using Explain = std::function<Problem(Problem)>;  // may say more, or less
    void submit(const Call& call, registry::Change change, Render render,
                Explain explain = std::identity());
    void warn_of_zero_ttl(bool is_zero);
    void put_namespace(const Call& call, model::NamespaceSpec spec);
    // What the body says. A SOA that the zone has of its own keeps what is not said about it.
    Result<model::NamespaceSpec, Problem> namespace_wanted(const Call& call,
                                                           const std::string& name);

    // The zone that the path names, as it is now.
    struct ZoneFound {
        std::shared_ptr<const registry::State> state;
        const registry::Namespace* within;
        wire::Name apex;
        std::shared_ptr<const tree::Zone> served;
    };
    Result<ZoneFound, Problem> find_zone(const Call& call);
    // As ?view= chooses: the plain record sets, or all that is served.
    Result<std::shared_ptr<const tree::Zone>, Problem> view(const Call& call,
                                                            const ZoneFound& zone) const;
    void export_zone(const Call& call, const ZoneFound& zone);
    void import_zone(const Call& call, const wire::Name& apex);
    void imported(const Call& call, model::NamespaceSpec spec, tree::MasterFile file);
    void change_record_sets(const Call& call, const ZoneFound& zone,
                            const std::vector<RecordSetChange>& changes, bool is_batch,
                            Render render);
    // In the thread pool, unless too much waits there.
    template <class Job, class Done>
    void beside_the_loop(const Call& call, Job job, Done done) {
        if (work_.under_way() >= jobs_max)
            return call.refuse({503, "too many zones are being read or written just now"});
        work_.run(std::move(job), std::move(done));
    }
    static constexpr std::size_t jobs_max = 64;  // each holds a zone's text

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
    SnapshotView<tree::ZoneSet> zones_;
    io::Work work_;
    Waiters waiters_;
    Watch watch_;
    Changes changes_;
    XdsHolds xds_holds_;
};

}  // namespace dnsd::api
