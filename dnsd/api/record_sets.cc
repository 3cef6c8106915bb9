#include "dnsd/api/record_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/fields.h"
#include "zone/registry/hosted.h"
#include "zone/registry/names.h"
#include "zone/tree/difference.h"
#include "zone/wire/rdata.h"

namespace dnsd::api {

namespace {

constexpr std::uint32_t ttl_max = 2'147'483'647;  // RFC 2181 §8
constexpr std::size_t records_max = 65'535;       // of an RRset: what a message can count
// What ends the RDATA of a SOA: its serial, and four numbers more (RFC 1035 §3.3.13).
constexpr std::size_t soa_numbers_octets = 20, serial_octets = 4;

using Action = RecordSetChange::Action;
using model::FieldError;

registry::RdataList sorted(registry::RdataList records) {
    std::ranges::sort(records);
    const auto twice = std::ranges::unique(records);
    records.erase(twice.begin(), twice.end());
    return records;
}

registry::RdataList records_of(const tree::RRset& rrset) {
    registry::RdataList records;
    for (std::size_t i = 0; i < rrset.size(); ++i)
        records.emplace_back(rrset.rdata(i).begin(), rrset.rdata(i).end());
    return records;
}

// The TTL and the records, which `are_needed`.
void read_contents(Fields& fields, RecordSet& set, const wire::Name& apex, bool are_needed) {
    fields.integer("ttl", set.ttl);
    if (set.ttl > ttl_max) fields.wrong("ttl", "must be 0 to 2147483647 seconds");
    fields.list("records", set.records, [&](std::string_view text) -> Result<wire::RdataOctets> {
        return wire::parse_rdata(set.type, text, apex);
    });
    if (const Json* records = fields.take("records"); records && records->is_array()) {
        if (records->empty()) fields.wrong("records", "must be at least one");
        if (records->size() > records_max) fields.wrong("records", "must be at most 65535");
    } else if (!records && are_needed) {
        fields.wrong("records", "are needed");
    }
}

std::optional<Action> parse_action(std::string_view word) {
    if (word == "create") return Action::Create;
    if (word == "upsert") return Action::Upsert;
    if (word == "delete") return Action::Delete;
    return std::nullopt;
}

// A string field that is needed, through `parse`.
template <class Value, class Parse>
void read_needed(Fields& fields, const char* name, Value& into, Parse parse) {
    const Json* value = fields.take(name);
    if (!value) return fields.wrong(name, "is needed");
    if (!value->is_string()) return fields.wrong(name, "must be a string");
    auto parsed = parse(value->get_ref<const std::string&>());
    if (!parsed) return fields.wrong(name, std::move(parsed.error().message));
    into = *parsed;
}

RecordSetChange read_change(const Json& object, std::string pointer, const wire::Name& apex,
                            std::uint32_t default_ttl, std::vector<FieldError>& errors) {
    RecordSetChange change;
    change.set.ttl = default_ttl;
    Fields fields(object, std::move(pointer), errors);
    if (!fields.take("action")) fields.wrong("action", "is needed");
    fields.word("action", change.action, parse_action, "create, upsert and delete");
    read_needed(fields, "name", change.set.owner,
                [&](std::string_view text) { return parse_owner(text, apex); });
    const std::size_t before = errors.size();
    read_needed(fields, "type", change.set.type, parse_record_set_type);
    if (errors.size() != before) {  // the records can only be read by their type
        fields.ignore({"ttl", "records"});
        return change;
    }
    read_contents(fields, change.set, apex, change.action != Action::Delete);
    return change;
}

// What a batch knows of one RRset on its way: what the zone held before it, and now.
struct Standing {
    bool is_there;
    registry::RdataList records;  // sorted; meant while it is there
};

Standing standing_in(const tree::Zone& zone, const RecordSet& set) {
    const tree::Node* node = zone.find(set.owner);
    const tree::RRset* rrset = node ? node->find(set.type) : nullptr;
    if (!rrset) return {false, {}};
    return {true, sorted(records_of(*rrset))};
}

// The first change of an RRset meets the zone, whose state then is a prerequisite.
std::optional<registry::Prerequisite> prerequisite_of(const RecordSetChange& change) {
    using Kind = registry::Prerequisite::Kind;
    const RecordSet& set = change.set;
    if (change.action == Action::Upsert) return std::nullopt;
    if (change.action == Action::Create)
        return registry::Prerequisite{Kind::RRsetAbsent, set.owner, set.type};
    if (set.records.empty()) return registry::Prerequisite{Kind::RRsetExists, set.owner, set.type};
    return registry::Prerequisite{Kind::RRsetEquals, set.owner, set.type, set.records};
}

registry::RecordEdit edit_of(const RecordSetChange& change) {
    const RecordSet& set = change.set;
    if (change.action == Action::Delete)
        return {registry::RecordEdit::Kind::DeleteRRset, set.owner, set.type};
    return {registry::RecordEdit::Kind::Set, set.owner, set.type, set.ttl, set.records};
}

std::optional<Problem> judge(const RecordSetChange& change, const Standing& now,
                             const registry::Namespace& within, const wire::Name& apex,
                             std::size_t number) {
    const std::string what =
        fmt::format("{} {}", print_owner(change.set.owner, apex), wire::print(change.set.type));
    const auto problem = [&](int status, std::string detail) {
        return Problem{status, detail, {{fmt::format("/changes/{}", number), detail}}};
    };
    const std::string relative = registry::relative_name(change.set.owner, apex);
    if (const auto owner = registry::find_owner(within, relative))
        return problem(409, fmt::format("{} is the name of {}, and changes with it alone",
                                        change.set.owner.print(), registry::print(*owner)));
    if (change.action == Action::Create && now.is_there)
        return problem(409, fmt::format("there is a record set {} already", what));
    if (change.action != Action::Delete) return std::nullopt;
    if (!now.is_there) return problem(404, fmt::format("there is no record set {}", what));
    if (!change.set.records.empty() && sorted(change.set.records) != now.records)
        return problem(409, fmt::format("the record set {} holds other records", what));
    return std::nullopt;
}

// The key of a page: "www A". No name has a space of its own, since it is written \032.
std::string page_key(const wire::Name& owner, wire::RrType type, const wire::Name& apex) {
    return print_owner(owner, apex) + ' ' + wire::print(type);
}

struct Listed {
    wire::Name owner;
    const tree::RRset* rrset;

