#include "dnsd/api/service_walk.h"

namespace dnsd::api {

std::shared_ptr<const registry::Service> ServiceWalk::next() {
    std::shared_ptr<const registry::Service> found;
    if (const auto* within = state_->find_namespace(last_namespace_)) found = next_in(*within);
    if (!found) {
        state_->namespaces.for_each_after(last_namespace_,
                                          [&](const std::string&, const auto& within) {
                                              found = next_in(*within);
                                              return found == nullptr;
                                          });
    }
    if (found) {
        last_namespace_ = found->spec.namespace_name;
        last_service_ = found->spec.name;
    }
    return found;
}

std::shared_ptr<const registry::Service> ServiceWalk::next_in(
    const registry::Namespace& within) const {
    std::shared_ptr<const registry::Service> found;
    if (!filter_.namespace_name.empty() && within.spec.name != filter_.namespace_name) return found;
    within.services.for_each_after(within.spec.name == last_namespace_ ? last_service_ : "",
                                   [&](const std::string& name, const auto& service) {
                                       if (!filter_.service.empty() && name != filter_.service)
                                           return true;
                                       found = service;
                                       return false;
                                   });
    return found;
}

}  // namespace dnsd::api
