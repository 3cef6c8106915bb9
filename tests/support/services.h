// Short ways to write services in tests.
#pragma once

#include <algorithm>
#include <string>

#include "zone/registry/state.h"

namespace dnsd::test {

inline constexpr WallTime noon{Milliseconds(1'767'268'800'000)};

inline model::InstanceSpec spec(std::string id, std::uint8_t last_octet = 1) {
    model::InstanceSpec made;
    made.id = std::move(id);
    made.ipv4 = Ipv4{{192, 0, 2, last_octet}};
    made.port = std::uint16_t{8080};
    return made;
}

inline model::Instance instance(std::string id,
                                model::HealthStatus status = model::HealthStatus::Healthy) {
    model::Instance made;
    made.spec.id = std::move(id);
    made.spec.ipv4 = Ipv4{{192, 0, 2, static_cast<std::uint8_t>(made.spec.id.back())}};
    made.spec.port = std::uint16_t{8080};
    made.status = status;
    made.status_since = noon;
    if (status == model::HealthStatus::Healthy) made.healthy_last = noon;
    return made;
}

inline registry::Service service(std::string name, std::vector<model::Instance> instances = {}) {
    registry::Service made;
    made.spec.namespace_name = "example.org";
    made.spec.name = std::move(name);
    made.spec.check.type = model::CheckType::Tcp;
    std::ranges::sort(instances, {}, [](const model::Instance& i) { return i.spec.id; });
    for (model::Instance& one : instances) {
        made.instances.push_back(std::make_shared<const model::Instance>(std::move(one)));
    }
    return made;
}

}  // namespace dnsd::test
