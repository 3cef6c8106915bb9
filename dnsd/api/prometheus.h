// Instances as Prometheus finds them over HTTP:
// https://prometheus.io/docs/prometheus/latest/http_sd/
//
//   list  = "[" [ group *( "," group ) ] "]"
//   group = {"targets": ["192.0.2.1:80"], "labels": {"__meta_dnsd_service": "web", ...}}
#pragma once

#include <optional>
#include <string>

#include "dnsd/api/exchange.h"
#include "dnsd/api/service_walk.h"

namespace dnsd::api {

// One instance whatever its health, since monitoring must see the dead. By IPv4 where it has both
// addresses: two targets would be scraped as two. Nothing where it drains, or has no address or no
// port.
//
// Attributes are labels whose names keep letters, digits and '_'; each other character becomes '_'.
// Of attributes that come out alike the first by name is there: a label has one value.
std::optional<std::string> print_target_group(const registry::Service& service,
                                              const model::Instance& instance);

// The whole list. It is written in pieces: of a large registry it must not stand in memory as one
// text. Belongs to the API's thread.
class TargetList final : public Source {
  public:
    explicit TargetList(ServiceWalk services) : services_(std::move(services)) {}

    std::optional<std::string> next() override;

  private:
    // "" where the service has none.
    std::string groups_of(const registry::Service& service);

    ServiceWalk services_;
    bool started_ = false, ended_ = false;
    bool first_ = true;  // of the groups: no comma before it
};

}  // namespace dnsd::api
