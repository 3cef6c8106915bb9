// Metrics as Prometheus reads them (text exposition format 0.0.4).
#pragma once

#include <string>
#include <vector>

#include "base/metrics.h"

namespace dnsd::api {

std::string print_metrics(const std::vector<Metric>& metrics);

}  // namespace dnsd::api
