// Names out of text that is known to be good.
#pragma once

#include <string_view>

#include "base/assert.h"
#include "zone/wire/name.h"

namespace dnsd::test {

inline wire::Name name(std::string_view text) {
    const auto parsed = wire::Name::parse(text);
    DNSD_ASSERT(parsed.has_value());
    return *parsed;
}

}  // namespace dnsd::test
