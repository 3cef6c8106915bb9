#include "zone/tree/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "zone/tree/lookup.h"
#include "zone/wire/reader.h"

namespace dnsd::tree {

namespace {

using wire::Name;
using wire::RrType;
using Severity = Finding::Severity;

// Where the name stands in the RDATA of types whose targets want addresses.
std::size_t target_at(RrType type) noexcept {
    return type == RrType::MX ? 2 : type == RrType::SRV ? 6 : 0;
}

// Nothing: RDATA that its type does not allow, which is not this room's to judge.
std::optional<Name> target_of(std::span<const std::uint8_t> rdata, RrType type) {
    wire::Reader reader(rdata);
    reader.take(target_at(type));
    const Name target = reader.name();
    if (!reader.ok()) return std::nullopt;
    return target;
}

struct NameHash {
    std::size_t operator()(const Name& name) const noexcept { return name.hash(); }
};
using Names = std::unordered_set<Name, NameHash>;

bool has_address(const Node* node) noexcept {
    return node != nullptr &&
           (node->find(RrType::A) != nullptr || node->find(RrType::AAAA) != nullptr);
}

// The highest zone cut at or above a name (null: it is authoritative data), as a lookup meets it.
const Node* cut_above(const Zone& zone, const Name& name) {
    std::array<std::uint8_t, Name::labels_max> starts;
    std::size_t labels = 0;
    const std::span<const std::uint8_t> octets = name.octets();
    for (std::size_t at = 0; at < octets.size() - zone.apex().size();
         at += octets[at] + std::size_t{1})
        starts[labels++] = static_cast<std::uint8_t>(at);
    while (labels > 0) {
        const Node* node = zone.find(octets.subspan(starts[--labels]));
        if (node == nullptr) return nullptr;
        if (node->find(RrType::NS) != nullptr) return node;
    }
    return nullptr;
}

class Checker {
  public:
    explicit Checker(const Zone& zone) : zone_(zone) {}

    void apex() {
        if (zone_.soa() == nullptr)
            error(zone_.apex_node(), RrType::SOA, "there is no SOA RR at the apex (RFC 1035 §5.2)");
        if (zone_.apex_node().find(RrType::NS) == nullptr)
            error(zone_.apex_node(), RrType::NS, "there is no NS RR at the apex (RFC 1034 §4.2.1)");
    }

    // `glue`: what name servers at zone cuts are called. Null: not known, so no address is in vain.
    void node(const Node& node, const Names* glue) {
        if (node.is_empty()) return;
        singletons(node);
        cname(node);
        dname(node);
        delegation(node, glue);
        for (const RrType type : {RrType::NS, RrType::MX, RrType::SRV}) targets(node, type);
    }

    void dname(const Node& node) {
        const RRset* dname = node.find(RrType::DNAME);
        if (dname == nullptr) return;
        if (node.has_children())
            error(node, RrType::DNAME, "there are names below a DNAME (RFC 6672 §2.4)");
        if (&node != &zone_.apex_node() && node.find(RrType::NS) != nullptr)
            error(node, RrType::DNAME, "a DNAME and a zone cut have one owner (RFC 6672 §2.3)");
        if (node.owner().is_wildcard())
            warn(node, RrType::DNAME, "a DNAME at a wildcard is not defined (RFC 4592 §4.4)");
    }

    // The name servers of a node whose names `concerns` picks.
    template <class Concerns>
    void name_servers(const Node& node, Concerns concerns) {
        const RRset* servers = node.find(RrType::NS);
        for (std::size_t i = 0; servers != nullptr && i < servers->size(); ++i) {
            const auto target = target_of(servers->rdata(i), RrType::NS);
            if (target && target->is_at_or_below(zone_.apex()) && concerns(*target))
                name_server(node, *target);
        }
    }

    std::vector<Finding> findings;

  private:
    void add(Severity severity, const Node& node, RrType type, std::string what) {
        findings.push_back({severity, node.owner(), type, std::move(what)});
    }
    void error(const Node& node, RrType type, std::string what) {
        add(Severity::Error, node, type, std::move(what));
    }
    void warn(const Node& node, RrType type, std::string what) {
        add(Severity::Warning, node, type, std::move(what));
    }

    void singletons(const Node& node) {
        for (const auto& rrset : node.rrsets()) {
            const RrType type = rrset->type();
            if (type == RrType::SOA && &node != &zone_.apex_node())
                error(node, type, "a SOA RR stands at the apex of a zone only (RFC 1034 §4.2.1)");
            if (type == RrType::DS && &node == &zone_.apex_node())
                error(node, type,
                      "a DS RR stands in the parent zone, not at the apex (RFC 4035 §2.4)");
            if (rrset->size() == 1) continue;
            if (type == RrType::SOA)
                error(node, type, "there is more than one SOA RR (RFC 1035 §5.2)");
            if (type == RrType::CNAME)
                error(node, type, "a name has more than one CNAME (RFC 2181 §10.1)");
            if (type == RrType::DNAME)
                error(node, type, "a name has more than one DNAME (RFC 6672 §2.4)");
        }
    }

    void cname(const Node& node) {
        const RRset* alias = node.find(RrType::CNAME);
        if (alias == nullptr) return;
        for (const auto& rrset : node.rrsets()) {
            const RrType type = rrset->type();
            // What signs an alias may stand beside it (RFC 4035 §2.5).
            if (type == RrType::CNAME || type == RrType::RRSIG || type == RrType::NSEC) continue;
            return error(
                node, RrType::CNAME,
                fmt::format("a CNAME stands beside other data: {} (RFC 1034 §3.6.2)", print(type)));
        }
        if (&node == &zone_.apex_node())
            error(node, RrType::CNAME, "the apex is an alias (RFC 1912 §2.4)");
        if (target_of(alias->rdata(0), RrType::CNAME) == node.owner())
            warn(node, RrType::CNAME, "a CNAME leads to itself");
    }

