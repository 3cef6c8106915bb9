#include "dnsd/api/handlers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "dnsd/api/codec.h"

namespace dnsd::api {

namespace {

// A page of another site may make a browser send what changes us: it names itself in Origin
// (RFC 6454 §7), our own pages name us.
bool is_cross_site(const Request& request) {
    const std::string* origin = request.header("Origin");
    if (!origin || request.method == "GET" || request.method == "HEAD") return false;
    const std::string* host = request.header("Host");
    const auto scheme = origin->find("://");
    return !host || scheme == origin->npos ||
           !equal_ignoring_case(std::string_view(*origin).substr(scheme + 3), *host);
}

bool changes_registry(const Route& route) {
    return route.method != "GET" &&
           (route.path.starts_with("/v1/namespaces") || route.path.starts_with("/v1/zones") ||
            route.path.starts_with("/v1/keys"));
}

// Whose namespace a token must be for; nothing: what the route does is for none alone.
std::optional<std::string> namespace_asked(const Route& route, const Request& request,
                                           const std::vector<std::string>& names) {
    if (route.path.find("{zone}") != route.path.npos) return zone_name(names[0]);
    if (route.path.find("{namespace}") != route.path.npos)
        return names[0] == "@" ? "." : lower_cased(names[0]);
    for (const auto& [name, value] : request.query) {
        if (name == "namespace") return value == "@" ? "." : lower_cased(value);
    }
    return std::nullopt;
}

// What curl -d sends without being asked passes as JSON.
bool is_json(const Request& request) {
    const std::string media = media_type(request);
    if (media.empty() || request.body.empty()) return true;
    return media == "application/json" || media == "application/x-www-form-urlencoded";
}

// If-Match and If-None-Match (RFC 9110 §13.1); our ETags are revisions.
std::optional<Problem> read_preconditions(const Request& request, registry::Change& change) {
    if (const std::string* header = request.header("If-None-Match")) {
        if (trimmed(*header) != "*")
            return Problem{400, "If-None-Match takes * alone: the resource must not be there"};
        change.if_none_match = true;
    }
    if (const std::string* header = request.header("If-Match")) {
        const std::string_view tag = trimmed(*header);
        const bool is_quoted = tag.size() > 2 && tag.front() == '"' && tag.back() == '"';
        const auto revision =
            is_quoted ? parse_unsigned(tag.substr(1, tag.size() - 2)) : std::nullopt;
        if (!revision) return Problem{400, "If-Match takes one ETag, as in If-Match: \"117\""};
        change.if_match = *revision;
    }
    return std::nullopt;
}

}  // namespace

Handlers::Handlers(io::Loop& loop, Surroundings& surroundings, std::shared_ptr<Courier> courier,
                   const Clock& clock)
    : surroundings_(surroundings),
      registry_(surroundings.registry),
      courier_(std::move(courier)),
      clock_(clock),
      started_(clock.wall()),
      state_(registry_.state()),
      zones_(registry_.zones()),
      work_(loop),
      waiters_(loop, registry_),
      watch_(loop, registry_, *surroundings.events),
      changes_(loop, registry_, *surroundings.events, clock),
      xds_holds_(loop, registry_.state(), clock) {}

void Handlers::handle(const std::shared_ptr<Exchange>& exchange) {
    const Request& request = exchange->request;
    auto found = find_route(request);
    if (!found) {
        Reply reply = reply_of(found.error().problem);
        if (!found.error().allow.empty()) reply.headers.emplace_back("Allow", found.error().allow);
        exchange->reply(std::move(reply));
        return;
    }
    const Route& route = *found->route;
    Call call{exchange, std::move(found->names), {}};
    if (auto problem = judge_token(route, request, call.names, call.readable))
        return call.refuse(*problem);
    if (!surroundings_.following.centres.empty() && changes_registry(route)) {
        return call.refuse({421, fmt::format("this is a replica; changes are made at {}",
                                             fmt::join(surroundings_.following.centres, " or "))});
    }
    if (is_cross_site(request))
        return call.refuse({403, "pages of other sites may not change anything here"});
    if (auto problem = judge_query(route, request)) return call.refuse(*problem);
    const bool is_zone_file = route.takes_zone_file && media_type(request) == zone_file_type;
    if (!route.body.empty() && !is_zone_file && !is_json(request))
        return call.refuse({415, route.takes_zone_file
                                     ? "the body must be application/json or text/dns"
                                     : "the body must be application/json"});
    (this->*route.handler)(call);
}

std::optional<Problem> Handlers::judge_token(const Route& route, const Request& request,
                                             const std::vector<std::string>& names,
                                             std::set<std::string>& readable) const {
    if (!tokens_.are_wanted() || route.role == Role::None) return std::nullopt;
    if (metrics_open_ && route.handler == &Handlers::show_metrics) return std::nullopt;
    const std::string* header = request.header("Authorization");
    constexpr std::string_view scheme = "Bearer ";
    if (!header || header->size() <= scheme.size() ||
        !equal_ignoring_case(std::string_view(*header).substr(0, scheme.size()), scheme))
        return Problem{401, "a token is needed: Authorization: Bearer ..."};
    const Tokens::Token* token =
        tokens_.find(trimmed(std::string_view(*header).substr(scheme.size())));
    if (!token) return Problem{401, "the token is none of ours"};
    if (token->role < route.role)
        return Problem{403, fmt::format("the token may not do this; it takes the role {}",
                                        route.role == Role::Write ? "write" : "report")};
    if (token->namespaces.empty()) return std::nullopt;
    if (route.reach == Reach::Narrowed) {
        readable.insert(token->namespaces.begin(), token->namespaces.end());
        return std::nullopt;
    }
    const auto wanted = namespace_asked(route, request, names);
    if (!wanted)
        return Problem{403, fmt::format("the token is for namespace {} alone",
                                        fmt::join(token->namespaces, ", "))};
    if (std::ranges::find(token->namespaces, *wanted) == token->namespaces.end())
        return Problem{403, fmt::format("the token is not for namespace {}", *wanted)};
    return std::nullopt;
}

bool Handlers::awaits_zone_file(const Request& request) const {
    if (media_type(request) != zone_file_type) return false;
    const auto found = find_route(request);
    std::set<std::string> readable;
    return found && found->route->takes_zone_file &&
           !judge_token(*found->route, request, found->names, readable);
}

void Handlers::news(const registry::Published& published) {
    waiters_.news(published);
    watch_.news(published);
    changes_.news(published);
    xds_holds_.news(published);
}

void Handlers::stop() {
    waiters_.answer_all();
    watch_.end_all();
    changes_.end_all();
    xds_holds_.close();
}

// Whoever is held or follows was let in by the tokens before: they come back, and resume.
void Handlers::set_tokens(Tokens tokens) {
    if (tokens == tokens_) return;
    tokens_ = std::move(tokens);
    watch_.end_all();
    changes_.end_all();
    xds_holds_.release_all();
}

void Handlers::submit(const Call& call, registry::Change change, Render render, Explain explain) {
    if (auto problem = read_preconditions(call.request(), change)) return call.refuse(*problem);
    // That of a record set is among its prerequisites: its zone is there.
    if (std::holds_alternative<registry::ChangeRecords>(change.what)) change.if_none_match = false;
    const bool if_exists = call.flag("if_exists");
    registry_.submit(std::move(change), [courier = courier_, exchange = call.exchange, if_exists,
                                         render = std::move(render), explain = std::move(explain)](
                                            registry::Outcome outcome) mutable {
        courier->post([exchange = std::move(exchange), if_exists, render = std::move(render),
                       explain = std::move(explain), outcome = std::move(outcome)] {
            if (outcome) {
                exchange->reply(render(*outcome));
            } else if (if_exists && outcome.error().kind == registry::Refusal::Kind::NotFound) {
                exchange->reply({200, R"({"revision":null})"});
            } else {
                exchange->reply(reply_of(explain(problem_of(outcome.error()))));
            }
        });
    });
}

// Once: caches treat it unevenly, some as "keep for a while".
void Handlers::warn_of_zero_ttl(bool is_zero) {
    if (!is_zero || std::exchange(warned_of_zero_ttl_, true)) return;
    log::warn("ttl 0 asked for hint={}",
              log::quoted("caches treat it unevenly; a TTL of 1 is honoured by more of them"));
}

// Names in DNS have no case; "@" is the root zone, which no path can name. What is no DNS name may
// be an HTTP namespace's, and stays as it is.
std::string Handlers::namespace_name(const std::string& asked) const {
    if (asked == "@") return ".";
    if (const auto state = registry_.state().load(); state->find_namespace(asked)) return asked;
    return lower_cased(asked);
}

std::string Handlers::service_name(const std::string& within, const std::string& asked) const {
    const auto state = registry_.state().load();
    const registry::Namespace* found = state->find_namespace(within);
    return found && found->spec.dns ? lower_cased(asked) : asked;
}

Result<ServiceFilter, Problem> Handlers::service_filter(const Call& call) const {
    const std::string within = namespace_name(call.query("namespace").value_or(""));
    const std::string service = service_name(within, call.query("service").value_or(""));
    if (!service.empty() && within.empty())
        return std::unexpected(Problem{400, "service needs namespace beside it"});
    return ServiceFilter{within, service};
}

}  // namespace dnsd::api
