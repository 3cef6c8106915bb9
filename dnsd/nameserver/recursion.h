// What workers need of whoever resolves names outside our zones. The daemon brings it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/address.h"
#include "zone/wire/response.h"

namespace dnsd::nameserver {

// All workers call it at once.
class Recursion {
  public:
    virtual ~Recursion() = default;

    // Whether there is anybody to ask; if not, names outside our zones are refused.
    virtual bool is_available() const noexcept = 0;
    // What may be answered at once, without asking anybody.
    virtual std::optional<wire::AgedResponse> find(const wire::RecursiveQuestion& question) = 0;
    // Asks others for `client`; `done` is called once, on any thread, maybe before this returns.
    virtual void resolve(const wire::RecursiveQuestion& question, const IpAddress& client,
                         std::function<void(wire::AgedResponse)> done) = 0;
};

// The search list that clients of a network have in their resolv.conf, walked here instead of
// there: a name below its first domain that does not exist is looked for below the others, then
// bare.
struct SearchList {
    Network clients;
    std::vector<wire::Name> domains;
};

}  // namespace dnsd::nameserver
