#include "zone/registry/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "zone/registry/hosted.h"
#include "zone/tree/check.h"

namespace dnsd::registry {

using tree::RRset;
using wire::Name;
using wire::Rcode;
using wire::RrType;

namespace {

constexpr std::size_t records_in_rrset_max = 65'535;

RdataList sorted(RdataList records) {
    std::ranges::sort(records);
    records.erase(std::ranges::unique(records).begin(), records.end());
    return records;
}

RdataList records_of(const RRset& rrset) {
    RdataList records;
    for (std::size_t i = 0; i < rrset.size(); ++i) {
        const auto rdata = rrset.rdata(i);
        records.emplace_back(rdata.begin(), rdata.end());
    }
    return records;  // in canonical order, each once
}

std::shared_ptr<const RRset> rrset_of(RrType type, std::uint32_t ttl, RdataList records) {
    std::vector<tree::Rdata> rdata;
    for (auto& octets : records) rdata.push_back({std::move(octets)});
    return std::make_shared<const RRset>(type, ttl, std::move(rdata));
}

// The zone while it is edited.
class Editing {
  public:
    Editing(std::shared_ptr<const tree::Zone> zone, bool is_update)
        : zone_(std::move(zone)), apex_(zone_->apex()), edit_(zone_), is_update_(is_update) {}

    // Why not; RFC 2136 §3.4.2.
    std::optional<RecordsRefusal> apply(const RecordEdit& edit) {
        touched_.insert(edit.owner);
        switch (edit.kind) {
            case RecordEdit::Kind::Add:
                return add(edit);
            case RecordEdit::Kind::Set:
                return set(edit);
            case RecordEdit::Kind::DeleteRRset:
                return remove(edit.owner, edit.type);
            case RecordEdit::Kind::DeleteName:
                remove_all(edit.owner);
                return std::nullopt;
            case RecordEdit::Kind::DeleteRecord:
                return remove_record(edit);
        }
        return std::nullopt;
    }

    std::shared_ptr<const tree::Zone> finish() const { return edit_.finish(); }
    const std::set<Name>& touched() const noexcept { return touched_; }

  private:
    bool is_apex(const Name& owner) const noexcept { return owner.size() == apex_.size(); }
    bool is_kept(const Name& owner, RrType type) const noexcept {
        return is_apex(owner) && (type == RrType::SOA || type == RrType::NS);
    }
    static RecordsRefusal refuse(std::string detail, Rcode rcode = Rcode::Refused) {
        return {rcode, std::move(detail)};
    }

    // §3.4.2.2: an alias stands alone. Whoever updates is not told.
    bool collides(const Name& owner, RrType type) const {
        if (type != RrType::CNAME) return edit_.find(owner, RrType::CNAME) != nullptr;
        const auto node = edit_.finish()->find(owner);
        return node && std::ranges::any_of(node->rrsets(), [](const auto& rrset) {
                   return rrset->type() != RrType::CNAME;
               });
    }

    std::optional<RecordsRefusal> add(const RecordEdit& edit) {
        if (edit.type == RrType::SOA) return set_soa(edit);
        if (collides(edit.owner, edit.type)) {
            if (is_update_) return std::nullopt;
            return refuse(
                fmt::format("{} cannot have both a CNAME and other records", edit.owner.print()));
        }
        RdataList records;
        const RRset* there = edit_.find(edit.owner, edit.type);
        // A name has one CNAME and one DNAME: the newer takes the older one's place.
        if (there && edit.type != RrType::CNAME && edit.type != RrType::DNAME)
            records = records_of(*there);
        records.insert(records.end(), edit.records.begin(), edit.records.end());
        return put(edit.owner, edit.type, edit.ttl, sorted(std::move(records)));
    }

    std::optional<RecordsRefusal> set(const RecordEdit& edit) {
        if (edit.type == RrType::SOA) return set_soa(edit);
        if (edit.records.empty()) return refuse("an RRset has at least one record");
        return put(edit.owner, edit.type, edit.ttl, sorted(edit.records));
    }

    std::optional<RecordsRefusal> put(const Name& owner, RrType type, std::uint32_t ttl,
                                      RdataList records) {
        if (records.size() > records_in_rrset_max)
            return refuse(fmt::format("an RRset has at most {} records", records_in_rrset_max));
        edit_.set(owner, rrset_of(type, ttl, std::move(records)));
        return std::nullopt;
    }

    std::optional<RecordsRefusal> set_soa(const RecordEdit& edit) {
        if (!is_apex(edit.owner)) {
            if (is_update_) return std::nullopt;
            return refuse("a SOA stands at the zone's apex alone");
        }
        if (edit.records.size() != 1) return refuse("a zone has one SOA");
        const auto soa = rrset_of(RrType::SOA, edit.ttl, edit.records);
        const RRset* there = edit_.find(apex_, RrType::SOA);
        if (is_update_ && there &&
            !wire::is_newer_serial(soa_of(*soa).serial, soa_of(*there).serial))
            return std::nullopt;
        edit_.set(apex_, soa);
        return std::nullopt;
    }

    std::optional<RecordsRefusal> remove(const Name& owner, RrType type) {
        if (is_kept(owner, type)) {
            if (is_update_) return std::nullopt;
            return refuse(fmt::format("a zone keeps its {}", wire::print(type)));
        }
        edit_.remove(owner, type);
        return std::nullopt;
    }

