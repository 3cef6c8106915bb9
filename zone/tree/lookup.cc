#include "zone/tree/lookup.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace dnsd::tree {

namespace {

using Kind = LookupResult::Kind;
using wire::RrType;

// What a node that matches qname, or covers it as a wildcard, has to say (RFC 1034 §4.3.2, step
// 3a).
LookupResult at_node(const Node& node, RrType qtype, const Node& encloser,
                     bool synthesized) noexcept {
    if (qtype != RrType::CNAME && qtype != RrType::ANY) {
        if (const RRset* alias = node.find(RrType::CNAME)) {
            return {Kind::Cname, &node, alias, &encloser, synthesized};
        }
    }
    if (qtype == RrType::ANY && !node.is_empty())
        return {Kind::Answer, &node, nullptr, &encloser, synthesized};
    if (const RRset* rrset = node.find(qtype))
        return {Kind::Answer, &node, rrset, &encloser, synthesized};
    return {Kind::NoData, &node, nullptr, &encloser, synthesized};
}

// "*." in front of the closest encloser (RFC 4592 §3.3.1).
const Node* source_of_synthesis(const Zone& zone, const Node& encloser) noexcept {
    const std::span<const std::uint8_t> octets = encloser.name_octets();
    if (!zone.has_wildcards() || octets.size() + 2 > wire::Name::octets_max) return nullptr;
    std::array<std::uint8_t, wire::Name::octets_max> name;
    name[0] = 1;
    name[1] = '*';
    std::ranges::copy(octets, name.begin() + 2);
    return zone.find(std::span(name).first(octets.size() + 2));
}

// Step 3c.
LookupResult below(const Zone& zone, const Node& encloser, RrType qtype) noexcept {
    if (const Node* source = source_of_synthesis(zone, encloser))
        return at_node(*source, qtype, encloser, true);
    return {Kind::NxDomain, nullptr, nullptr, &encloser, false};
}

// Where nothing on the way down matters, from the end of the way: the name itself, mostly.
LookupResult look_up_from_below(const Zone& zone, std::span<const std::uint8_t> qname,
                                RrType qtype) noexcept {
    const std::size_t apex_octets = zone.apex().size();
    for (std::span<const std::uint8_t> name = qname;;) {
        const Node* node = name.size() == apex_octets ? &zone.apex_node() : zone.find(name);
        if (node != nullptr) {
            return name.size() == qname.size() ? at_node(*node, qtype, *node, false)
                                               : below(zone, *node, qtype);
        }
        name = name.subspan(name[0] + std::size_t{1});
    }
}

}  // namespace

LookupResult lookup(const Zone& zone, const wire::Name& qname, RrType qtype,
                    const Node* at_qname) noexcept {
    if (at_qname != nullptr && zone.is_all_ours())
        return at_node(*at_qname, qtype, *at_qname, false);
    DNSD_ASSERT(qname.is_at_or_below(zone.apex()));

    if (zone.is_all_ours()) return look_up_from_below(zone, qname.octets(), qtype);

    // Where each suffix of qname below the apex starts, the longest first.
    std::array<std::uint8_t, wire::Name::labels_max> starts;
    std::size_t labels = 0;
    const std::span<const std::uint8_t> octets = qname.octets();
    const std::size_t apex_at = octets.size() - zone.apex().size();
    for (std::size_t at = 0; at < apex_at; at += octets[at] + std::size_t{1}) {
        starts[labels++] = static_cast<std::uint8_t>(at);
    }

    const Node* node = &zone.apex_node();
    for (;;) {
        const bool matches = labels == 0;
        // A zone cut: what is below is another zone's. DS stands on our side of it (RFC 4035
        // §3.1.4.1).
        if (node != &zone.apex_node() && !(matches && qtype == RrType::DS)) {
            if (const RRset* ns = node->find(RrType::NS))
                return {Kind::Referral, node, ns, node, false};
        }
        if (matches) return at_node(*node, qtype, *node, false);
        // A DNAME redirects what is below its owner, not the owner itself (RFC 6672 §2.3).
        if (const RRset* dname = node->find(RrType::DNAME))
            return {Kind::Dname, node, dname, node, false};
        const Node* child = zone.find(octets.subspan(starts[--labels]));
        if (child == nullptr) break;
        node = child;
    }

    return below(zone, *node, qtype);  // the node is the closest encloser
}

}  // namespace dnsd::tree
