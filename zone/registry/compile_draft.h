// A draft into zones: compiles what it touched, moves the serials of the zones that changed, and
// tells each event which owner names did.
#pragma once

#include <memory>

#include "zone/registry/draft.h"
#include "zone/registry/handed_out.h"
#include "zone/registry/publication.h"

namespace dnsd::registry {

// Returns the zones that follow `zones`. Where time alone moved a service's answers, the draft
// gains an event that says so.
std::shared_ptr<const tree::ZoneSet> compile(Draft& draft,
                                             std::shared_ptr<const tree::ZoneSet> zones,
                                             const Infrastructure& infrastructure,
                                             HandedOut& handed_out);

}  // namespace dnsd::registry