    std::weak_ordering operator<=>(const Listed& other) const noexcept {
        if (const auto order = owner <=> other.owner; order != 0) return order;
        return rrset->type() <=> other.rrset->type();
    }
    bool operator==(const Listed& other) const noexcept { return (*this <=> other) == 0; }
};

// The first `most` that the query lets through, in order. Of all that a zone holds it sorts no more
// than these.
std::vector<Listed> first_of(const tree::Zone& zone, const RecordSetQuery& query,
                             const std::optional<std::pair<wire::Name, wire::RrType>>& after,
                             std::size_t most) {
    std::vector<Listed> found;
    const auto take = [&](const wire::Name& owner, const tree::RRset& rrset) {
        if (query.type && rrset.type() != *query.type) return;
        if (after) {
            const auto order = owner <=> after->first;
            if (order < 0 || (order == 0 && rrset.type() <= after->second)) return;
        }
        found.push_back({owner, &rrset});
        std::ranges::push_heap(found);
        if (found.size() <= most) return;
        std::ranges::pop_heap(found);
        found.pop_back();
    };
    if (query.owner) {
        if (const tree::Node* node = zone.find(*query.owner)) {
            for (const auto& rrset : node->rrsets()) take(node->owner(), *rrset);
        }
    } else {
        tree::for_each_change(*tree::Zone::make(zone.apex()), zone,
                              [&](const tree::Node& owner, wire::RrType, const tree::RRset*,
                                  const tree::RRset* rrset) { take(owner.owner(), *rrset); });
    }
    std::ranges::sort_heap(found);
    return found;
}

std::vector<std::uint8_t> without_serial(const tree::RRset& soa) {
    std::vector<std::uint8_t> octets(soa.rdata(0).begin(), soa.rdata(0).end());
    if (octets.size() < soa_numbers_octets) return octets;
    const auto serial = octets.end() - soa_numbers_octets;
    std::fill(serial, serial + serial_octets, std::uint8_t{0});
    return octets;
}

}  // namespace

std::string zone_name(std::string_view asked) {
    if (asked == "@") return ".";
    const auto name = wire::Name::parse(asked);
    return name ? name->lower_cased().print() : lower_cased(asked);
}

Result<wire::Name> parse_owner(std::string_view text, const wire::Name& apex) {
    auto name = wire::Name::parse(text, apex);
    if (!name) return std::unexpected(name.error());
    if (!name->is_at_or_below(apex))
        return fail(fmt::format("'{}' is not in the zone {}", text, apex.print()));
    return name;
}

Result<wire::RrType> parse_record_set_type(std::string_view text) {
    const auto type = wire::parse_type(text);
    if (!type) return fail(fmt::format("'{}' is no RR type", text));
    if (wire::is_query_only(*type))
        return fail(fmt::format("{} is a type of queries, not of records", wire::print(*type)));
    return *type;
}

std::string print_owner(const wire::Name& owner, const wire::Name& apex) {
    if (owner == apex) return "@";
    const auto octets = owner.octets();
    std::vector<std::uint8_t> relative(octets.begin(), octets.end() - std::ptrdiff_t(apex.size()));
    relative.push_back(0);
    return wire::Name::from_octets(relative)->print();
}

std::string print(const wire::Name& owner, const tree::RRset& rrset, const wire::Name& apex) {
    Json json{{"name", print_owner(owner, apex)},
              {"type", wire::print(rrset.type())},
              {"ttl", rrset.ttl()}};
    json["records"] = Json::array();
    for (std::size_t i = 0; i < rrset.size(); ++i) {
        if (rrset.is_transferred(i))
            json["records"].push_back(wire::print_rdata(rrset.type(), rrset.rdata(i)));
    }
    return dump(json);
}

Result<RecordSet, Problem> decode_record_set(std::string_view body, const wire::Name& owner,
                                             wire::RrType type, const wire::Name& apex,
                                             std::uint32_t default_ttl) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    RecordSet set{owner, type, default_ttl, {}};
    {
        Fields fields(*json, "", errors);
        const auto same = [&](const char* name, auto parse, const auto& in_path) {
            const Json* value = fields.take(name);
            if (!value) return;
            const auto parsed = value->is_string() ? parse(value->get_ref<const std::string&>())
                                                   : decltype(parse(""))(fail(""));
            if (!parsed || *parsed != in_path)
                fields.wrong(name, "must be as in the path, or be left out");
        };
        same("name", [&](std::string_view text) { return parse_owner(text, apex); }, owner);
        same("type", parse_record_set_type, type);
        read_contents(fields, set, apex, true);
    }
    if (errors.empty()) return set;
    return std::unexpected(not_allowed(std::move(errors)));
}

