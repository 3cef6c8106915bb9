#include "zone/registry/hosted.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/assert.h"
#include "zone/registry/compile.h"
#include "zone/registry/names.h"
#include "zone/wire/reader.h"

namespace dnsd::registry {

using wire::Name;
using wire::RrType;

namespace {

Name primary_of(const Name& apex, const Infrastructure& infrastructure) {
    const auto named = Name::parse(infrastructure.name_server);
    if (!infrastructure.name_server.empty() && named) return *named;
    return owner_name("ns.dns", apex).value_or(apex);
}

bool holds(const tree::Zone* zone, const Name& owner) {
    const tree::Node* node = zone ? zone->find(owner) : nullptr;
    return node && !node->is_empty();
}

void copy_missing(tree::ZoneEdit& edit, const tree::Node& from) {
    for (const auto& rrset : from.rrsets()) {
        if (!edit.find(from.owner(), rrset->type())) edit.set(from.owner(), rrset);
    }
}

}  // namespace

Name apex_of(const model::NamespaceSpec& within) {
    const auto apex = Name::parse(within.name);
    DNSD_ASSERT(apex.has_value());
    return *apex;
}

std::string relative_name(const Name& name, const Name& apex) {
    DNSD_ASSERT(name.is_at_or_below(apex));
    std::string text = name.lower_cased().print();
    if (name.size() == apex.size()) return "";
    if (!apex.is_root()) text.resize(text.size() - apex.print().size() - 1);
    return text;
}

bool has_own_apex(const Namespace& within) {
    return within.records && within.records->soa() != nullptr;
}

std::shared_ptr<const tree::Zone> made_up_zone(const Namespace& within,
                                               const Infrastructure& infrastructure) {
    const Name apex = apex_of(within.spec);
    const Name primary = primary_of(apex, infrastructure);
    tree::ZoneEdit edit(tree::Zone::make(apex));
    edit.set(apex, compile_soa(within.spec, apex, primary, within.serial, infrastructure.ttl_max));
    edit.set(apex, compile_ns(within.spec, primary, infrastructure.ttl_max));
    const auto put = [&](std::string_view relative, const std::vector<IpAddress>& addresses) {
        const auto name = owner_name(relative, apex);
        if (!name) return;
        const InstanceRecords records =
            compile_addresses(within.spec, addresses, infrastructure.ttl_max);
        if (records.a) edit.set(*name, records.a);
        if (records.aaaa) edit.set(*name, records.aaaa);
    };
    if (infrastructure.name_server.empty()) put("ns.dns", infrastructure.dns_addresses);
    put("api", infrastructure.api_addresses);
    put("data-api", infrastructure.api_addresses);
    return edit.finish();
}

std::shared_ptr<const tree::Zone> plain_zone(const Namespace& within, const tree::Zone& served) {
    const Name apex = apex_of(within.spec);
    tree::ZoneEdit edit(within.records ? within.records : tree::Zone::make(apex));
    if (within.spec.is_secondary()) return edit.finish();
    if (has_own_apex(within)) {
        wire::SoaRdata soa = soa_of(*within.records->soa());
        soa.serial = within.serial;
        edit.set(apex, soa_rrset(soa, within.records->soa()->ttl()));
        return edit.finish();
    }
    for (const std::string_view relative : made_up_names) {
        const auto name = owner_name(relative, apex);
        const tree::Node* node = name ? served.find(*name) : nullptr;
        if (!node || find_owner(within, relative)) continue;
        if (relative.empty() || !holds(within.records.get(), *name)) copy_missing(edit, *node);
    }
    return edit.finish();
}

wire::SoaRdata soa_of(const tree::RRset& rrset) {
    wire::Reader reader(rrset.rdata(0));
    wire::SoaRdata soa;
    soa.mname = reader.name();
    soa.rname = reader.name();
    soa.serial = reader.u32();
    soa.refresh = reader.u32();
    soa.retry = reader.u32();
    soa.expire = reader.u32();
    soa.minimum = reader.u32();
    DNSD_ASSERT(reader.ok());  // RDATA was decoded before it came into a zone
    return soa;
}

std::shared_ptr<const tree::RRset> soa_rrset(const wire::SoaRdata& soa, std::uint32_t ttl) {
    tree::Rdata rdata;
    const auto add = [&](std::span<const std::uint8_t> octets) {
        rdata.octets.insert(rdata.octets.end(), octets.begin(), octets.end());
    };
    add(soa.mname.octets());
    add(soa.rname.octets());
    for (const std::uint32_t value :
         {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) {
        for (const int shift : {24, 16, 8, 0})
            rdata.octets.push_back(static_cast<std::uint8_t>(value >> shift));
    }
    return std::make_shared<const tree::RRset>(RrType::SOA, ttl, std::vector{std::move(rdata)});
}

std::shared_ptr<const tree::Zone> kept_records(std::shared_ptr<const tree::Zone> plain,
                                               const Namespace& within,
                                               const Infrastructure& infrastructure) {
    const Name& apex = plain->apex();
    tree::ZoneEdit edit(plain);
    wire::SoaRdata soa = soa_of(*plain->soa());
    soa.serial = 0;
    const auto own_soa = soa_rrset(soa, plain->soa()->ttl());
    edit.set(apex, own_soa);

    Namespace same = within;
    same.serial = 0;
    const auto made_up = made_up_zone(same, infrastructure);
    const tree::RRset* own_ns = plain->apex_node().find(RrType::NS);
    const tree::RRset* made_up_ns = made_up->apex_node().find(RrType::NS);
    if (*own_soa == *made_up->soa() && own_ns && *own_ns == *made_up_ns) {
        made_up->for_each([&](const tree::Node& node) {
            const Name owner = node.owner();
            const tree::Node* there = plain->find(owner);
            if (!there) return;
            // Of another name than the apex all RRsets must be alike: one alone makes it a user's.
            const bool is_apex = owner.size() == apex.size();
            const bool alike =
                is_apex ||
                (there->rrsets().size() == node.rrsets().size() &&
                 std::ranges::equal(there->rrsets(), node.rrsets(),
                                    [](const auto& a, const auto& b) { return *a == *b; }));
            if (!alike) return;
            for (const auto& rrset : node.rrsets()) edit.remove(owner, rrset->type());
        });
    }
    auto kept = edit.finish();
    const bool is_empty = kept->node_count() == 1 && kept->apex_node().is_empty();
    return is_empty ? nullptr : kept;
}

// ---- beside services

std::optional<std::string> taken_by_records(const Namespace& within, const Name& name) {
    if (!within.records) return std::nullopt;
    const Name& apex = within.records->apex();
    if (name.size() > apex.size() && holds(within.records.get(), name))
        return fmt::format("{} has records of its own", name.print());
    for (Name at = name; at.size() > apex.size(); at = at.parent()) {
        const tree::Node* node = within.records->find(at);
        if (!node) continue;
        if (node->find(RrType::NS)) return fmt::format("{} is a zone cut", at.print());
        if (node->find(RrType::DNAME)) return fmt::format("{} has a DNAME", at.print());
    }
    if (within.records->apex_node().find(RrType::DNAME))
        return fmt::format("{} has a DNAME", apex.print());
    return std::nullopt;
}

std::optional<Refusal> judge_beside_services(const Namespace& within,
                                             std::shared_ptr<const tree::Zone> plain) {
    if (within.services.empty()) return std::nullopt;
    const Name apex = plain->apex();
    Namespace beside = within;
    beside.records = std::move(plain);
    std::optional<std::string> taken;
    const auto judge = [&](std::string_view relative, const std::string& service) {
        const auto name = taken ? std::nullopt : owner_name(relative, apex);
        if (!name) return;
        if (auto why = taken_by_records(beside, *name))
            taken = fmt::format("{} is a name of service {}, but {}", name->print(), service, *why);
    };
    within.services.for_each([&](const std::string& name, const auto& service) {
        judge(name, name);
        if (const auto srv = srv_name(service->spec)) judge(*srv, name);
        for (const auto& instance : service->instances)
            judge(instance_name(name, instance->spec.id), name);
    });
    if (!taken) return std::nullopt;
    return Refusal{Refusal::Kind::Conflict, std::move(*taken), {}, wire::Rcode::Refused};
}

}  // namespace dnsd::registry
