// `failover-lab list`: what suites can be made of.
#pragma once

#include <string>

namespace dnsd::lab {

// Ways, faults, presets, suites, and every field of a setting with what it takes.
std::string print_list();

}  // namespace dnsd::lab
