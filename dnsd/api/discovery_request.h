// What an Envoy asks for over REST-JSON xDS: envoy.service.discovery.v3.DiscoveryRequest in
// protobuf's JSON, POSTed to /v3/discovery:endpoints, :clusters, :routes or :listeners.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dnsd/api/problem.h"

namespace dnsd::api {

enum class XdsType { Endpoints, Clusters, Routes, Listeners };

std::string_view type_url_of(XdsType type) noexcept;

// Which services a node is shown. Names are in lower case, without a final dot; "." is the root.
struct XdsScope {
    std::optional<std::set<std::string>> namespaces;  // nothing: all
    std::optional<std::set<std::string>> services;    // names as in the API, or full ones
    std::set<std::string> readable;                   // the token's namespaces; empty: all
    bool operator==(const XdsScope&) const = default;

    bool shows_namespace(const std::string& name) const;
    bool shows_service(const std::string& name, const std::string& full_name) const;
};

// A value.
struct DiscoveryRequest {
    XdsType type = XdsType::Endpoints;
    std::string version;             // of the resources that the node has; "" is none
    std::string node;                // its id
    std::vector<std::string> names;  // of the resources that it wants
    XdsScope scope;
    // node.metadata.listener, and node.metadata.tcp: the service behind each port of the node.
    SocketAddress listener{Ipv4{{127, 0, 0, 1}}, 15001};
    std::map<std::uint16_t, std::string> tcp;
};

// Fields that nobody knows are passed over, as protobuf does, and read in both its spellings: an
// Envoy names its 700 extensions in each request, and the next one will say more. 400 for what is
// no JSON, has a field of another shape, or breaks a limit.
Result<DiscoveryRequest, Problem> decode_discovery_request(XdsType type, std::string_view body);

}  // namespace dnsd::api
