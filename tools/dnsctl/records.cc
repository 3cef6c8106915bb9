// dnsctl record: the record sets of a zone.
#include "base/text.h"
#include "tools/dnsctl/commands.h"

namespace dnsd::ctl {

namespace {

// A row for each record.
std::string table_of_records(const Json& record_sets) {
    Json rows = Json::array();
    for (const Json& set : record_sets) {
        for (const Json& record : set.value("records", Json::array())) {
            Json row = set;
            row["data"] = record;
            rows.push_back(std::move(row));
        }
    }
    return table_of(rows, {"name", "ttl", "type", "data"});
}

int show_record_set(const Given& given, const Result<Reply, Refusal>& reply) {
    if (!reply) return complain(reply.error());
    show(given, reply->body, table_of_records(Json::array({reply->body})));
    return 0;
}

int list_record_sets(const Given& given, const Api& api) {
    std::string path = zone_path(given.within) + "/records?view=";
    path += given.served ? "served" : "plain";
    if (!given.name.empty()) path += "&name=" + percent_encoded(given.name);
    if (!given.rr_type.empty()) path += "&type=" + percent_encoded(given.rr_type);
    const auto sets = list_all(api, path, "record_sets");
    if (!sets) return complain(sets.error());
    show(given, *sets, table_of_records(*sets));
    return 0;
}

int set_record_set(const Given& given, const Api& api) {
    Json body{{"records", given.records}};
    if (given.ttl) body["ttl"] = *given.ttl;
    return show_record_set(
        given, api.send("PUT", record_set_path(given.within, given.name, given.rr_type), body));
}

}  // namespace

void add_records(Commands& commands) {
    Given& given = commands.given;
    CLI::App* of = commands.group("record", "Record sets of zones");
    const auto take_zone = [&](CLI::App* to) {
        to->add_option("zone", given.within, "The zone")->required();
    };
    const auto take_record_set = [&](CLI::App* to) {
        take_zone(to);
        to->add_option(
              "name", given.name,
              "Its name, relative to the zone unless it ends in a dot; @ is the zone's own")
            ->required();
        to->add_option("type", given.rr_type, "A, AAAA, MX ...")->required();
    };
    const auto take_served = [&](CLI::App* to) {
        to->add_flag("--served", given.served, "What services own too");
    };
    auto* listed = commands.add(of, "list", "Lists those of a zone", list_record_sets);
    take_zone(listed);
    listed->add_option("--name", given.name, "Only of this name");
    listed->add_option("--type", given.rr_type, "Only of this RR type");
    take_served(listed);
    auto* shown = commands.add(of, "get", "Shows one", [](const Given& g, const Api& a) {
        return show_record_set(g, a.get(record_set_path(g.within, g.name, g.rr_type) +
                                        (g.served ? "?view=served" : "")));
    });
    take_record_set(shown);
    take_served(shown);
    auto* set = commands.add(of, "set", "Creates or replaces one", set_record_set);
    take_record_set(set);
    set->add_option("records", given.records, "The data of each record, as zone files write it")
        ->required();
    set->add_option("--ttl", given.ttl, "Seconds; the zone's if it is not given");
    take_record_set(commands.add(of, "delete", "Deletes one", [](const Given& g, const Api& a) {
        return show_reply(g, a.send("DELETE", record_set_path(g.within, g.name, g.rr_type)));
    }));
}

}  // namespace dnsd::ctl
