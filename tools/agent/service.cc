#include "tools/agent/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/address.h"
#include "base/text.h"

namespace dnsd::agent {

namespace {

using Json = nlohmann::json;

constexpr std::uint32_t haproxy_weight_max = 256;

// An instance, and what decides whether it is used.
struct Candidate {
    Member member;
    bool healthy;
    std::uint64_t priority;
};

// A whole number that fits, or what it is otherwise: not every double can be converted.
template <class T>
T whole(const Json& object, const char* field, T otherwise) {
    const auto found = object.find(field);
    if (found == object.end() || !found->is_number_unsigned()) return otherwise;
    const auto value = found->get<std::uint64_t>();
    return value <= std::numeric_limits<T>::max() ? static_cast<T>(value) : otherwise;
}

std::optional<Member> read_member(const Json& instance) {
    Member member;
    member.id = instance.value("id", "");
    member.address = instance.value("ipv4", instance.value("ipv6", ""));
    member.port = whole(instance, "port", std::uint16_t{0});
    member.weight = whole(instance, "weight", std::uint32_t{1});
    // Without a port there is nothing to call; an address goes into commands, so it must be one.
    if (member.id.empty() || member.port == 0 || !parse_ip(member.address)) return std::nullopt;
    return member;
}

void keep_active_group(std::vector<Candidate>& candidates, bool healthy_alone) {
    std::optional<std::uint64_t> lowest;
    for (const Candidate& one : candidates) {
        if (one.healthy || !healthy_alone)
            lowest = std::min(lowest.value_or(one.priority), one.priority);
    }
    std::erase_if(candidates, [&](const Candidate& one) { return one.priority != lowest; });
}

void leave_out_weight_0(std::vector<Member>& members) {
    const auto is_0 = [](const Member& member) { return member.weight == 0; };
    if (std::ranges::all_of(members, is_0)) {
        for (Member& member : members) member.weight = 1;
    } else {
        std::erase_if(members, is_0);
    }
}

std::vector<Candidate> whom_policy_allows(const Json& service, std::vector<Candidate> candidates,
                                          const Members& before) {
    const bool any_healthy = std::ranges::any_of(candidates, &Candidate::healthy);
    const std::string policy = service.value("failure_policy", "fail_open");
    const bool by_group = service.value("routing_policy", "") == "failover";
    if (any_healthy) {
        std::erase_if(candidates, [](const Candidate& one) { return !one.healthy; });
    } else if (policy == "fail_closed") {
        candidates.clear();
    } else if (policy == "last_known_good") {
        std::erase_if(candidates, [&](const Candidate& one) {
            return std::ranges::find(before.used, one.member.id, &Member::id) == before.used.end();
        });
    }
    if (by_group) keep_active_group(candidates, any_healthy);
    return candidates;
}

Members judge(const Json& service, const Json& instances, const Members& before) {
    const Json check = service.value("check", Json::object());
    const bool is_checked = check.value("type", "none") != "none";
    std::vector<Candidate> candidates;
    Members members;
    for (const Json& instance : instances.at("instances")) {
        const std::string status = instance.value("status", "unknown");
        if (status == "draining") {
            members.draining.insert(instance.value("id", ""));
            continue;
        }
        if (instance.value("disabled", false)) continue;
        if (status == "unhealthy") members.dead.insert(instance.value("id", ""));
        if (auto member = read_member(instance))
            candidates.push_back({std::move(*member), !is_checked || status == "healthy",
                                  whole(instance, "priority", std::uint64_t{0})});
    }
    for (Candidate& one : whom_policy_allows(service, std::move(candidates), before))
        members.used.push_back(std::move(one.member));
    leave_out_weight_0(members.used);
    std::ranges::sort(members.used, {}, &Member::id);
    for (const Member& member : members.used) members.dead.erase(member.id);
    return members;
}

}  // namespace

std::optional<ServiceKey> ServiceKey::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == 0 || slash == text.npos || slash + 1 == text.size()) return std::nullopt;
    return ServiceKey{lower_cased(text.substr(0, slash)), lower_cased(text.substr(slash + 1))};
}

std::string ServiceKey::path() const {
    return fmt::format("/v1/namespaces/{}/services/{}", percent_encoded(namespace_name),
                       percent_encoded(name));
}

std::string Member::endpoint() const {
    const auto ip = parse_ip(address);
    return ip ? SocketAddress{*ip, port}.print() : address;
}

Result<Members> judge_members(std::string_view service_json, std::string_view instances_json,
                              const Members& before) {
    const Json service = Json::parse(service_json, nullptr, false);
    const Json instances = Json::parse(instances_json, nullptr, false);
    if (!service.is_object() || !instances.is_object()) return fail("no JSON object came");
    if (instances.value("truncated", Json(false)) == Json(true))
        return fail("there are more instances than one page holds");
    try {
        return judge(service, instances, before);
    } catch (const Json::exception& error) {
        return fail(error.what());
    }
}

std::vector<Member> with_weights_of_256(std::vector<Member> members) {
    std::uint32_t most = 1;
    for (const Member& member : members) most = std::max(most, member.weight);
    for (Member& member : members) {
        if (most > haproxy_weight_max)
            member.weight = static_cast<std::uint32_t>(std::uint64_t{member.weight} *
                                                       haproxy_weight_max / most);
        member.weight = std::max(member.weight, 1u);
    }
    return members;
}

}  // namespace dnsd::agent
