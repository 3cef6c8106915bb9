#include "dnsd/api/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace dnsd::api {

namespace {

prometheus::MetricType type_of(Metric::Kind kind) {
    switch (kind) {
        case Metric::Kind::Counter:
            return prometheus::MetricType::Counter;
        case Metric::Kind::Gauge:
            return prometheus::MetricType::Gauge;
        case Metric::Kind::Histogram:
            return prometheus::MetricType::Histogram;
    }
    return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric sample_of(const Metric& metric, const Metric::Sample& sample) {
    prometheus::ClientMetric out;
    for (const auto& [name, value] : sample.labels) out.label.push_back({name, value});
    if (metric.kind == Metric::Kind::Counter) out.counter.value = sample.value;
    if (metric.kind == Metric::Kind::Gauge) out.gauge.value = sample.value;
    if (metric.kind == Metric::Kind::Histogram) {
        out.histogram.sample_sum = sample.value;
        for (std::size_t i = 0; i < sample.counts.size(); ++i) {
            out.histogram.sample_count += sample.counts[i];
            out.histogram.bucket.push_back(
                {out.histogram.sample_count, i < metric.bounds.size()
                                                 ? metric.bounds[i]
                                                 : std::numeric_limits<double>::infinity()});
        }
    }
    return out;
}

}  // namespace

std::string print_metrics(const std::vector<Metric>& metrics) {
    std::vector<prometheus::MetricFamily> families;
    for (const Metric& metric : metrics) {
        prometheus::MetricFamily& family = families.emplace_back();
        family.name = metric.name;
        family.help = metric.help;
        family.type = type_of(metric.kind);
        for (const Metric::Sample& sample : metric.samples)
            family.metric.push_back(sample_of(metric, sample));
    }
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace dnsd::api
