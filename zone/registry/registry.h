// The single writer: change -> store -> state -> RRsets -> zone.
//
// Whatever changes an answer is a Change. The writer's thread takes all that wait, commits them in
// one SQLite transaction, publishes, and only then tells whoever submitted them: durable before
// visible, visible before acknowledged. Changes committed together stand alone: one that is refused
// does not undo its neighbours; if the commit itself fails, all get Unavailable and nothing has
// changed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/snapshot.h"
#include "healthcheck/checker.h"
#include "zone/model/event.h"
#include "zone/model/types.h"
#include "zone/model/validate.h"
#include "zone/registry/delta.h"
#include "zone/registry/records.h"
#include "zone/registry/service_key.h"
#include "zone/registry/state.h"
#include "zone/store/store.h"
#include "zone/tree/zone_set.h"

namespace dnsd::registry {

// What is asked for. Specifications are valid by themselves (model::validate) when they are
// submitted.
struct PutNamespace {
    model::NamespaceSpec spec;
};
struct DeleteNamespace {
    std::string name;
};
struct PutService {
    model::ServiceSpec spec;
};
struct DeleteService {
    std::string namespace_name, name;
};
struct PutInstance {
    std::string namespace_name, service;
    model::InstanceSpec spec;
};
struct PutInstances {  // the whole set: those that are missing drain
    std::string namespace_name, service;
    std::vector<model::InstanceSpec> specs;
};
struct DeleteInstance {
    std::string namespace_name, service, id;
};
struct SetHealth {  // services with a custom check alone
    std::string namespace_name, service, id;
    model::HealthStatus status;
};
struct Heartbeat {
    std::string namespace_name, service, id;
};  // services with a lease alone
struct Reconfirm {
    std::string namespace_name, service, id;
    bool wait = false;  // acknowledged with the verdict
};
// What somebody saw of the instance. Enough failures within the service's window have it
// reconfirmed; they never make a verdict.
struct Report {
    std::string namespace_name, service, id;
    bool failure = true;
    std::uint32_t count = 1;
    std::string error{};  // in the reporter's words
    bool wait = false;    // acknowledged with the verdict, where it is reconfirmed
};

// The plain record sets of a zone, all of them: the zone is made if it is not there. Services stay.
// The serial moves forward: to the SOA's, if that is ahead (RFC 1982), or else by one.
// REQUIRES: a SOA and NS at the apex; tree::check finds no error.
struct ImportZone {
    model::NamespaceSpec spec;  // of a new zone; of one that is there, only the name counts
    std::shared_ptr<const tree::Zone> records;
};
// Some of them. Refused whole, with the rcode of the first prerequisite that does not hold.
struct ChangeRecords {
    std::string namespace_name;
    std::vector<Prerequisite> prerequisites{};
    std::vector<RecordEdit> edits;
    // RFC 2136 §3.4.2: what makes no sense is passed over in silence (a CNAME beside other data, a
    // SOA that is not newer, the last NS). Otherwise it is refused.
    bool is_update = false;
};
// What a secondary has fetched: the zone as its primary holds it, SOA and serial included, sound or
// not. It is then fresh as of `refreshed`.
struct TakeTransfer {
    std::string namespace_name;
    std::shared_ptr<const tree::Zone> zone;
    WallTime refreshed;
};
// A primary said that the serial is the newest; or too long none has said so: the zone expires.
struct SetFreshness {
    std::string namespace_name;
    Following following;
};
// A TSIG key.
struct PutKey {
    wire::TsigKey key;
};
struct DeleteKey {
    std::string name;  // as print(wire::Name) writes it, lower case
};

// What another registry, which this one follows, did: taken over as it is, with its revisions and
// serials. All of it or nothing; refused if it does not begin with the state that is here.
struct Follow {
    std::shared_ptr<const Delta> delta;
    std::string identity;  // of the store that is followed; a whole delta makes it this one's
};

struct Change {
    std::variant<PutNamespace, DeleteNamespace, PutService, DeleteService, PutInstance,
                 PutInstances, DeleteInstance, SetHealth, Heartbeat, Reconfirm, Report, ImportZone,
                 ChangeRecords, TakeTransfer, SetFreshness, PutKey, DeleteKey, Follow>
        what;
    std::optional<model::Revision> if_match;  // the revision that the resource must have
    bool if_none_match = false;               // the resource must not be there (If-None-Match: *)
};

// Why a change was refused; nothing has changed then.
struct Refusal {
    enum class Kind {
        NotFound,
        Conflict,
        PreconditionFailed,
        Unprocessable,
        TooMany,
        Unavailable,  // the store cannot write, or the queue is full
    };
    Kind kind;
    std::string detail;
    std::vector<model::FieldError> errors;
    std::optional<wire::Rcode> rcode{};  // of ChangeRecords: what an UPDATE is answered
};

// What came of a Report.
struct Reported {
    std::uint32_t failures = 0;  // within the window, this report included
    std::uint32_t threshold = 0;
    bool reconfirm = false;  // it is probed at once
};

// What a change did. `state` is the first that holds it: it shows the resource.
struct Applied {
    model::Revision revision = 0;  // of the resource now
    bool created = false;
    bool changed = false;                        // false: it was so already, and no revision moved
    std::optional<WallTime> safe_after;          // DeleteInstance
    std::optional<model::HealthStatus> verdict;  // Reconfirm and Report with wait
    std::optional<Reported> reported;            // Report
    std::shared_ptr<const State> state;
};

using Outcome = Result<Applied, Refusal>;

// What was published together: one call per transaction, events by revision.
struct Published {
    std::shared_ptr<const State> state;
    std::vector<std::shared_ptr<const model::Event>> events;
    std::vector<ServiceKey> touched;  // services that may have changed, some without an event
    std::vector<std::string> zones;   // whose serial has moved, or that are gone, by namespace
};

class Registry {
  public:
    struct Options {
        std::uint32_t instances_per_service_max = 10'000;
        std::size_t changes_waiting_max = 100'000;
        Milliseconds publish_delay{0};  // between commit and visible; for experiments (profile aws)
        std::string advertised_name;    // "" : ns.dns.<zone>; MNAME and NS of every zone
        std::vector<IpAddress> dns_addresses;  // what ns.dns.<zone> answers
        std::vector<IpAddress> api_addresses;  // what api.<zone> and data-api.<zone> answer
        bool track_answers = true;  // marks; without them safe_after takes the largest TTL in force
        // Every change is a Follow: nothing here happens by itself, and no serial moves.
        bool is_following = false;
        std::uint32_t ttl_max = UINT32_MAX;  // of all that is answered, negative TTLs too
        store::HistoryLimits history{};      // of the differences that are kept for IXFR
    };