Result<std::vector<RecordSetChange>, Problem> decode_record_set_changes(std::string_view body,
                                                                        const wire::Name& apex,
                                                                        std::uint32_t default_ttl) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    std::vector<RecordSetChange> changes;
    {
        Fields fields(*json, "", errors);
        const Json* list = fields.take("changes");
        if (!list || !list->is_array() || list->empty()) {
            fields.wrong("changes", "must be a list of at least one change");
        } else {
            for (std::size_t i = 0; i < list->size(); ++i) {
                const std::string pointer = fmt::format("/changes/{}", i);
                if ((*list)[i].is_object()) {
                    changes.push_back(read_change((*list)[i], pointer, apex, default_ttl, errors));
                } else {
                    errors.push_back({pointer, "must be an object"});
                }
            }
        }
    }
    if (errors.empty()) return changes;
    return std::unexpected(not_allowed(std::move(errors)));
}

Result<registry::ChangeRecords, Problem> plan(const std::vector<RecordSetChange>& changes,
                                              const registry::Namespace& within,
                                              const tree::Zone& zone) {
    registry::ChangeRecords planned;
    std::map<std::pair<wire::Name, wire::RrType>, Standing> standing;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const RecordSetChange& change = changes[i];
        const std::pair key(change.set.owner, change.set.type);
        auto known = standing.find(key);
        if (known == standing.end()) {
            known = standing.emplace(key, standing_in(zone, change.set)).first;
            if (auto prerequisite = prerequisite_of(change))
                planned.prerequisites.push_back(std::move(*prerequisite));
        }
        if (auto problem = judge(change, known->second, within, zone.apex(), i))
            return std::unexpected(std::move(*problem));
        known->second = {change.action != Action::Delete, sorted(change.set.records)};
        planned.edits.push_back(edit_of(change));
    }
    return planned;
}

bool differs(const tree::Zone& before, const tree::Zone& after) {
    bool is_other = false;
    tree::for_each_change(
        before, after,
        [&](const tree::Node&, wire::RrType type, const tree::RRset* was, const tree::RRset* is) {
            const bool is_serial_alone = type == wire::RrType::SOA && was && is &&
                                         was->ttl() == is->ttl() &&
                                         without_serial(*was) == without_serial(*is);
            is_other = is_other || !is_serial_alone;
        });
    return is_other;
}

Result<RecordSetQuery, Problem> read_record_set_query(const Call& call, const wire::Name& apex) {
    auto listing = Listing::read(call);
    if (!listing) return std::unexpected(listing.error());
    RecordSetQuery query{std::move(*listing), {}, {}};
    if (const auto text = call.query("name")) {
        const auto owner = parse_owner(*text, apex);
        if (!owner) return std::unexpected(Problem{400, "name: " + owner.error().message});
        query.owner = *owner;
    }
    if (const auto text = call.query("type")) {
        const auto type = parse_record_set_type(*text);
        if (!type) return std::unexpected(Problem{400, "type: " + type.error().message});
        query.type = *type;
    }
    return query;
}

Result<std::string, Problem> print_record_sets(const tree::Zone& zone, const RecordSetQuery& query,
                                               std::string head) {
    std::optional<std::pair<wire::Name, wire::RrType>> after;
    if (const std::string& token = query.listing.after; !token.empty()) {
        const auto space = token.rfind(' ');
        const auto owner = parse_owner(token.substr(0, space), zone.apex());
        const auto type =
            space == token.npos ? std::nullopt : wire::parse_type(token.substr(space + 1));
        if (!owner || !type)
            return std::unexpected(Problem{400, "page_token must be one that a reply told"});
        after.emplace(*owner, *type);
    }
    Page page("record_sets", query.listing);
    // One more than asked for: so the page knows that it is cut.
    for (const Listed& one : first_of(zone, query, after, query.listing.limit + 1)) {
        if (!page.add(page_key(one.owner, one.rrset->type(), zone.apex()),
                      print(one.owner, *one.rrset, zone.apex())))
            break;
    }
    return page.print(std::move(head));
}

}  // namespace dnsd::api
