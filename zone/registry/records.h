// Changes of plain record sets, as the REST API and dynamic updates (RFC 2136) ask for them: all of
// one request, or nothing. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "zone/tree/zone.h"
#include "zone/wire/name.h"
#include "zone/wire/types.h"

namespace dnsd::registry {

using RdataList = std::vector<std::vector<std::uint8_t>>;  // uncompressed

// What a zone must hold before the change (RFC 2136 §2.4).
struct Prerequisite {
    enum class Kind {
        RRsetExists,   // NXRRSET otherwise
        RRsetEquals,   // the same RDATA, whatever the TTL; NXRRSET otherwise
        RRsetAbsent,   // YXRRSET otherwise
        NameInUse,     // NXDOMAIN otherwise
        NameNotInUse,  // YXDOMAIN otherwise
    };
    Kind kind;
    wire::Name owner;
    wire::RrType type{};  // RRset* alone
    RdataList records{};  // RRsetEquals alone
};

// One change of what a zone holds (RFC 2136 §2.5).
struct RecordEdit {
    enum class Kind {
        Add,  // to the RRset, whose TTL becomes this one's
        Set,  // the RRset is exactly this
        DeleteRRset,
        DeleteName,    // all RRsets of the owner; at the apex, all but SOA and NS
        DeleteRecord,  // one record of the RRset
    };
    Kind kind;
    wire::Name owner;
    wire::RrType type{};
    std::uint32_t ttl = 0;  // Add and Set
    RdataList records{};    // Add, Set and DeleteRecord
};

// Who knows what stands at names that the plain zone does not hold: RRsets of services. Null: no
// such name.
using FindServed = std::function<const tree::Node*(const wire::Name& owner)>;

// What an edit may not touch, in one sentence; nothing: it may.
using FindOwner = std::function<std::optional<std::string>(const wire::Name& owner)>;

// Why edits were refused: the first that is to blame, if one is.
struct RecordsRefusal {
    wire::Rcode rcode;
    std::string detail;
    std::optional<std::size_t> prerequisite{}, edit{};
    bool is_taken = false;  // the name belongs to something else in the zone
};

// The first prerequisite that does not hold.
std::optional<RecordsRefusal> judge(const tree::Zone& zone, const FindServed& served,
                                    const std::vector<Prerequisite>& prerequisites);

// `zone` after the edits, in their order, sound as far as tree::check_owner judges the owners that
// they touched. `is_update`: see ChangeRecords.
Result<std::shared_ptr<const tree::Zone>, RecordsRefusal> edited(
    std::shared_ptr<const tree::Zone> zone, const FindOwner& find_owner,
    const std::vector<RecordEdit>& edits, bool is_update);

}  // namespace dnsd::registry
