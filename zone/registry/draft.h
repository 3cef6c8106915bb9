// The next state while it is made: changes are judged and applied one after the other, each on its
// own. A change that is refused leaves the draft as it was. The draft is thrown away if its
// transaction fails.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "zone/model/event.h"
#include "zone/registry/hosted.h"
#include "zone/registry/registry.h"
#include "zone/registry/service_key.h"
#include "zone/registry/state.h"

namespace dnsd::registry {

// What the checker found out about an instance.
struct Verdict {
    ServiceKey key;
    std::string id;
    model::HealthStatus status;
    WallTime detected;
    std::vector<model::ProbeRecord> probes;
};

// Belongs to one thread.
class Draft {
  public:
    struct Rules {
        std::uint32_t instances_per_service_max = 10'000;
        // When a drain that begins now surely has ended, whatever caches hold. Known better once
        // the change is published: see settle().
        std::function<WallTime(const ServiceKey&)> surely_safe_after;
        // What zones hold that have no SOA of their own; outlives the draft.
        const Infrastructure& infrastructure;
        // A zone as it is answered, or will be soon; null: it is not there.
        std::function<std::shared_ptr<const tree::Zone>(const wire::Name& apex)> served{};
    };
    struct TouchedNamespace {
        std::shared_ptr<const Namespace> before;  // null: it is new
        std::shared_ptr<Namespace> writable;      // null: deleted
    };
    struct TouchedService {
        std::shared_ptr<const Service> before;  // null: it is new
        std::shared_ptr<Service> writable;      // null: deleted, or looked at alone
    };

    Draft(std::shared_ptr<const State> from, Rules rules, WallTime now);
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    // REQUIRES: not a Heartbeat, not a Reconfirm: those change nothing here.
    Outcome apply(const Change& change, WallTime submitted);
    void apply(const Verdict& verdict, WallTime submitted);
    // Ends the drains that are due, and has the service compiled anew.
    void time_passed(const ServiceKey& key);
    // Time alone moved the service's answers: that is a change too.
    void answers_moved(const ServiceKey& key);

    // Whether it takes over what another registry did: revisions, serials and events come from
    // there.
    bool is_following() const noexcept { return is_following_; }
    // The identity of the store that was followed whole; empty: none was.
    const std::string& new_identity() const noexcept { return new_identity_; }

    // Whether anything was touched; without, there is nothing to commit.
    bool is_touched() const noexcept {
        return !namespaces_.empty() || !services_.empty() || !keys_.empty();
    }
    const State& state() const noexcept { return state_; }
    WallTime now() const noexcept { return now_; }
    const std::map<std::string, TouchedNamespace>& namespaces() const noexcept {
        return namespaces_;
    }
    const std::map<ServiceKey, TouchedService>& services() const noexcept { return services_; }
    // By name; null: it is deleted.
    const std::map<std::string, std::shared_ptr<const Key>>& keys() const noexcept { return keys_; }
    // The serial that a zone must have at least, since its SOA was set to it.
    std::optional<std::uint32_t> wanted_serial(const std::string& namespace_name) const;
    std::vector<model::Event>& events() noexcept { return events_; }

    Namespace& namespace_for_write(const std::string& name);
    // The drain's end, once it is known. REQUIRES: the instance drains.
    void settle(const ServiceKey& key, const std::string& id, WallTime safe_after);

    // The draft must not be changed afterwards.
    std::shared_ptr<const State> finish() const { return std::make_shared<const State>(state_); }

  private:
    Outcome apply_to(const PutNamespace& put, const Change& change);
    Outcome apply_to(const DeleteNamespace& del, const Change& change);
    Outcome apply_to(const PutService& put, const Change& change);
    Outcome apply_to(const DeleteService& del, const Change& change);
    Outcome apply_to(const PutInstance& put, const Change& change);
    Outcome apply_to(const PutInstances& put, const Change& change);
    Outcome apply_to(const DeleteInstance& del, const Change& change);
    Outcome apply_to(const SetHealth& set, const Change& change);
    Outcome apply_to(const ImportZone& import, const Change& change);
    Outcome apply_to(const ChangeRecords& records, const Change& change);
    Outcome apply_to(const TakeTransfer& transfer, const Change& change);
    Outcome apply_to(const SetFreshness& freshness, const Change& change);
    Outcome apply_to(const PutKey& put, const Change& change);
    Outcome apply_to(const DeleteKey& del, const Change& change);
    Outcome apply_to(const Follow& follow, const Change& change);
    Outcome take_records(const std::string& name, std::shared_ptr<const tree::Zone> plain,
                         std::string cause);
    void change_role(Namespace& within, const model::NamespaceSpec& spec) const;
    std::optional<Refusal> judge_secondary(const Namespace& within) const;
    std::optional<std::string> judge(const Delta& delta) const;
    void follow(const NamespaceDelta& delta);
    void follow(const ServiceDelta& delta);
    void leave_namespace(const std::string& name);
    void leave_service(const ServiceKey& key);

    std::optional<Refusal> judge_name(const Namespace& within, std::string_view relative,
                                      std::string_view pointer, std::string_view service,
                                      std::string_view instance) const;
    std::optional<Refusal> judge(const Namespace& within, const Service& service,
                                 const model::InstanceSpec& spec) const;
    model::InstanceEvent put(Service& service, const Namespace& within,
                             const model::InstanceSpec& spec, model::Revision revision);
    model::InstanceEvent drain(const ServiceKey& key, Service& service, std::size_t at,
                               model::Revision revision);
    void begin_belief(const model::Check& check, model::Instance& instance) const;
    void change_belief(model::Instance& instance, model::HealthStatus status, WallTime since);

    Service& service_for_write(const ServiceKey& key);
    TouchedService& touch(const ServiceKey& key);
    model::Event& happened(std::string cause, std::string namespace_name, std::string service);

    State state_;
    Rules rules_;
    WallTime now_;
    WallTime submitted_{};  // of the change that is being applied
    std::map<std::string, TouchedNamespace> namespaces_;
    std::map<ServiceKey, TouchedService> services_;
    std::map<std::string, std::shared_ptr<const Key>> keys_;
    std::map<std::string, std::uint32_t> wanted_serials_;
    std::vector<model::Event> events_;
    bool is_following_ = false;
    std::string new_identity_;
};

// "healthy", "unhealthy", "unknown" or "draining": what the API shows.
std::string shown_status(const model::Instance& instance);

// Whether two checks ask the same question. Cadence and thresholds may differ: a belief survives
// their change.
bool asks_the_same(model::Check a, const model::Check& b);

}  // namespace dnsd::registry
