// State into rows of the store, and back.
#pragma once

#include "base/result.h"
#include "zone/registry/draft.h"
#include "zone/registry/handed_out.h"
#include "zone/store/store.h"

namespace dnsd::registry {

// All that the store holds.
Result<std::shared_ptr<const State>> load_state(store::Contents contents, store::Store& store);

// Writes what the draft touched, its events and its revision. REQUIRES: a transaction was begun.
// `lapses` says what caches may hold of a service (HandedOut).
Result<> save(Draft& draft, const std::function<HandedOut::Lapses(const ServiceKey&)>& lapses,
              store::Store& store);
Result<> save(const Namespace& within, store::Store& store);  // without what is inside

}  // namespace dnsd::registry
