// What leads from one state to a later one: whatever decides an answer, as the change stream
// carries it from a registry to those that follow it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zone/model/event.h"
#include "zone/registry/records.h"
#include "zone/registry/service_key.h"
#include "zone/registry/state.h"

namespace dnsd::registry {

struct RRsetDelta {
    wire::Name owner;
    wire::RrType type{};
    std::uint32_t ttl = 0;
    RdataList records;  // empty: it is gone
};

struct NamespaceDelta {
    model::NamespaceSpec spec;
    model::Revision revision = 0;
    std::uint32_t serial = 0;
    Following following{};
    bool is_whole = false;            // plain RRsets that are not named are gone
    std::vector<RRsetDelta> records;  // new, changed, or gone
};

struct ServiceDelta {
    model::ServiceSpec spec;
    model::Revision revision = 0;
    model::Revision health_revision = 0;
    bool is_whole = false;                   // instances that are not named are gone
    std::vector<model::Instance> instances;  // new or changed, with all that is believed of them
    std::vector<std::string> gone;           // ids
};

// A value. Resources are named as the registry spells them.
struct Delta {
    model::Revision from = 0;      // of the state that it begins with; a whole one needs none
    model::Revision revision = 0;  // of the state that it leads to
    WallTime now{};         // by the clock of whoever made it: time decides some answers (max_age)
    bool is_whole = false;  // namespaces and services that are not named are gone
    std::vector<NamespaceDelta> namespaces;  // new or changed
    std::vector<std::string> gone_namespaces;
    std::vector<ServiceDelta> services;  // what an event was about, also if it is as it was
    std::vector<ServiceKey> gone_services;
    std::vector<model::Event> events;
};

// From `before` to what was published. `touched` names all services that may have changed, `zones`
// those whose serial moved.
Delta difference(const State& before, const State& after, const std::vector<ServiceKey>& touched,
                 const std::vector<std::string>& zones,
                 const std::vector<std::shared_ptr<const model::Event>>& events, WallTime now);
// The services and namespaces that events name, whole: for who knows the older state `from`.
Delta refresh(model::Revision from, const State& state, const std::vector<model::Event>& events,
              WallTime now);

// Whole, in parts of a bounded number of plain RRsets: the first says that it is whole, the others
// add to it. `within` must outlive it.
class NamespaceParts {
  public:
    explicit NamespaceParts(const Namespace& within);
    std::optional<NamespaceDelta> next();  // nothing: there are no more

  private:
    const Namespace& within_;
    std::vector<const tree::Node*> nodes_;
    std::size_t at_ = 0;
    bool begun_ = false;
};

NamespaceDelta delta_of(const Namespace& within);  // whole
ServiceDelta delta_of(const Service& service);     // whole

// JSON on one line.
std::string print(const Delta& delta);
std::string print(const NamespaceDelta& within);
std::string print(const ServiceDelta& service);
// Every specification in it is valid by itself (model::validate); the error says what is wrong.
Result<Delta> parse_delta(std::string_view json);
Result<NamespaceDelta> parse_namespace_delta(std::string_view json);
Result<ServiceDelta> parse_service_delta(std::string_view json);

}  // namespace dnsd::registry
