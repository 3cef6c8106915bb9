#include "zone/registry/state.h"

#include <algorithm>

namespace dnsd::registry {

const model::Instance* Service::find(std::string_view id) const noexcept {
    const auto at = std::ranges::lower_bound(
        instances, id, {},
        [](const auto& instance) -> std::string_view { return instance->spec.id; });
    return at != instances.end() && (*at)->spec.id == id ? at->get() : nullptr;
}

const model::Instance* Service::find(std::string_view id, std::size_t likely) const noexcept {
    if (likely < instances.size() && instances[likely]->spec.id == id)
        return instances[likely].get();
    return find(id);
}

const Namespace* State::find_namespace(std::string_view name) const noexcept {
    const auto* found = namespaces.find(name);
    return found ? found->get() : nullptr;
}

const Service* State::find_service(std::string_view namespace_name,
                                   std::string_view name) const noexcept {
    const Namespace* within = find_namespace(namespace_name);
    if (!within) return nullptr;
    const auto* found = within->services.find(name);
    return found ? found->get() : nullptr;
}

}  // namespace dnsd::registry
