// What the registry knows, as an immutable value: the API reads it without asking the writer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zone/model/types.h"
#include "zone/registry/ordered_map.h"

namespace dnsd::registry {

struct Service {
    model::ServiceSpec spec;
    model::Revision revision = 0;         // of the last registration, of it or of an instance in it
    model::Revision health_revision = 0;  // of the last change of a status
    std::vector<std::shared_ptr<const model::Instance>> instances;  // by id, draining ones too

    model::Revision index() const noexcept {
        return revision > health_revision ? revision : health_revision;
    }
    const model::Instance* find(std::string_view id) const noexcept;
};

struct Namespace {
    model::NamespaceSpec spec;
    model::Revision revision = 0;
    std::uint32_t serial = 0;
    OrderedMap<std::shared_ptr<const Service>> services;  // by name
};

// Shares what did not change with the state before it.
struct State {
    model::Revision revision = 0;
    OrderedMap<std::shared_ptr<const Namespace>> namespaces;  // by name

    const Namespace* find_namespace(std::string_view name) const noexcept;
    const Service* find_service(std::string_view namespace_name,
                                std::string_view name) const noexcept;
};

}  // namespace dnsd::registry
