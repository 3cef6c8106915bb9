#include "tools/failover-lab/model/measured.h"

#include "tools/failover-lab/model/json_fields.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

Json json_of_latency(const CostRecord::Latency& latency) {
    return {{"p50_us", latency.p50_us}, {"p90_us", latency.p90_us}, {"p99_us", latency.p99_us}};
}

void read_latency(JsonFields& fields, const char* name, CostRecord::Latency& latency) {
    const Json* json = fields.find(name);
    if (!json) return;
    JsonFields inner(*json);
    inner.read("p50_us", latency.p50_us);
    inner.read("p90_us", latency.p90_us);
    inner.read("p99_us", latency.p99_us);
    if (const auto read = inner.finish(); !read) fields.complain(name, read.error().message);
}

}  // namespace

Json to_json(const EffectiveTtlRecord& record) {
    Json samples = Json::array();
    for (const EffectiveTtls::Sample& sample : record.samples)
        samples.push_back({{"ttl", sample.ttl}, {"phase", sample.phase}, {"age", sample.age}});
    return {{"cache", record.cache},
            {"title", record.title},
            {"version", record.version},
            {"problem", record.problem},
            {"samples", std::move(samples)}};
}

Result<EffectiveTtlRecord> effective_ttl_from_json(const Json& json) {
    EffectiveTtlRecord record;
    JsonFields fields(json);
    fields.read("cache", record.cache);
    fields.read("title", record.title);
    fields.read("version", record.version);
    fields.read("problem", record.problem);
    if (const Json* samples = fields.find("samples")) {
        if (!samples->is_array()) fields.complain("samples", "a list");
        for (const Json& each : *samples) {
            JsonFields inner(each);
            EffectiveTtls::Sample& sample = record.samples.emplace_back();
            sample.cache = record.cache;
            inner.read("ttl", sample.ttl);
            inner.read("phase", sample.phase);
            inner.read("age", sample.age);
            if (const auto read = inner.finish(); !read)
                fields.complain("samples", read.error().message);
        }
    }
    if (const auto read = fields.finish(); !read) return std::unexpected(read.error());
    return record;
}

Json to_json(const CostRecord& record) {
    return {{"way", record.way},
            {"title", record.title},
            {"version", record.version},
            {"problem", record.problem},
            {"rate", record.rate},
            {"direct", json_of_latency(record.direct)},
            {"through", json_of_latency(record.through)},
            {"added", json_of_latency(record.added)},
            {"cpu_us_per_request", record.cpu_us_per_request},
            {"memory_octets", record.memory_octets},
            {"queries_per_second", record.queries_per_second},
            {"messages_per_second", record.messages_per_second},
            {"octets_per_second", record.octets_per_second}};
}

Result<CostRecord> cost_from_json(const Json& json) {
    CostRecord record;
    JsonFields fields(json);
    fields.read("way", record.way);
    fields.read("title", record.title);
    fields.read("version", record.version);
    fields.read("problem", record.problem);
    fields.read("rate", record.rate);
    read_latency(fields, "direct", record.direct);
    read_latency(fields, "through", record.through);
    read_latency(fields, "added", record.added);
    fields.read("cpu_us_per_request", record.cpu_us_per_request);
    fields.read("memory_octets", record.memory_octets);
    fields.read("queries_per_second", record.queries_per_second);
    fields.read("messages_per_second", record.messages_per_second);
    fields.read("octets_per_second", record.octets_per_second);
    if (const auto read = fields.finish(); !read) return std::unexpected(read.error());
    return record;
}

}  // namespace dnsd::lab
