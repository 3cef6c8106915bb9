#include "dnsd/api/prometheus.h"

#include <fmt/format.h>

#include <map>

#include "dnsd/api/codec.h"
#include "zone/registry/draft.h"

namespace dnsd::api {

namespace {

constexpr std::size_t piece_octets = 64 * 1024;

bool is_for_labels(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Attribute names are visible ASCII, so an octet is a character.
std::string label_of(std::string_view attribute) {
    std::string label = "__meta_dnsd_attribute_";
    for (const char c : attribute) label += is_for_labels(c) ? c : '_';
    return label;
}

std::optional<SocketAddress> target_of(const model::InstanceSpec& spec) {
    if (!spec.port) return std::nullopt;
    if (spec.ipv4) return SocketAddress{*spec.ipv4, *spec.port};
    if (spec.ipv6) return SocketAddress{*spec.ipv6, *spec.port};
    return std::nullopt;
}

}  // namespace

std::optional<std::string> print_target_group(const registry::Service& service,
                                              const model::Instance& instance) {
    const auto target = target_of(instance.spec);
    if (!target || instance.drain) return std::nullopt;
    std::map<std::string, std::string> labels = {
        {"__meta_dnsd_namespace", service.spec.namespace_name},
        {"__meta_dnsd_service", service.spec.name},
        {"__meta_dnsd_instance", instance.spec.id},
        {"__meta_dnsd_status", registry::shown_status(instance)}};
    for (const auto& [name, value] : instance.spec.attributes)
        labels.emplace(label_of(name), value);  // which leaves the first in place
    std::string printed;
    for (const auto& [name, value] : labels)
        printed += fmt::format("{}\"{}\":{}", printed.empty() ? "" : ",", name, quoted_json(value));
    return fmt::format(R"({{"targets":["{}"],"labels":{{{}}}}})", target->print(), printed);
}

std::optional<std::string> TargetList::next() {
    if (ended_) return std::nullopt;
    std::string piece = std::exchange(started_, true) ? "" : "[";
    while (piece.size() < piece_octets) {
        const auto service = services_.next();
        if (!service) {
            ended_ = true;
            return piece + "]\n";
        }
        piece += groups_of(*service);
    }
    return piece;
}

std::string TargetList::groups_of(const registry::Service& service) {
    std::string groups;
    for (const auto& instance : service.instances) {
        const auto group = print_target_group(service, *instance);
        if (!group) continue;
        if (!std::exchange(first_, false)) groups += ',';
        groups += *group;
    }
    return groups;
}

}  // namespace dnsd::api
