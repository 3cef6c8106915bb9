#include "zone/registry/names.h"

#include "base/text.h"
#include "zone/model/validate.h"

namespace dnsd::registry {

namespace {

struct Cut {
    std::string_view first, rest;  // rest is empty where there was no dot
};

Cut cut(std::string_view name) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return {name, {}};
    return {name.substr(0, dot), name.substr(dot + 1)};
}

const Service* find_service(const Namespace& within, std::string_view name) {
    const auto* found = within.services.find(name);
    return found ? found->get() : nullptr;
}

// The service whose srv_name() this is.
const Service* find_by_srv_name(const Namespace& within, std::string_view relative) {
    const auto [first, rest] = cut(relative);
    const auto [protocol, domain] = cut(rest);
    if (!first.starts_with('_') || (protocol != "_tcp" && protocol != "_udp")) return nullptr;
    std::string name(first.substr(1));
    if (!domain.empty()) name.append(".").append(domain);
    const Service* service = find_service(within, name);
    return service && srv_name(service->spec) == relative ? service : nullptr;
}

// Only labels that were made from other ids end in a hyphen and eight hex digits, so that no other
// label needs a search through all instances.
bool ends_like_a_digest(std::string_view label) {
    if (label.size() < 9 || label[label.size() - 9] != '-') return false;
    return label.substr(label.size() - 8).find_first_not_of("0123456789abcdef") ==
           std::string_view::npos;
}

}  // namespace

std::string instance_name(std::string_view service, std::string_view id) {
    return model::instance_label(id) + "." + std::string(service);
}

std::optional<std::string> srv_name(const model::ServiceSpec& service) {
    if (service.name.starts_with('_')) return std::nullopt;
    const auto [first, rest] = cut(service.name);
    std::string name =
        "_" + std::string(first) + "._" + std::string(model::print(service.protocol));
    if (!rest.empty()) name.append(".").append(rest);
    return name;
}

std::string full_name(std::string_view relative, std::string_view namespace_name) {
    if (namespace_name == ".") return std::string(relative);
    return std::string(relative) + "." + std::string(namespace_name);
}

std::optional<wire::Name> owner_name(std::string_view relative, const wire::Name& apex) {
    std::optional<wire::Name> name = apex;
    while (name && !relative.empty()) {
        const std::size_t dot = relative.rfind('.');
        name = name->below(dot == std::string_view::npos ? relative : relative.substr(dot + 1));
        relative = dot == std::string_view::npos ? std::string_view() : relative.substr(0, dot);
    }
    return name;
}

std::optional<Owner> find_owner(const Namespace& within, std::string_view relative) {
    if (find_service(within, relative)) return Owner{std::string(relative), {}};
    if (const Service* service = find_by_srv_name(within, relative))
        return Owner{service->spec.name, {}};
    const auto [label, rest] = cut(relative);
    if (const Service* service = rest.empty() ? nullptr : find_service(within, rest)) {
        if (service->find(label) && model::instance_label(label) == label)
            return Owner{service->spec.name, std::string(label)};
        if (!ends_like_a_digest(label)) return std::nullopt;
        for (const auto& instance : service->instances) {
            if (model::instance_label(instance->spec.id) == label)
                return Owner{service->spec.name, instance->spec.id};
        }
    }
    return std::nullopt;
}

std::string print(const Owner& owner) {
    if (owner.instance.empty()) return "service " + owner.service;
    return "instance " + owner.instance + " of service " + owner.service;
}

}  // namespace dnsd::registry
