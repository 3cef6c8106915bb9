// Zones: namespaces as DNS has them, in JSON and as zone files.
#include <fmt/format.h>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/handlers.h"
#include "dnsd/api/listing.h"
#include "dnsd/api/record_sets.h"
#include "dnsd/api/replies.h"
#include "zone/registry/hosted.h"

namespace dnsd::api {

using registry::Applied;
using registry::Change;

namespace {

Problem no_zone(const std::string& name) { return {404, fmt::format("there is no zone {}", name)}; }

Problem is_secondary(const std::string& name) {
    return {409, fmt::format("{} is a secondary: what it holds comes from its primaries", name)};
}

Result<wire::Name, Problem> apex_of(const Call& call) {
    const auto name = call.names[0] == "@" ? wire::Name() : wire::Name::parse(call.names[0]);
    if (!name) return std::unexpected(Problem{422, "the zone's name: " + name.error().message});
    return name->lower_cased();
}

// What the Accept header says of a media type (RFC 9110 §12.5.1): its weight, and whether it is
// named itself.
struct Wish {
    double weight = 0;
    bool is_named = false;
};
Wish wish_for(std::string_view type, const std::string& accept) {
    Wish wish;
    for (const std::string_view range : split(accept, ',')) {
        const auto parts = split(range, ';');
        const std::string media = lower_cased(trimmed(parts[0]));
        const std::string_view group = type.substr(0, type.find('/') + 1);
        const bool is_named = media == type;
        if (!is_named && (wish.is_named || (media != "*/*" && media != fmt::format("{}*", group))))
            continue;
        double weight = 1;
        for (std::size_t i = 1; i < parts.size(); ++i) {
            const std::string_view parameter = trimmed(parts[i]);
            if (parameter.starts_with("q="))
                weight = std::strtod(std::string(parameter.substr(2)).c_str(), nullptr);
        }
        wish = {weight, is_named};
    }
    return wish;
}

bool wants_zone_file(const Request& request) {
    const std::string* accept = request.header("Accept");
    if (!accept) return false;
    const Wish file = wish_for(zone_file_type, *accept);
    const Wish json = wish_for("application/json", *accept);
    if (!file.is_named || file.weight <= 0) return false;
    return file.weight > json.weight || (file.weight == json.weight && !json.is_named);
}

Problem problem_in(tree::MasterFile file) {
    const tree::FileProblem& first = file.errors.front();
    std::string detail = "zone file";
    if (first.at.line != 0)
        detail += fmt::format(" line {}, column {}", first.at.line, first.at.column);
    detail += ": " + first.what;
    if (const std::size_t more = file.errors.size() - 1; more > 0)
        detail += fmt::format("; and {}{} more", file.is_cut ? "at least " : "", more);
    return {422, std::move(detail), {}, std::move(file.errors)};
}

// What ?dry_run says of a zone file.
struct ZoneFileJudged {
    tree::MasterFile file;
    const char* would = "create";
    std::optional<registry::Refusal> refusal{};  // by the services beside it
};

// `within`: the namespace as it is; null: there is none.
ZoneFileJudged judged(std::string_view text, const wire::Name& apex,
                      const registry::Namespace* within,
                      const std::shared_ptr<const tree::Zone>& served) {
    ZoneFileJudged judgement{.file = tree::parse_master_file(text, apex)};
    const auto& zone = judgement.file.zone;
    if (!zone || !within) return judgement;
    const auto now = registry::plain_zone(*within, served ? *served : *tree::Zone::make(apex));
    judgement.would = differs(*now, *zone) ? "change" : "nothing";
    judgement.refusal = registry::judge_beside_services(*within, zone);
    return judgement;
}

Reply reply_to(ZoneFileJudged judgement) {
    if (!judgement.file.zone) return reply_of(problem_in(std::move(judgement.file)));
    if (judgement.refusal) return reply_of(problem_of(*judgement.refusal));
    return {200, print_verdict(judgement.would, judgement.file)};
}

struct RecordSetAsked {
    wire::Name owner;
    wire::RrType type;
};
Result<RecordSetAsked, Problem> record_set_asked(const Call& call, const wire::Name& apex) {
    const auto owner = parse_owner(call.names[1], apex);
    if (!owner) return std::unexpected(Problem{422, owner.error().message});
    const auto type = parse_record_set_type(call.names[2]);
    if (!type) return std::unexpected(Problem{422, type.error().message});
    return RecordSetAsked{*owner, *type};
}

}  // namespace

Result<Handlers::ZoneFound, Problem> Handlers::find_zone(const Call& call) {
    const auto apex = apex_of(call);
    if (!apex) return std::unexpected(apex.error());
    ZoneFound found{state_.share(), nullptr, *apex, zones_.latest().find_apex(*apex)};
    if (!found.served) found.served = tree::Zone::make(*apex);
    found.within = found.state->find_namespace(apex->print());
    if (!found.within || !found.within->spec.dns) return std::unexpected(no_zone(apex->print()));
    return found;
}

Result<std::shared_ptr<const tree::Zone>, Problem> Handlers::view(const Call& call,
                                                                  const ZoneFound& zone) const {
    const std::string asked = call.query("view").value_or("plain");
    if (asked == "plain") return registry::plain_zone(*zone.within, *zone.served);
    if (asked == "served") return zone.served;
    return std::unexpected(Problem{400, "view must be one of plain and served"});
}

void Handlers::list_zones(const Call& call) {
    const auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    const registry::State& state = state_.latest();
    Page page("zones", *listing);
    state.namespaces.for_each_after(listing->after, [&](const std::string& name, const auto& one) {
        return !one->spec.dns || page.add(name, print(*one));
    });
    call.reply({200, page.print(fmt::format(R"("revision":{})", state.revision))});
}

void Handlers::show_zone(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    if (wants_zone_file(call.request())) return export_zone(call, *zone);
    if (call.query("view"))
        return call.refuse({400, "view is about zone files: Accept: text/dns asks for one"});
    Reply reply = with_etag(print(*zone->within), zone->within->revision);
    reply.headers.emplace_back("Vary", "Accept");
    call.reply(std::move(reply));
}

void Handlers::export_zone(const Call& call, const ZoneFound& zone) {
    const auto viewed = view(call, zone);
    if (!viewed) return call.refuse(viewed.error());
    if (!(*viewed)->soa())
        return call.refuse(
            {409, fmt::format("{} has nothing yet from its primaries", zone.within->spec.name)});
    beside_the_loop(
        call,
        [written = *viewed] {
            std::string text;
            tree::print_master_file(*written, [&](std::string_view piece) { text += piece; });
            return text;
        },
        [exchange = call.exchange, revision = zone.within->revision](std::string text) {
            Reply reply = with_etag(std::move(text), revision);
            reply.content_type = zone_file_type;
            reply.headers.emplace_back("Vary", "Accept");
            exchange->reply(std::move(reply));
        });
}

void Handlers::put_zone(const Call& call) {
    const auto apex = apex_of(call);
    if (!apex) return call.refuse(apex.error());
    if (media_type(call.request()) == zone_file_type) return import_zone(call, *apex);
    auto spec = namespace_wanted(call, apex->print());
    if (!spec) return call.refuse(spec.error());
    if (!spec->dns)
        return call.refuse({422, "the body says what is not allowed", {{"/dns", "zones have it"}}});
    put_namespace(call, std::move(*spec));
}

void Handlers::import_zone(const Call& call, const wire::Name& apex) {
    const std::string name = apex.print();
    const registry::Namespace* within = state_.latest().find_namespace(name);
    if (within && !within->spec.dns)
        return call.refuse({409, fmt::format("{} is a namespace without DNS", name)});
    if (within && within->spec.is_secondary()) return call.refuse(is_secondary(name));
    model::NamespaceSpec spec{.name = name,
                              .ttl = surroundings_.defaults.ttl,
                              .negative_ttl = surroundings_.defaults.negative_ttl};
    if (auto errors = model::validate(spec); !errors.empty())
        return call.refuse({422, "the zone's name is not allowed", std::move(errors)});
    auto& body = call.exchange->request.body;
    if (call.flag("dry_run")) {
        beside_the_loop(
            call,
            [text = std::move(body), apex, state = state_.share(),
             served = zones_.latest().find_apex(apex)] {
                return judged(text, apex, state->find_namespace(apex.print()), served);
            },
            [exchange = call.exchange](ZoneFileJudged judgement) {
                exchange->reply(reply_to(std::move(judgement)));
            });
        return;
    }
    beside_the_loop(
        call, [text = std::move(body), apex] { return tree::parse_master_file(text, apex); },
        [this, call, spec](tree::MasterFile file) mutable {
            imported(call, std::move(spec), std::move(file));
        });
}

// The file has been read. Whether the zone is there may have changed meanwhile: the registry judges
// that again.
void Handlers::imported(const Call& call, model::NamespaceSpec spec, tree::MasterFile file) {
    if (!file.zone) return call.refuse(problem_in(std::move(file)));
    registry::ImportZone import{std::move(spec), std::move(file.zone)};
    const std::string name = import.spec.name;
    submit(call, Change{.what = std::move(import), .if_match = {}},
           [name, file = std::move(file)](const Applied& applied) {
               const registry::Namespace* within = applied.state->find_namespace(name);
               if (!within) return gone_again();
               return with_etag(print(*within, file), applied.revision, applied.created);
           });
}

void Handlers::delete_zone(const Call& call) {
    const auto apex = apex_of(call);
    if (!apex) return call.refuse(apex.error());
    // One that has no DNS is no zone; whether one is there at all, the registry says.
    const registry::Namespace* within = state_.latest().find_namespace(apex->print());
    if (within && !within->spec.dns) return call.refuse(no_zone(apex->print()));
    submit(call, Change{.what = registry::DeleteNamespace{apex->print()}, .if_match = {}}, deleted);
}

void Handlers::refresh_zone(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    const std::string& name = zone->within->spec.name;
    if (!zone->within->spec.is_secondary())
        return call.refuse({409, fmt::format("{} has no primaries to ask", name)});
    if (!surroundings_.refresh)
        return call.refuse({503, "this server does not ask other name servers"});
    surroundings_.refresh(name);
    call.reply({202, print(*zone->within)});
}

// ---- record sets

void Handlers::list_record_sets(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    auto viewed = view(call, *zone);
    if (!viewed) return call.refuse(viewed.error());
    auto query = read_record_set_query(call, zone->apex);
    if (!query) return call.refuse(query.error());
    beside_the_loop(
        call,
        [listed = *viewed, query = std::move(*query),
         head = fmt::format(R"("revision":{},"serial":{})", zone->within->revision,
                            zone->within->serial)] {
            return print_record_sets(*listed, query, head);
        },
        [exchange = call.exchange,
         revision = zone->within->revision](Result<std::string, Problem> text) {
            exchange->reply(text ? with_etag(std::move(*text), revision) : reply_of(text.error()));
        });
}

void Handlers::show_record_set(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    const auto asked = record_set_asked(call, zone->apex);
    if (!asked) return call.refuse(asked.error());
    const auto viewed = view(call, *zone);
    if (!viewed) return call.refuse(viewed.error());
    const tree::Node* node = (*viewed)->find(asked->owner);
    const tree::RRset* rrset = node ? node->find(asked->type) : nullptr;
    if (!rrset)
        return call.refuse(
            {404, fmt::format("there is no record set {} {}", print_owner(asked->owner, zone->apex),
                              wire::print(asked->type))});
    call.reply(with_etag(print(node->owner(), *rrset, zone->apex), zone->within->revision));
}

// In a batch each refusal points at its change; alone there is nothing to point at.
void Handlers::change_record_sets(const Call& call, const ZoneFound& zone,
                                  const std::vector<RecordSetChange>& changes, bool is_batch,
                                  Render render) {
    if (zone.within->spec.is_secondary()) return call.refuse(is_secondary(zone.within->spec.name));
    const auto explain = [is_batch](Problem problem) {
        if (!is_batch) problem.errors.clear();
        return problem;
    };
    auto planned = plan(changes, *zone.within, *registry::plain_zone(*zone.within, *zone.served));
    if (!planned) {
        if (planned.error().status == 404 && call.flag("if_exists"))
            return call.reply({200, R"({"revision":null})"});
        return call.refuse(explain(std::move(planned.error())));
    }
    planned->namespace_name = zone.within->spec.name;
    submit(call, Change{.what = std::move(*planned), .if_match = {}}, std::move(render), explain);
}

void Handlers::change_record_sets(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    const auto changes =
        decode_record_set_changes(call.request().body, zone->apex, zone->within->spec.ttl);
    if (!changes) return call.refuse(changes.error());
    change_record_sets(
        call, *zone, *changes, true, [name = zone->within->spec.name](const Applied& applied) {
            const auto* within = applied.state->find_namespace(name);
            if (!within) return gone_again();
            return with_etag(
                fmt::format(R"({{"revision":{},"serial":{}}})", within->revision, within->serial),
                within->revision);
        });
}

void Handlers::put_record_set(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    const auto asked = record_set_asked(call, zone->apex);
    if (!asked) return call.refuse(asked.error());
    const auto set = decode_record_set(call.request().body, asked->owner, asked->type, zone->apex,
                                       zone->within->spec.ttl);
    if (!set) return call.refuse(set.error());
    const auto plain = registry::plain_zone(*zone->within, *zone->served);
    const tree::Node* node = plain->find(set->owner);
    const bool is_new = !node || !node->find(set->type);
    const bool must_be_new = call.request().header("If-None-Match") != nullptr;
    if (must_be_new && !is_new) return call.refuse({412, "the record set is there"});
    const RecordSetChange change{
        must_be_new ? RecordSetChange::Action::Create : RecordSetChange::Action::Upsert, *set};
    change_record_sets(call, *zone, {change}, false,
                       [name = zone->within->spec.name, apex = zone->apex, set = *set,
                        is_new](const Applied& applied) {
                           const registry::Namespace* within = applied.state->find_namespace(name);
                           if (!within) return gone_again();
                           std::vector<tree::Rdata> records;
                           for (const auto& octets : set.records) records.push_back({octets});
                           const tree::RRset rrset(set.type, set.ttl, std::move(records));
                           return with_etag(print(set.owner, rrset, apex), within->revision,
                                            is_new);
                       });
}

void Handlers::delete_record_set(const Call& call) {
    const auto zone = find_zone(call);
    if (!zone) return call.refuse(zone.error());
    const auto asked = record_set_asked(call, zone->apex);
    if (!asked) return call.refuse(asked.error());
    const RecordSet set{asked->owner, asked->type};
    change_record_sets(call, *zone, {{RecordSetChange::Action::Delete, set}}, false, deleted);
}

}  // namespace dnsd::api
