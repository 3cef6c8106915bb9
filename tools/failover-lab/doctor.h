// `failover-lab doctor`: what is there on this machine, what is missing, and what that costs.
#pragma once

#include <string>

#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

std::string print_doctor(const Equipment& equipment);

}  // namespace dnsd::lab
