#include "zone/registry/pointers.h"

#include <fmt/format.h>

namespace dnsd::registry {

std::string reverse_name(const Ipv4& address) {
    const auto& octets = address.octets;
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", octets[3], octets[2], octets[1], octets[0]);
}

std::string reverse_name(const Ipv6& address) {
    std::string name;
    for (auto octet = address.octets.rbegin(); octet != address.octets.rend(); ++octet)
        name += fmt::format("{:x}.{:x}.", *octet & 15, *octet >> 4);
    return name + "ip6.arpa";
}

void Pointers::change(const Service* before, const Service* after, Owners& changed) {
    // Instances are immutable: one that is as it was is the same object, and keeps its pointers.
    std::set<const model::Instance*> stay;
    if (before && after) {
        std::set<const model::Instance*> was;
        for (const auto& instance : before->instances) was.insert(instance.get());
        for (const auto& instance : after->instances) {
            if (was.contains(instance.get())) stay.insert(instance.get());
        }
    }
    for (const auto& [service, has] : {std::pair(before, false), std::pair(after, true)}) {
        if (!service) continue;
        for (const auto& instance : service->instances) {
            if (!stay.contains(instance.get())) set(*instance, has, changed);
        }
    }
}

void Pointers::set(const model::Instance& instance, bool has, Owners& changed) {
    if (instance.dns_name.empty()) return;
    const auto put = [&](const std::string& owner) {
        const auto* there = by_owner_.find(owner);
        auto targets = there ? std::set<std::string>(**there) : std::set<std::string>();
        if (has)
            targets.insert(instance.dns_name);
        else
            targets.erase(instance.dns_name);
        if (targets.empty())
            by_owner_.erase(owner);
        else
            by_owner_.set(owner, std::make_shared<const std::set<std::string>>(std::move(targets)));
        changed.insert(owner);
    };
    if (instance.spec.ipv4) put(reverse_name(*instance.spec.ipv4));
    if (instance.spec.ipv6) put(reverse_name(*instance.spec.ipv6));
}

std::vector<std::string> Pointers::targets(const std::string& owner) const {
    const auto* there = by_owner_.find(owner);
    if (!there) return {};
    return {(*there)->begin(), (*there)->end()};
}

Pointers::Owners Pointers::below(const std::string& apex) const {
    Owners owners;
    by_owner_.for_each([&](const std::string& owner, const Targets&) {
        const bool is_below = apex == "." || owner == apex ||
                              (owner.size() > apex.size() && owner.ends_with(apex) &&
                               owner[owner.size() - apex.size() - 1] == '.');
        if (is_below) owners.insert(owners.end(), owner);
    });
    return owners;
}

}  // namespace dnsd::registry
