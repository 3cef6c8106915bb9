// Who is let in, by where a message comes from and by the key that signed it. Pure; any thread.
#pragma once

#include <span>

#include "base/address.h"
#include "zone/model/types.h"
#include "zone/wire/name.h"

namespace dnsd::transfer {

// Whether one of the list lets the client in. `key`: of the message's TSIG, which is believed;
// null: it is not signed. Loopback is let in by no other rule than its address.
bool is_admitted(std::span<const model::Admission> list, const IpAddress& client,
                 const wire::Name* key);

}  // namespace dnsd::transfer
