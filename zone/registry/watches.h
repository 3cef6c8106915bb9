// Which instance is watched under which number: keeps the checker's watches equal to the state.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "healthcheck/checker.h"
#include "zone/registry/reports.h"
#include "zone/registry/service_key.h"
#include "zone/registry/state.h"

namespace dnsd::registry {

// What the checker is to do for an instance; nothing: it is not watched.
std::optional<health::Target> target_of(const Service& service, const model::Instance& instance);
health::Thresholds thresholds_of(const model::ServiceSpec& service);

health::Status status_of(model::HealthStatus status) noexcept;
model::HealthStatus status_of(health::Status status) noexcept;

// Belongs to one thread. An instance whose belief began anew gets a new number: a verdict that was
// on its way speaks of what was there before, and finds nobody.
class Watches {
  public:
    struct Watched {
        ServiceKey key;
        std::string id;
        health::Target target;
        health::Thresholds thresholds;
        ReportedFailures reported{};
    };

    // Watches what changed between the two; null before: all of it is new, null after: it is gone.
    void follow(const ServiceKey& key, const Service* before, const Service* after,
                health::Checker& checker);
    void clear() { watched_.clear(), numbers_.clear(); }

    const Watched* find(std::uint64_t watch) const;
    // REQUIRES: the watch is there.
    ReportedFailures& reported(std::uint64_t watch) { return watched_.at(watch).reported; }
    std::optional<std::uint64_t> number_of(const ServiceKey& key, const std::string& id) const;
    std::size_t size() const noexcept { return watched_.size(); }

  private:
    void begin(const ServiceKey& key, const model::Instance& instance, health::Target target,
               const health::Thresholds& thresholds, health::Checker& checker);
    void end(const ServiceKey& key, const std::string& id, health::Checker& checker);

    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, Watched> watched_;
    std::map<ServiceKey, std::map<std::string, std::uint64_t>> numbers_;
};

}  // namespace dnsd::registry
