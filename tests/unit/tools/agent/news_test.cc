#include "tools/agent/news.h"

#include <doctest/doctest.h>

#include "tools/agent/position.h"

using namespace dnsd::agent;

TEST_CASE("a change says its revision, its service and the names that are stale") {
    const auto change = parse_change(
        R"({"revision":7,"cause":"health","namespace":"Example.org","service":"web",
            "dns_names":["web.example.org"]})");
    REQUIRE(change);
    CHECK(change->revision == 7);
    CHECK(change->service == "web");
    CHECK(change->stale.names.at("example.org").contains("web.example.org"));
}

TEST_CASE("a change that is no service's, and subtrees instead of names") {
    const auto change = parse_change(
        R"({"revision":7,"namespace":"example.org","service":null,"subtrees":["example.org"]})");
    REQUIRE(change);
    CHECK(change->service.empty());
    CHECK(change->stale.zones.contains("example.org"));
}

TEST_CASE("what is no change is refused: names become words of commands") {
    for (const char* text : {"", "[]", "{}", R"({"revision":"7"})", R"({"revision":-1})",
                             R"({"revision":7,"namespace":"a b"})",
                             R"({"revision":7,"namespace":"a","dns_names":["web\nstop"]})",
                             R"({"revision":7,"namespace":"a","dns_names":["-p"]})",
                             R"({"revision":7,"namespace":"a","dns_names":"web"})",
                             R"({"revision":7,"namespace":"a","dns_names":[1]})",
                             R"({"revision":7,"namespace":"a","subtrees":[""]})"})
        CHECK_MESSAGE(!parse_change(text), text);
}

TEST_CASE("a snapshot names the namespaces that caches may hold names of") {
    const auto snapshot = parse_snapshot(
        R"({"revision":9,"services":[{"namespace":"b"},{"namespace":"a"},{"namespace":"b"}]})");
    REQUIRE(snapshot);
    CHECK(snapshot->revision == 9);
    CHECK(snapshot->namespaces == std::set<std::string>{"a", "b"});
    for (const char* text : {"", "{}", R"({"revision":9})", R"({"revision":9,"services":[1]})",
                             R"({"revision":9,"services":[{"namespace":"a b"}]})",
                             R"({"revision":9,"services":[{"namespace":null}]})"})
        CHECK_MESSAGE(!parse_snapshot(text), text);
}

TEST_CASE("a position is read as it was printed, and nothing else is") {
    const Position position{7, {"example.org"}};
    CHECK(Position::parse(position.print()) == position);
    CHECK(Position::parse(Position().print()) == Position());
    for (const char* text :
         {"", "{", "{}", "7", R"({"revision":7})", R"({"revision":"7","namespaces":[]})"})
        CHECK_MESSAGE(!Position::parse(text), text);
}
