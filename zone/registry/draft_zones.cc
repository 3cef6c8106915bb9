// What changes a zone beside its services: master files, record sets, transfers, keys.
#include "base/assert.h"
#include "zone/registry/draft_words.h"
#include "zone/registry/hosted.h"
#include "zone/registry/names.h"
#include "zone/registry/requirements.h"
#include "zone/tree/difference.h"

namespace dnsd::registry {

using model::Revision;
using wire::Rcode;

namespace {

std::uint32_t negative_ttl_of(const tree::RRset& soa) {
    return std::min(soa.ttl(), soa_of(soa).minimum);  // RFC 2308 §5
}

// The kind of refusal that an rcode stands for in the API.
Refusal::Kind kind_of(Rcode rcode) {
    switch (rcode) {
        case Rcode::NxRrset:
        case Rcode::NxDomain:
            return Refusal::Kind::NotFound;
        case Rcode::YxRrset:
        case Rcode::YxDomain:
            return Refusal::Kind::Conflict;
        default:
            return Refusal::Kind::Unprocessable;
    }
}

bool differ(const std::shared_ptr<const tree::Zone>& a,
            const std::shared_ptr<const tree::Zone>& b) {
    if (a == b) return false;
    if (!a || !b) return true;
    bool found = false;
    tree::for_each_change(*a, *b, [&](const auto&...) { found = true; });
    return found;
}

bool names_key(const model::NamespaceSpec& spec, const std::string& key) {
    const auto is_it = [&](const auto& one) { return one.key == key; };
    return std::ranges::any_of(spec.primaries, is_it) || std::ranges::any_of(spec.notify, is_it) ||
           std::ranges::any_of(spec.transfer, is_it) ||
           std::ranges::find(spec.updaters, key) != spec.updaters.end();
}

}  // namespace

std::optional<std::uint32_t> Draft::wanted_serial(const std::string& namespace_name) const {
    const auto found = wanted_serials_.find(namespace_name);
    return found == wanted_serials_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Refusal> Draft::judge_secondary(const Namespace& within) const {
    if (!within.spec.is_secondary()) return std::nullopt;
    return Refusal{Refusal::Kind::Conflict,
                   fmt::format("zone {} is a secondary of {}: it holds what its primary does",
                               within.spec.name, model::print(within.spec.primaries[0])),
                   {},
                   Rcode::Refused};
}

// A secondary that becomes a primary goes on with what it holds; a primary that becomes a secondary
// holds nothing until its first transfer. What the SOA says is negative caching's TTL.
void Draft::change_role(Namespace& within, const model::NamespaceSpec& spec) const {
    const bool was_secondary = within.spec.is_secondary();
    if (!was_secondary && spec.is_secondary()) {
        within.records = nullptr;
        within.following = {};
    } else if (was_secondary && !spec.is_secondary() && within.records) {
        within.records = kept_records(within.records, within, rules_.infrastructure);
        within.following = {};
    }
    if (spec.is_secondary() || !has_own_apex(within)) return;
    if (negative_ttl_of(*within.records->soa()) == spec.negative_ttl) return;
    wire::SoaRdata soa = soa_of(*within.records->soa());
    soa.minimum = spec.negative_ttl;
    tree::ZoneEdit edit(within.records);
    edit.set(within.records->apex(), soa_rrset(soa, spec.negative_ttl));
    within.records = edit.finish();
}

// `plain` in the place of what the zone held beside its services.
Outcome Draft::take_records(const std::string& name, std::shared_ptr<const tree::Zone> plain,
                            std::string cause) {
    const Namespace* current = state_.find_namespace(name);
    const std::uint32_t serial = soa_of(*plain->soa()).serial;
    auto records = kept_records(plain, *current, rules_.infrastructure);
    const bool is_ahead = wire::is_newer_serial(serial, current->serial);
    if (!differ(current->records, records) && !is_ahead) return unchanged(current->revision);
    if (auto refusal = judge_beside_services(*current, plain)) return std::unexpected(*refusal);
    Namespace& within = namespace_for_write(name);
    within.records = std::move(records);
    if (has_own_apex(within)) within.spec.negative_ttl = negative_ttl_of(*plain->soa());
    if (is_ahead) wanted_serials_[name] = serial;
    within.revision = happened(std::move(cause), name, "").revision;
    return applied(within.revision);
}

Outcome Draft::apply_to(const ImportZone& import, const Change& change) {
    const std::string& name = import.spec.name;
    const Namespace* current = state_.find_namespace(name);
    if (auto refusal =
            precondition(change, current ? std::optional(current->revision) : std::nullopt))
        return std::unexpected(*refusal);
    if (current && !current->spec.dns)
        return refuse(
            Refusal::Kind::Conflict,
            fmt::format("namespace {} is found through the API alone: it has no zone", name));
    if (current) {
        if (auto refusal = judge_secondary(*current)) return std::unexpected(*refusal);
        return take_records(name, import.records, "zone_imported");
    }
    if (auto taken = taken_by_parent(state_, import.spec))
        return refuse(Refusal::Kind::Conflict, std::move(*taken));
    namespace_for_write(name).spec = import.spec;
    // It begins with the file's own serial, 0 too.
    wanted_serials_[name] = soa_of(*import.records->soa()).serial;
    Namespace& within = namespace_for_write(name);
    within.records = kept_records(import.records, within, rules_.infrastructure);
    if (has_own_apex(within)) within.spec.negative_ttl = negative_ttl_of(*import.records->soa());
    within.revision = happened("zone_imported", name, "").revision;
    return applied(within.revision, true);
}

Outcome Draft::apply_to(const ChangeRecords& records, const Change& change) {
    const std::string& name = records.namespace_name;
    const Namespace* current = state_.find_namespace(name);
    if (!current || !current->spec.dns)
        return std::unexpected(Refusal{
            Refusal::Kind::NotFound, fmt::format("there is no zone {}", name), {}, Rcode::NotAuth});
    if (auto refusal = precondition(change, current->revision)) return std::unexpected(*refusal);
    if (auto refusal = judge_secondary(*current)) return std::unexpected(*refusal);

    const auto plain = plain_zone(*current, *made_up_zone(*current, rules_.infrastructure));
    const wire::Name& apex = plain->apex();
    const auto owner_of = [&](const wire::Name& owner) -> std::optional<std::string> {
        const auto taken = find_owner(*current, relative_name(owner, apex));
        if (!taken) return std::nullopt;
        return fmt::format("{} is the name of {}: it changes with it alone", owner.print(),
                           print(*taken));
    };
    const auto served = rules_.served ? rules_.served(apex) : nullptr;
    const auto find_served = [&](const wire::Name& owner) -> const tree::Node* {
        return served && owner_of(owner) ? served->find(owner) : nullptr;
    };
    const auto refused = [](const RecordsRefusal& why) {
        const auto kind = why.is_taken ? Refusal::Kind::Conflict : kind_of(why.rcode);
        Refusal refusal{kind, why.detail, {}, why.rcode};
        const auto at = why.edit ? why.edit : why.prerequisite;
        if (at) refusal.errors.push_back({fmt::format("/changes/{}", *at), why.detail});
        return std::unexpected(std::move(refusal));
    };
    if (const auto why = registry::judge(*plain, find_served, records.prerequisites))
        return refused(*why);
    auto next = edited(plain, owner_of, records.edits, records.is_update);
    if (!next) return refused(next.error());
    return take_records(name, std::move(*next), "records_changed");
}

// ---- what a secondary fetches

Outcome Draft::apply_to(const TakeTransfer& transfer, const Change&) {
    const std::string& name = transfer.namespace_name;
    const Namespace* current = state_.find_namespace(name);
    if (!current || !current->spec.is_secondary())
        return refuse(Refusal::Kind::NotFound, fmt::format("there is no secondary zone {}", name));
    const tree::RRset* soa = transfer.zone->soa();
    if (!soa) return refuse(Refusal::Kind::Unprocessable, "what was transferred has no SOA");
    Namespace& within = namespace_for_write(name);
    within.records = transfer.zone;
    within.serial = soa_of(*soa).serial;
    within.following = {transfer.refreshed, false};
    within.revision = happened("zone_transferred", name, "").revision;
    return applied(within.revision);
}

Outcome Draft::apply_to(const SetFreshness& freshness, const Change&) {
    const std::string& name = freshness.namespace_name;
    const Namespace* current = state_.find_namespace(name);
    if (!current || !current->spec.is_secondary())
        return refuse(Refusal::Kind::NotFound, fmt::format("there is no secondary zone {}", name));
    if (current->following == freshness.following) return unchanged(current->revision);
    // Being fresh changes no answer, and is no event; expiring, and coming back, are.
    const bool turns = current->following.expired != freshness.following.expired;
    Namespace& within = namespace_for_write(name);
    within.following = freshness.following;
    if (!turns) return unchanged(within.revision);
    within.revision =
        happened(freshness.following.expired ? "zone_expired" : "zone_refreshed", name, "")
            .revision;
    return applied(within.revision);
}

// ---- keys

Outcome Draft::apply_to(const PutKey& put, const Change& change) {
    const std::string name = put.key.name.lower_cased().print();
    const auto* current = state_.keys.find(name);
    if (auto refusal =
            precondition(change, current ? std::optional((*current)->revision) : std::nullopt))
        return std::unexpected(*refusal);
    if (current && (*current)->tsig == put.key) return unchanged((*current)->revision);
    const bool created = current == nullptr;
    const Revision revision = happened("key_put", "", "").revision;
    keys_[name] = std::make_shared<const Key>(Key{put.key, revision});
    state_.keys.set(name, keys_[name]);
    return applied(revision, created);
}

Outcome Draft::apply_to(const DeleteKey& del, const Change& change) {
    const auto* current = state_.keys.find(del.name);
    if (!current)
        return refuse(Refusal::Kind::NotFound, fmt::format("there is no key {}", del.name));
    if (auto refusal = precondition(change, (*current)->revision)) return std::unexpected(*refusal);
    std::string user;
    state_.namespaces.for_each([&](const std::string& name, const auto& within) {
        if (user.empty() && names_key(within->spec, del.name)) user = name;
    });
    if (!user.empty())
        return refuse(Refusal::Kind::Conflict,
                      fmt::format("key {} is in use: zone {} names it", del.name, user));
    keys_[del.name] = nullptr;
    state_.keys.erase(del.name);
    return applied(happened("key_deleted", "", "").revision);
}

}  // namespace dnsd::registry
