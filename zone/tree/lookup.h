// The name server algorithm (RFC 1034 §4.3.2) over one immutable zone.
// Wildcards follow RFC 4592, DNAME RFC 6672, negative answers RFC 2308.
// Pure: no I/O, no clock, no allocation. Any thread may call it while it holds the zone.
#pragma once

#include "zone/tree/zone.h"

namespace dnsd::tree {

// What a zone says about one question. Pointers look into the zone and live as long as it does.
struct LookupResult {
    enum class Kind { Answer, NoData, NxDomain, Referral, Cname, Dname };
    Kind kind;
    const Node* node;  // the owner of `rrset`; at NoData the name's node; null at NxDomain
    const RRset*
        rrset;  // the answer, the alias, or the NS RRset at the zone cut; null for
                // NoData, NxDomain, and for an Answer to ANY (RFC 8482: take one of node's)
    const Node* closest_encloser;  // never null (RFC 4592 §3.3.1)
    bool synthesized;              // from a wildcard: the owner name is qname
};

// `at_qname`: the zone's node of that very name, if the caller has it; null: it is looked for.
// REQUIRES: qname is at or below zone.apex().
LookupResult lookup(const Zone& zone, const wire::Name& qname, wire::RrType qtype,
                    const Node* at_qname = nullptr) noexcept;

}  // namespace dnsd::tree
