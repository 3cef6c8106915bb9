// Which service.
#pragma once

#include <compare>
#include <string>

namespace dnsd::registry {

struct ServiceKey {
    std::string namespace_name, service;
    auto operator<=>(const ServiceKey&) const = default;
};

}  // namespace dnsd::registry
