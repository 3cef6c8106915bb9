// Record sets as the API takes and shows them: {"name", "type", "ttl", "records"}, the records as
// master files write them. Names of records are relative to the zone unless they end in a dot, and
// "@" is the apex; so are names within records. Pure; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dnsd/api/listing.h"
#include "dnsd/api/problem.h"
#include "zone/registry/records.h"
#include "zone/registry/state.h"
#include "zone/tree/zone.h"

namespace dnsd::api {

// The zone that a path or a token names, as the registry spells it; what is no name stays as it is.
// "@" is the root zone, which no path can name otherwise.
std::string zone_name(std::string_view asked);

struct RecordSet {
    wire::Name owner;
    wire::RrType type{};
    std::uint32_t ttl = 0;
    registry::RdataList records{};
};

// The error is a sentence.
Result<wire::Name> parse_owner(std::string_view text, const wire::Name& apex);
Result<wire::RrType> parse_record_set_type(std::string_view text);
std::string print_owner(const wire::Name& owner, const wire::Name& apex);

std::string print(const wire::Name& owner, const tree::RRset& rrset, const wire::Name& apex);

// A name or type in the body must be that of the path; a TTL that is not given is the zone's.
Result<RecordSet, Problem> decode_record_set(std::string_view body, const wire::Name& owner,
                                             wire::RrType type, const wire::Name& apex,
                                             std::uint32_t default_ttl);

struct RecordSetChange {
    enum class Action { Create, Upsert, Delete };
    Action action = Action::Upsert;
    RecordSet set;  // Delete: without records, whatever they are
};
Result<std::vector<RecordSetChange>, Problem> decode_record_set_changes(std::string_view body,
                                                                        const wire::Name& apex,
                                                                        std::uint32_t default_ttl);

// All of them in their order, or nothing: 404 where one deletes what is not there, 409 where it
// creates what is, or would change what a service owns. `zone`, which holds the plain record sets
// now, tells which of them is to blame; that it is still so when the change is made, the
// prerequisites say.
Result<registry::ChangeRecords, Problem> plan(const std::vector<RecordSetChange>& changes,
                                              const registry::Namespace& within,
                                              const tree::Zone& zone);

// Whether `after` would serve anything else, beside its serial.
bool differs(const tree::Zone& before, const tree::Zone& after);

// A page of them in canonical order, those of one owner by type.
struct RecordSetQuery {
    Listing listing;
    std::optional<wire::Name> owner;
    std::optional<wire::RrType> type;
};
Result<RecordSetQuery, Problem> read_record_set_query(const Call& call, const wire::Name& apex);
Result<std::string, Problem> print_record_sets(const tree::Zone& zone, const RecordSetQuery& query,
                                               std::string head);

}  // namespace dnsd::api
