// Short ways to write zones in tests.
#pragma once

#include <memory>
#include <string_view>

#include "tests/support/names.h"
#include "zone/tree/zone.h"

namespace dnsd::test {

// An RRset of one record. What it says does not matter to the lookup.
inline std::shared_ptr<const tree::RRset> rrset(wire::RrType type,
                                                std::vector<std::uint8_t> octets = {192, 0, 2, 1}) {
    return std::make_shared<const tree::RRset>(type, 300,
                                               std::vector<tree::Rdata>{{std::move(octets), 1}});
}

}  // namespace dnsd::test