    // RFC 1034 §4.2.1: what a zone may hold at a cut and below it.
    void delegation(const Node& node, const Names* glue) {
        const Name owner = node.owner();
        const Node* cut = cut_above(zone_, owner);
        if (cut == nullptr) return;
        if (cut == &node && owner.is_wildcard())
            warn(node, RrType::NS, "a zone cut at a wildcard is not defined (RFC 4592 §4.2)");
        for (const auto& rrset : node.rrsets()) {
            const RrType type = rrset->type();
            if (type == RrType::A || type == RrType::AAAA) {
                if (glue == nullptr || glue->contains(owner)) continue;
            } else if (cut == &node && (type == RrType::NS || type == RrType::DS ||
                                        type == RrType::NSEC || type == RrType::RRSIG)) {
                continue;
            } else if (type == RrType::CNAME || type == RrType::DNAME) {
                if (cut == &node) continue;  // an error already
            }
            warn(node, type,
                 fmt::format("{} stands at or below the zone cut {} and is no glue: it is not "
                             "answered (RFC 1034 §4.2.1)",
                             print(type), cut->owner().print()));
        }
    }

    void targets(const Node& node, RrType type) {
        if (type == RrType::NS) return name_servers(node, [](const Name&) { return true; });
        const RRset* rrset = node.find(type);
        for (std::size_t i = 0; rrset != nullptr && i < rrset->size(); ++i) {
            const auto target = target_of(rrset->rdata(i), type);
            // The root says that there is no such service (RFC 2782, RFC 7505).
            if (!target || target->is_root() || !target->is_at_or_below(zone_.apex())) continue;
            if (cut_above(zone_, *target) != nullptr) continue;  // another zone's
            if (is_alias(*target)) {
                warn(node, type,
                     fmt::format("its target {} is an alias (RFC 2181 §10.3)", target->print()));
            } else if (!is_answered_with_address(*target)) {
                warn(node, type, fmt::format("its target {} has no address", target->print()));
            }
        }
    }

    void name_server(const Node& node, const Name& target) {
        const bool is_apex = &node == &zone_.apex_node();
        const Node* cut = cut_above(zone_, target);
        if (cut != nullptr) {
            if (has_address(zone_.find(target))) return;
            if (cut == &node) {
                error(node, RrType::NS,
                      fmt::format("the name server {} is below the zone cut that it serves and has "
                                  "no glue (RFC 9471 §2.1)",
                                  target.print()));
            } else {
                warn(node, RrType::NS,
                     fmt::format("the name server {} is below the zone cut {} and has no glue (RFC "
                                 "9471 §2.2)",
                                 target.print(), cut->owner().print()));
            }
        } else if (is_alias(target)) {
            error(node, RrType::NS,
                  fmt::format("the name server {} is an alias (RFC 2181 §10.3)", target.print()));
        } else if (!is_answered_with_address(target)) {
            add(is_apex ? Severity::Error : Severity::Warning, node, RrType::NS,
                fmt::format("the name server {} has no address in this zone (RFC 1912 §2.8)",
                            target.print()));
        }
    }

    bool is_alias(const Name& name) const {
        const auto kind = lookup(zone_, name, RrType::A).kind;
        return kind == LookupResult::Kind::Cname || kind == LookupResult::Kind::Dname;
    }
    bool is_answered_with_address(const Name& name) const {
        return lookup(zone_, name, RrType::A).kind == LookupResult::Kind::Answer ||
               lookup(zone_, name, RrType::AAAA).kind == LookupResult::Kind::Answer;
    }

    const Zone& zone_;
};

// Without sorting them, as Zone::for_each would.
void for_each_node(const Zone& zone, const std::function<void(const Node&)>& visit) {
    Zone::for_each_changed_node(*Zone::make(zone.apex()), zone,
                                [&](const Node*, const Node* node) { visit(*node); });
}

Names names_of_servers_at_cuts(const Zone& zone) {
    Names names;
    for_each_node(zone, [&](const Node& node) {
        const RRset* servers = node.find(RrType::NS);
        for (std::size_t i = 0; servers != nullptr && i < servers->size(); ++i) {
            if (const auto target = target_of(servers->rdata(i), RrType::NS)) names.insert(*target);
        }
    });
    return names;
}

}  // namespace

std::vector<Finding> check(const Zone& zone) {
    Checker checker(zone);
    checker.apex();
    const Names glue = names_of_servers_at_cuts(zone);
    for_each_node(zone, [&](const Node& node) { checker.node(node, &glue); });
    std::ranges::stable_sort(checker.findings, {}, &Finding::owner);
    return std::move(checker.findings);
}

std::vector<Finding> check_owner(const Zone& zone, const Name& owner) {
    Checker checker(zone);
    if (const Node* node = zone.find(owner)) checker.node(*node, nullptr);
    // Name servers that live at the owner or below it; if it is a wildcard, wherever it is the
    // source of synthesis.
    const Name above = owner.is_wildcard() ? owner.parent() : owner;
    const auto concerns = [&](const Name& target) { return target.is_at_or_below(above); };
    for (Name name = owner; name != zone.apex();) {
        name = name.parent();
        const Node* node = zone.find(name);
        if (node == nullptr) continue;
        checker.dname(*node);
        checker.name_servers(*node, concerns);
    }
    return std::move(checker.findings);
}

}  // namespace dnsd::tree
