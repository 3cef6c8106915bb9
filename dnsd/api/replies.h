// Replies that resources of all kinds have in common.
#pragma once

#include <string>

#include "dnsd/api/exchange.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"

namespace dnsd::api {

Reply with_etag(std::string body, model::Revision revision, bool created = false);
Reply deleted(const registry::Applied& applied);  // {"revision"}
// A neighbour in the same transaction may have removed what was just put.
Reply gone_again();

// ?dry_run: what a PUT would do, as far as the resource itself goes.
Reply would(const char* what);
template <class Spec>
Reply would(const Spec* current, const Spec& wanted) {
    return would(!current ? "create" : *current == wanted ? "nothing" : "change");
}

}  // namespace dnsd::api
