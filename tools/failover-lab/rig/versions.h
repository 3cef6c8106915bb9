// The versions of the software that takes part, for records and the report.
#pragma once

#include <string>
#include <string_view>

#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// Of a Debian package that is installed, or only unpacked in the equipment's folder; empty where it
// is neither.
std::string version_of(Scene& scene, std::string_view package);

}  // namespace dnsd::lab
