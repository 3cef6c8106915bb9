// A draft into zones: compiles what it touched, moves the serials of the zones that changed, and
// tells each event which owner names did.
#pragma once

#include <memory>

#include "zone/registry/draft.h"
#include "zone/registry/handed_out.h"
#include "zone/registry/pointers.h"
#include "zone/registry/publication.h"
#include "zone/store/store.h"

namespace dnsd::registry {

// What a draft leads to.
struct Compiled {
    std::shared_ptr<const tree::ZoneSet> zones;
    Pointers pointers;
    // For secondaries of ours, one for each zone that changed and had a serial before.
    std::vector<store::DifferenceRow> differences;
    std::vector<std::string> histories_ended;  // zones of which no difference leads to what is now
    std::vector<std::string> moved;            // zones whose serial moved, and those that are gone
};

// The zones that follow `zones`, and the pointers that follow `pointers`. Where time alone moved a
// service's answers, the draft gains an event that says so.
Compiled compile(Draft& draft, std::shared_ptr<const tree::ZoneSet> zones, Pointers pointers,
                 const Infrastructure& infrastructure, HandedOut& handed_out);

// The PTR records that all of `state` asks for, put into a publication of all of it.
Pointers compile_pointers(const State& state, Publication& publication);

// The namespace whose zone holds `owner`: the one with the longest name that it is at or below, a
// primary. Null: there is none.
const Namespace* zone_of(const State& state, const wire::Name& owner);

}  // namespace dnsd::registry
