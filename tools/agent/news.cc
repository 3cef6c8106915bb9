#include "tools/agent/news.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace dnsd::agent {

namespace {

using Json = nlohmann::json;

// It becomes a word of a line that a control socket reads, so nothing else may be in it. Octets
// that are no letters, digits, hyphens or underscores are escaped as \DDD, or by a backslash.
bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 1024 && text.front() != '-' &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<> read_names(const Json& json, Change& change) {
    for (const Json& name : json.value("dns_names", Json::array())) {
        if (!name.is_string() || !is_name(name.get_ref<const std::string&>()))
            return fail("dns_names holds no names");
        change.stale.add_name(change.namespace_name, name);
    }
    // Instead of dns_names, where they are too many.
    for (const Json& name : json.value("subtrees", Json::array())) {
        if (!name.is_string() || !is_name(name.get_ref<const std::string&>()))
            return fail("subtrees holds no names");
        change.stale.add_zone(name);
    }
    return {};
}

}  // namespace

Result<Change> parse_change(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail("a change is no JSON object");
    try {
        Change change;
        change.revision = json.at("revision").get<std::uint64_t>();
        change.cause = json.value("cause", "");
        const Json namespace_name = json.value("namespace", Json());
        if (namespace_name.is_string())
            change.namespace_name = lower_cased(namespace_name.get_ref<const std::string&>());
        const Json service = json.value("service", Json());
        if (service.is_string())
            change.service = lower_cased(service.get_ref<const std::string&>());
        if (!change.namespace_name.empty() && !is_name(change.namespace_name))
            return fail("the namespace is no name");
        if (auto read = read_names(json, change); !read) return std::unexpected(read.error());
        return change;
    } catch (const Json::exception& error) {
        return fail(error.what());
    }
}

Result<Snapshot> parse_snapshot(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail("a snapshot is no JSON object");
    try {
        Snapshot snapshot;
        snapshot.revision = json.at("revision").get<std::uint64_t>();
        for (const Json& service : json.at("services")) {
            const std::string name =
                lower_cased(service.at("namespace").get_ref<const std::string&>());
            if (!is_name(name)) return fail("a namespace is no name");
            snapshot.namespaces.insert(name);
        }
        return snapshot;
    } catch (const Json::exception& error) {
        return fail(error.what());
    }
}

}  // namespace dnsd::agent
