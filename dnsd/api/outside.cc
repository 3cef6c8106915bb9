// Names outside our zones: what is kept of them, and who is asked.
#include <fmt/format.h>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/handlers.h"
#include "zone/wire/rdata.h"

namespace dnsd::api {

namespace {

constexpr const char* section_names[] = {"answer", "authority", "additional"};

std::string print_records(const CachedAnswer& answer) {
    const wire::Response& response = *answer.aged.response;
    std::string json;
    wire::Response::Records records(response);
    wire::Response::View record{};
    while (records.next(record)) {
        json += fmt::format(R"({}{{"section":"{}","name":{},"type":"{}","ttl":{},"data":{}}})",
                            json.empty() ? "" : ",",
                            section_names[static_cast<std::size_t>(record.section)],
                            quoted_json(response.owner(record).print()), wire::print(record.type),
                            record.ttl, quoted_json(wire::print_rdata(record.type, record.rdata)));
    }
    return '[' + json + ']';
}

std::string print(const CachedAnswer& answer) {
    return fmt::format(
        R"({{"name":{},"type":"{}","dnssec_ok":{},"checking_disabled":{},"rcode":"{}","age":{},"left":{},)"
        R"("stale":{},"records":{}}})",
        quoted_json(answer.question.question.name.print()),
        wire::print(answer.question.question.type), answer.question.dnssec_ok,
        answer.question.checking_disabled, wire::print(answer.aged.response->rcode()),
        answer.aged.age, answer.left, answer.aged.is_stale, print_records(answer));
}

Result<wire::Name, Problem> name_of(const Call& call) {
    const auto text = call.query("name");
    if (!text) return std::unexpected(Problem{400, "name is missing"});
    const auto name = *text == "@" ? wire::Name() : wire::Name::parse(*text);
    if (!name) return std::unexpected(Problem{400, "name: " + name.error().message});
    return *name;
}

}  // namespace

void Handlers::show_cache(const Call& call) {
    const CacheTotals totals = surroundings_.forwarding.totals();
    std::string answers;
    if (call.query("name")) {
        const auto name = name_of(call);
        if (!name) return call.refuse(name.error());
        for (const CachedAnswer& answer : surroundings_.forwarding.list(*name))
            answers += (answers.empty() ? "" : ",") + print(answer);
    }
    call.reply(
        {200, fmt::format(R"({{"entries":{},"octets":{},"hits":{},"stale_hits":{},"misses":{},)"
                          R"("evictions":{},"answers":[{}]}})",
                          totals.entries, totals.octets, totals.hits, totals.stale_hits,
                          totals.misses, totals.evictions, answers)});
}

void Handlers::flush_cache(const Call& call) {
    const auto name = name_of(call);
    if (!name) return call.refuse(name.error());
    std::optional<wire::RrType> type;
    if (const auto text = call.query("type")) {
        type = wire::parse_type(*text);
        if (!type) return call.refuse({400, fmt::format("type: '{}' is no RR type", *text)});
    }
    const std::size_t flushed = surroundings_.forwarding.flush(*name, type, call.flag("subtree"));
    call.reply({200, fmt::format(R"({{"flushed":{}}})", flushed)});
}

void Handlers::list_upstreams(const Call& call) {
    std::string json;
    for (const UpstreamStatus& one : surroundings_.forwarding.upstreams()) {
        json += fmt::format(
            R"({}{{"domain":{},"address":{},"well":{},"keeps_case":{},"latency":{},"queries":{},"failures":{}}})",
            json.empty() ? "" : ",", quoted_json(one.domain.print()),
            quoted_json(one.address.print()), one.is_well, one.keeps_case,
            static_cast<double>(one.latency.count()) / 1000, one.queries, one.failures);
    }
    call.reply({200, "{\"upstreams\":[" + json + "]}"});
}

}  // namespace dnsd::api
