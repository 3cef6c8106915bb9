// What the registry knows, as an immutable value: the API reads it without asking the writer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zone/model/types.h"
#include "zone/registry/ordered_map.h"
#include "zone/tree/zone.h"
#include "zone/wire/tsig.h"

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
    // The same, sooner where it is number `likely`.
    const model::Instance* find(std::string_view id, std::size_t likely) const noexcept;
};

// What a secondary knows of the zone that it follows.
struct Following {
    WallTime refreshed{};  // when a primary last said that this is the newest; the epoch: never
    bool expired = true;   // too long ago (RFC 1034 §4.3.5), or never: SERVFAIL
    bool operator==(const Following&) const = default;
};

struct Namespace {
    model::NamespaceSpec spec;
    model::Revision revision = 0;
    std::uint32_t serial = 0;
    // The plain record sets, whatever services there are beside them; null: none. It has a SOA and
    // NS of its own where they were imported, transferred or changed; otherwise the served zone has
    // those that we make up. The serial in that SOA does not count.
    std::shared_ptr<const tree::Zone> records{};
    std::uint64_t content = 0;                            // tree::content_sum of the served zone
    Following following{};                                // of a secondary
    OrderedMap<std::shared_ptr<const Service>> services;  // by name
};

// A secret shared with other name servers; never shown.
struct Key {
    wire::TsigKey tsig;
    model::Revision revision = 0;
};

// Shares what did not change with the state before it.
struct State {
    model::Revision revision = 0;
    OrderedMap<std::shared_ptr<const Namespace>> namespaces;  // by name
    OrderedMap<std::shared_ptr<const Key>> keys;              // by name

    const Namespace* find_namespace(std::string_view name) const noexcept;
    const Service* find_service(std::string_view namespace_name,
                                std::string_view name) const noexcept;
};

}  // namespace dnsd::registry
