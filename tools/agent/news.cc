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

// The names of a list that may be missing.
Result<std::vector<std::string>> read_names(const Json& json, const char* field) {
    std::vector<std::string> names;
    const auto found = json.find(field);
    if (found == json.end()) return names;
    if (!found->is_array()) return fail(std::string(field) + " is no list");
    for (const Json& name : *found) {
        if (!name.is_string() || !is_name(name.get_ref<const std::string&>()))
            return fail(std::string(field) + " holds what is no name");
        names.push_back(name);
    }
    return names;
}

Result<std::uint64_t> read_revision(const Json& json) {
    const auto found = json.find("revision");
    if (found == json.end() || !found->is_number_unsigned()) return fail("there is no revision");
    return found->get<std::uint64_t>();
}

// In lower case; empty where it is null or missing.
std::string read_text(const Json& json, const char* field) {
    const auto found = json.find(field);
    return found != json.end() && found->is_string()
               ? lower_cased(found->get_ref<const std::string&>())
               : "";
}

}  // namespace

Result<Change> parse_change(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail("a change is no JSON object");
    const auto revision = read_revision(json);
    if (!revision) return std::unexpected(revision.error());
    Change change{*revision,
                  read_text(json, "cause"),
                  read_text(json, "namespace"),
                  read_text(json, "service"),
                  {}};
    if (!change.namespace_name.empty() && !is_name(change.namespace_name))
        return fail("the namespace is no name");
    const auto names = read_names(json, "dns_names");
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) change.stale.add_name(change.namespace_name, name);
    // Instead of dns_names, where they are too many.
    const auto subtrees = read_names(json, "subtrees");
    if (!subtrees) return std::unexpected(subtrees.error());
    for (const std::string& name : *subtrees) change.stale.add_zone(name);
    return change;
}

Result<Snapshot> parse_snapshot(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail("a snapshot is no JSON object");
    const auto revision = read_revision(json);
    if (!revision) return std::unexpected(revision.error());
    Snapshot snapshot{*revision, {}};
    const auto services = json.find("services");
    if (services == json.end() || !services->is_array()) return fail("a snapshot has no services");
    for (const Json& service : *services) {
        const std::string name = service.is_object() ? read_text(service, "namespace") : "";
        if (!is_name(name)) return fail("a namespace is no name");
        snapshot.namespaces.insert(name);
    }
    return snapshot;
}

}  // namespace dnsd::agent
