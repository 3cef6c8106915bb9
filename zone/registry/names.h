// The names that services and instances have in a zone (BEHAVIOUR §1), and who owns a name.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "zone/registry/state.h"
#include "zone/wire/name.h"

namespace dnsd::registry {

// Names relative to the namespace: "web", "_web._tcp", "i-1.web".
std::string instance_name(std::string_view service, std::string_view id);
// RFC 2782: _service._proto.name, so web.prod becomes _web._tcp.prod. Nothing for a service whose
// own name starts with "_" already.
std::optional<std::string> srv_name(const model::ServiceSpec& service);

// As text without a final dot; the root namespace adds nothing.
std::string full_name(std::string_view relative, std::string_view namespace_name);

// Nothing if it breaks a limit of DNS.
std::optional<wire::Name> owner_name(std::string_view relative, const wire::Name& apex);

// Who has a name already: a service, or one of its instances.
struct Owner {
    std::string service;
    std::string instance;  // empty: the service itself
    bool operator==(const Owner&) const = default;
};
std::optional<Owner> find_owner(const Namespace& within, std::string_view relative);
std::string print(const Owner& owner);  // "service web", "instance i-1 of service web"

}  // namespace dnsd::registry
