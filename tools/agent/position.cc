#include "tools/agent/position.h"

#include <nlohmann/json.hpp>

namespace dnsd::agent {

using Json = nlohmann::json;

std::string Position::print() const {
    Json json;
    json["revision"] = revision ? Json(*revision) : Json();
    json["namespaces"] = namespaces;
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::optional<Position> Position::parse(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    try {
        Position position;
        const Json& revision = json.at("revision");
        if (!revision.is_null() && !revision.is_number_unsigned()) return std::nullopt;
        if (!revision.is_null()) position.revision = revision.get<std::uint64_t>();
        position.namespaces = json.at("namespaces").get<std::set<std::string>>();
        return position;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

}  // namespace dnsd::agent
