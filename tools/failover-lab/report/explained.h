// Why the model misses some settings: what nobody outside can know before the fault, or what it
// leaves out. A row each.
#pragma once

#include <string_view>

#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

std::string_view explanation_of(const Setting& setting) noexcept;  // empty: there is none

}  // namespace dnsd::lab
