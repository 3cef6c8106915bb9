// What a room tells those who watch it. A room offers a MetricSource; dnsd/api gathers all of them
// when /metrics is read. Names carry the prefix dnsd_ and a unit suffix; label sets are bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace dnsd {

struct Metric {
    enum class Kind { Counter, Gauge, Histogram };
    struct Sample {
        std::vector<std::pair<std::string, std::string>> labels;
        double value = 0;  // of a histogram: the sum of what was observed
        std::vector<std::uint64_t>
            counts;  // of a histogram: per bound, then one for the rest; not cumulative
    };
    std::string name;
    std::string help;
    Kind kind = Kind::Counter;
    std::vector<Sample> samples;
    std::vector<double> bounds;  // of a histogram: upper bounds, ascending
};

// Any thread may call it.
using MetricSource = std::function<std::vector<Metric>()>;

}  // namespace dnsd
