// A suite as a list of jobs, each for one process in namespaces of its own.
#pragma once

#include <string>
#include <vector>

#include "tools/failover-lab/rig/order.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {

struct Job {
    Order order;         // its folder is set when it is launched
    std::string place;   // below the suite's folder: where what it leaves belongs
    std::string leaves;  // the file that makes it whole
    std::string title;   // for people
    double seconds = 0;  // that it takes, as far as is known before
};

struct Plan {
    std::vector<Job> together;         // several at once, the longest first
    std::vector<Job> alone;            // afterwards, one after another
    std::vector<std::string> skipped;  // "way envoy-xds: Envoy is not installed"
};

// Runs of equal numbers have equal phases and seeds, whatever their cells, if these have equally
// many: (number + 0.5) / runs.
Plan plan_of(const Suite& suite, const Equipment& equipment, std::uint64_t seed);

// The same run once more, beside its first: an invalid one has a second chance.
Job again(Job job);

}  // namespace dnsd::lab