    void remove_all(const Name& owner) {
        const auto now = edit_.finish();
        const tree::Node* node = now->find(owner);
        if (!node) return;
        for (const auto& rrset : node->rrsets()) {
            if (!is_kept(owner, rrset->type())) edit_.remove(owner, rrset->type());
        }
    }

    std::optional<RecordsRefusal> remove_record(const RecordEdit& edit) {
        const RRset* there = edit_.find(edit.owner, edit.type);
        if (!there) return std::nullopt;
        RdataList records = records_of(*there);
        std::erase_if(records, [&](const auto& rdata) {
            return std::ranges::find(edit.records, rdata) != edit.records.end();
        });
        if (records.size() == there->size()) return std::nullopt;
        if (is_kept(edit.owner, edit.type) && (edit.type == RrType::SOA || records.empty())) {
            if (is_update_) return std::nullopt;  // §3.4.2.4
            return refuse(fmt::format("a zone keeps its {}", wire::print(edit.type)));
        }
        if (records.empty()) {
            edit_.remove(edit.owner, edit.type);
            return std::nullopt;
        }
        return put(edit.owner, edit.type, there->ttl(), std::move(records));
    }

    const std::shared_ptr<const tree::Zone> zone_;
    const Name& apex_;
    tree::ZoneEdit edit_;
    const bool is_update_;
    std::set<Name> touched_;
};

std::optional<RecordsRefusal> judge_one(const Prerequisite& wanted, const tree::Node* node) {
    using Kind = Prerequisite::Kind;
    const bool in_use = node && !node->is_empty();
    const RRset* rrset = node ? node->find(wanted.type) : nullptr;
    const std::string owner = wanted.owner.print();
    switch (wanted.kind) {
        case Kind::RRsetExists:
            if (!rrset)
                return RecordsRefusal{Rcode::NxRrset,
                                      fmt::format("{} has no {}", owner, wire::print(wanted.type))};
            break;
        case Kind::RRsetEquals:
            if (!rrset || records_of(*rrset) != sorted(wanted.records))
                return RecordsRefusal{Rcode::NxRrset, fmt::format("the {} of {} is another",
                                                                  wire::print(wanted.type), owner)};
            break;
        case Kind::RRsetAbsent:
            if (rrset)
                return RecordsRefusal{Rcode::YxRrset, fmt::format("{} has a {} already", owner,
                                                                  wire::print(wanted.type))};
            break;
        case Kind::NameInUse:
            if (!in_use)
                return RecordsRefusal{Rcode::NxDomain, fmt::format("{} has no records", owner)};
            break;
        case Kind::NameNotInUse:
            if (in_use)
                return RecordsRefusal{Rcode::YxDomain, fmt::format("{} has records", owner)};
            break;
    }
    return std::nullopt;
}

}  // namespace

std::optional<RecordsRefusal> judge(const tree::Zone& zone, const FindServed& served,
                                    const std::vector<Prerequisite>& prerequisites) {
    for (std::size_t i = 0; i < prerequisites.size(); ++i) {
        const Prerequisite& wanted = prerequisites[i];
        std::optional<RecordsRefusal> refusal;
        if (!wanted.owner.is_at_or_below(zone.apex())) {
            refusal = {Rcode::NotZone, fmt::format("{} is not in the zone", wanted.owner.print())};
        } else {
            const tree::Node* node = zone.find(wanted.owner);
            if (!node || node->is_empty()) node = served(wanted.owner);
            refusal = judge_one(wanted, node);
        }
        if (!refusal) continue;
        refusal->prerequisite = i;
        return refusal;
    }
    return std::nullopt;
}

Result<std::shared_ptr<const tree::Zone>, RecordsRefusal> edited(
    std::shared_ptr<const tree::Zone> zone, const FindOwner& find_owner,
    const std::vector<RecordEdit>& edits, bool is_update) {
    Editing editing(zone, is_update);
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const RecordEdit& edit = edits[i];
        std::optional<RecordsRefusal> refusal;
        if (!edit.owner.is_at_or_below(zone->apex())) {
            refusal = {Rcode::NotZone, fmt::format("{} is not in the zone", edit.owner.print())};
        } else if (auto taken = find_owner(edit.owner)) {
            refusal = {Rcode::Refused, std::move(*taken), {}, {}, true};
        } else {
            refusal = editing.apply(edit);
        }
        if (!refusal) continue;
        refusal->edit = i;
        return std::unexpected(std::move(*refusal));
    }
    auto next = editing.finish();
    for (const Name& owner : editing.touched()) {
        for (const tree::Finding& finding : tree::check_owner(*next, owner)) {
            if (finding.severity == tree::Finding::Severity::Warning) continue;
            const auto at = std::ranges::find_if(
                edits, [&](const RecordEdit& edit) { return edit.owner == owner; });
            return std::unexpected(
                RecordsRefusal{Rcode::Refused,
                               fmt::format("{}: {}", finding.owner.print(), finding.what),
                               {},
                               static_cast<std::size_t>(at - edits.begin())});
        }
    }
    return next;
}

}  // namespace dnsd::registry