    // Loads the store, compiles and publishes what it holds, and starts the writer's thread.
    // `clock` must outlive it.
    static Result<std::unique_ptr<Registry>> open(Options options,
                                                  std::unique_ptr<store::Store> store,
                                                  const Clock& clock);
    virtual ~Registry() =
        default;  // carries out what was submitted, then stops and joins the thread

    // Any thread. `done` runs on the writer's thread, once, after the change is visible to every
    // worker (or refused); where the queue is full, at once on the caller's. It must not block.
    // A service's custom_health_delay holds SetHealth back, and its acknowledgement with it.
    virtual void submit(Change change, std::move_only_function<void(Outcome)> done) = 0;

    // The checker, once it is made: from now on it is told what to watch, and nothing was watched
    // before. With nullptr it is let go: no call to it is under way when this returns. Any thread
    // but the writer's. Whoever attached one lets it go before the registry ends.
    virtual void attach(health::Checker* checker) = 0;
    virtual void transitions(
        std::vector<health::Transition> transitions) = 0;  // any thread; from the checker

    // Called on the writer's thread after each publication from now on, before the
    // acknowledgements, in the order in which they were added. They must not block. Any thread but
    // the writer's.
    virtual void on_published(std::function<void(const Published&)> listener) = 0;

    // How many follow this registry now: they answer too, unseen by the marks. While there are
    // some, and for the TTLs in force after the last has left, an instance counts as handed out at
    // its withdrawal. Any thread.
    virtual void set_followers(std::size_t count) = 0;
    // Which store this is: drawn when it was made. Any thread.
    virtual std::string identity() const = 0;

    virtual const Snapshot<tree::ZoneSet>& zones() const noexcept = 0;  // any thread
    virtual const Snapshot<State>& state() const noexcept = 0;          // any thread
    virtual Result<> check_writable() = 0;  // any thread: as of the last attempt
    virtual std::vector<Metric> metrics()
        const = 0;  // any thread: propagation histogram, revision, counts
};

}  // namespace dnsd::registry
