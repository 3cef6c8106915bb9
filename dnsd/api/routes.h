// The table of routes: one row each, from which requests find their handler and /openapi.json is
// made.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dnsd/api/exchange.h"
#include "dnsd/api/problem.h"
#include "dnsd/api/tokens.h"

namespace dnsd::api {

class Handlers;

// A request that found its route.
struct Call {
    std::shared_ptr<Exchange> exchange;
    std::vector<std::string> names;  // what stood for {…} in the path, decoded
    std::set<std::string> readable;  // Reach::Narrowed: the token's namespaces; empty: all

    const Request& request() const noexcept { return exchange->request; }
    std::optional<std::string> query(std::string_view name) const;
    bool flag(std::string_view name) const;  // ?name=true, ?name=1 or ?name
    void reply(Reply reply) const { exchange->reply(std::move(reply)); }
    void refuse(const Problem& problem) const { exchange->reply(reply_of(problem)); }
};

struct Parameter {
    std::string_view name;  // "attributes.*" stands for all that begin so
    std::string_view help;
};

// What a token that is bound to namespaces may do: only what is asked for one of them, or what
// keeps to them by itself.
enum class Reach { Asked, Narrowed };

struct Route {
    std::string_view method;
    std::string_view path;  // "/v1/namespaces/{namespace}"
    Role role;              // Role::None: open to all
    void (Handlers::*handler)(const Call&);
    std::string_view summary;
    std::vector<Parameter> parameters;
    std::string_view body;   // a schema of openapi.cc; empty: the request has no body
    std::string_view reply;  // the same
    std::vector<int> statuses;
    Reach reach = Reach::Asked;
    bool takes_zone_file = false;  // text/dns, beside JSON: as the body, or as the reply of a GET
};

std::span<const Route> route_table() noexcept;

// The route of a request and what its path names; HEAD goes where GET goes. Otherwise 404, or 405
// with what is allowed there.
struct Found {
    const Route* route;
    std::vector<std::string> names;
};
struct NotFound {
    Problem problem;
    std::string allow;  // of a 405
};
Result<Found, NotFound> find_route(const Request& request);

// A parameter that the route does not know, or that comes twice.
std::optional<Problem> judge_query(const Route& route, const Request& request);

}  // namespace dnsd::api
