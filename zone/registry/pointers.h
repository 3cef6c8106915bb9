// Which instances each address belongs to, so that reverse zones can say so (RFC 1035 §3.5, RFC
// 3596 §2.5): of namespaces that ask for it, every instance that has a name of its own.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "zone/registry/ordered_map.h"
#include "zone/registry/state.h"

namespace dnsd::registry {

// A value that shares what did not change with the one before it.
class Pointers {
  public:
    // Owner names are absolute and in lower case, without a final dot: "1.2.0.192.in-addr.arpa".
    using Owners = std::set<std::string>;

    // The instances of `before` lose theirs, those of `after` gain them. Null: there is no such
    // service, or its namespace does not ask. Adds the owners that changed to `changed`.
    void change(const Service* before, const Service* after, Owners& changed);

    // The instances' own names; empty: there are none.
    std::vector<std::string> targets(const std::string& owner) const;
    // All owners at or below `apex` that have targets.
    Owners below(const std::string& apex) const;

  private:
    using Targets = std::shared_ptr<const std::set<std::string>>;
    void set(const model::Instance& instance, bool has, Owners& changed);

    OrderedMap<Targets> by_owner_;
};

// "1.2.0.192.in-addr.arpa"; nibbles below ip6.arpa.
std::string reverse_name(const Ipv4& address);
std::string reverse_name(const Ipv6& address);

}  // namespace dnsd::registry
