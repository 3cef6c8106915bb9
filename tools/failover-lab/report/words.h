// Settings and numbers as people read them.
#pragma once

#include <string>
#include <string_view>

#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/model/stats.h"

namespace dnsd::lab {

// "dns", "push", "sidecar", "central" or "polling"; "dns" for ways that are not known (any more).
std::string_view family_of(const Setting& setting) noexcept;
std::string way_title(const Setting& setting);    // "unbound", without its family
std::string fault_title(const Setting& setting);  // "An instance is killed"
// Who is compared, without the fault: "unbound, TTL 5", "Envoy by xDS, 2 retries".
std::string title_of(const Setting& setting);
// Whether it differs from the defaults only in what makes the way and the fault. Cells that vary
// checks, connections or retries are no match for those that do not.
bool is_plain(const Setting& setting);

std::string seconds_text(double seconds);                   // "0.68", "12.3"
std::string interval_text(double mean, Interval interval);  // "0.68 (0.61 to 0.75)"

}  // namespace dnsd::lab
