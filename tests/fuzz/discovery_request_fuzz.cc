// What an Envoy may ask for: whatever is read keeps its bounds, and what is rendered for it is JSON
// that names the version it has.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "dnsd/api/xds.h"

using namespace dnsd;
using namespace dnsd::api;

namespace {

const registry::State& state() {
    static const registry::State made = [] {
        auto instance = std::make_shared<model::Instance>();
        instance->spec = {.id = "i-1", .ipv4 = Ipv4{{192, 0, 2, 1}}, .port = std::uint16_t{80}};
        auto service = std::make_shared<registry::Service>();
        service->spec.namespace_name = "example.org";
        service->spec.name = "web";
        service->instances = {instance};
        auto within = std::make_shared<registry::Namespace>();
        within->spec.name = "example.org";
        within->services.set("web", service);
        registry::State state;
        state.revision = 1;
        state.namespaces.set("example.org", within);
        return state;
    }();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    for (const XdsType type :
         {XdsType::Endpoints, XdsType::Clusters, XdsType::Routes, XdsType::Listeners}) {
        const auto request = decode_discovery_request(type, body);
        if (!request) {
            if (request.error().status != 400) std::abort();
            continue;
        }
        if (request->names.size() > 1'000 || request->tcp.size() > 256) std::abort();
        const XdsAnswer answer = render(*request, state(), WallTime());
        const auto json = nlohmann::json::parse(answer.body);
        if (json.at("version_info") != answer.version || !json.at("resources").is_array())
            std::abort();
    }
    return 0;
}
