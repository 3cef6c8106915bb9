// What makes a zone sound (RFC 1034 §3.6.2, RFC 1912, RFC 2181 §10, RFC 6672 §2.4): judged before
// it is served. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "zone/tree/zone.h"

namespace dnsd::tree {

struct Finding {
    enum class Severity { Error, Warning } severity;
    wire::Name owner;
    wire::RrType type;  // the RRset that is to blame
    std::string what;   // a sentence without the owner's name
};

// A whole zone, as it would be served: exactly one SOA RR and at least one NS RR at the apex; no
// CNAME beside other data, no RRset of two CNAMEs or two DNAMEs, nothing below a DNAME, names of
// name servers inside the zone have addresses (RFC 9471: an error below the cut that they serve, a
// warning elsewhere), names of MX, SRV and NS that are aliases, and so on.
std::vector<Finding> check(const Zone& zone);

// The same for one owner whose RRsets have just changed: it, what its change may break above and
// below, and the addresses it takes from name servers. The apex's SOA and NS are not missed here.
std::vector<Finding> check_owner(const Zone& zone, const wire::Name& owner);

}  // namespace dnsd::tree
