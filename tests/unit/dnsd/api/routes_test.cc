#include "dnsd/api/routes.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "dnsd/api/handlers.h"

using namespace dnsd;
using namespace dnsd::api;

namespace {

Request request(std::string method, std::string path) {
    Request made;
    made.method = std::move(method);
    made.path = std::move(path);
    return made;
}

}  // namespace

TEST_CASE("names in paths are decoded after the path is taken apart") {
    const auto found = find_route(
        request("PUT", "/v1/namespaces/a.example/services/web/instances/arn%3Aaws%2Ftask%2F1"));
    REQUIRE(found);
    CHECK(found->route->handler == &Handlers::put_instance);
    CHECK(found->names == std::vector<std::string>{"a.example", "web", "arn:aws/task/1"});
}

TEST_CASE("zones and record sets of any name have a path") {
    const auto found =
        find_route(request("PUT", "/v1/zones/a%2Fb.example/records/%2A.x%5C.y/TYPE65280"));
    REQUIRE(found);
    CHECK(found->route->handler == &Handlers::put_record_set);
    CHECK(found->names == std::vector<std::string>{"a/b.example", "*.x\\.y", "TYPE65280"});
    CHECK(find_route(request("GET", "/v1/zones/@"))->names[0] == "@");
    CHECK(find_route(request("GET", "/v1/zones/%2E"))->names[0] == ".");
    CHECK(find_route(request("POST", "/v1/zones/a/refresh"))->route->role == Role::Write);
    for (const Route& route : route_table()) {
        CAPTURE(route.path);
        CHECK(route.takes_zone_file ==
              (route.path == "/v1/zones/{zone}" && route.method != "DELETE"));
        if (route.path.starts_with("/v1/keys")) CHECK(route.role == Role::Write);
    }
}

TEST_CASE("what is nowhere is 404, what is there with another method 405 and which are allowed") {
    for (const char* path :
         {"/", "", "/v1", "/v2/namespaces", "/v1/namespaces/", "/v1/namespaces//services",
          "/v1/namespaces/a/services/b/instances/%zz", "/v1/namespaces/a/"}) {
        CAPTURE(path);
        const auto found = find_route(request("GET", path));
        REQUIRE_FALSE(found);
        CHECK(found.error().problem.status == 404);
    }
    const auto wrong = find_route(request("POST", "/v1/namespaces/a"));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().problem.status == 405);
    CHECK(wrong.error().allow == "GET, HEAD, PUT, DELETE");
    CHECK(find_route(request("HEAD", "/v1/namespaces/a")));
}

TEST_CASE("query parameters are known, and there once") {
    Request list = request("GET", "/v1/namespaces/a/services/b/instances");
    const Route& route = *find_route(list)->route;
    list.query = {{"limit", "1"}, {"attributes.az", "a"}, {"attributes.b", "c"}};
    CHECK_FALSE(judge_query(route, list));
    list.query.emplace_back("limit", "2");
    CHECK(judge_query(route, list)->status == 400);
    list.query = {{"colour", "blue"}};
    CHECK(judge_query(route, list)->status == 400);
}

TEST_CASE("whatever changes something asks for a role, and nothing but health is open") {
    for (const Route& route : route_table()) {
        CAPTURE(route.path);
        // xDS asks by POST, since its questions are long.
        const bool asks = route.method == "GET" || route.path.starts_with("/v3/discovery:");
        if (!asks) CHECK(route.role >= Role::Report);
        if (route.role == Role::None) CHECK((route.path == "/healthz" || route.path == "/readyz"));
        CHECK_FALSE(route.summary.empty());
        CHECK_FALSE(route.statuses.empty());
    }
}

TEST_CASE("tokens are lines of a hash, a role and namespaces") {
    const std::string hash = hex(sha256("secret"));
    const auto tokens =
        Tokens::parse("# comment\n\n" + hash + " report A.example b.example # two\n", "file");
    REQUIRE(tokens);
    CHECK(tokens->are_wanted());
    const Tokens::Token* token = tokens->find("secret");
    REQUIRE(token);
    CHECK(token->role == Role::Report);
    CHECK(token->namespaces == std::vector<std::string>{"a.example", "b.example"});
    CHECK_FALSE(tokens->find("Secret"));
    CHECK_FALSE(tokens->find(""));
    CHECK(Tokens::parse(hash + " write @", "file")->find("secret")->namespaces ==
          std::vector<std::string>{"."});
    for (const std::string& bad : std::vector<std::string>{hash, hash + " admin", "abc read",
                                                           std::string(64, 'g') + " read"}) {
        const auto refused = Tokens::parse("\n" + bad + "\n", "file");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.starts_with("file:2: "));
    }
}
