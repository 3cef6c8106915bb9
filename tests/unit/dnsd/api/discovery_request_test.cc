#include "dnsd/api/discovery_request.h"

#include <doctest/doctest.h>

using namespace dnsd;
using namespace dnsd::api;

namespace {

DiscoveryRequest read(std::string_view body, XdsType type = XdsType::Endpoints) {
    auto request = decode_discovery_request(type, body);
    REQUIRE(request);
    return *request;
}

// The pointer to the field that is wrong, or the whole complaint where it is none's.
std::string complaint(std::string_view body, XdsType type = XdsType::Endpoints) {
    const auto request = decode_discovery_request(type, body);
    if (request) return "none";
    CHECK(request.error().status == 400);
    return request.error().errors.empty() ? request.error().detail
                                          : request.error().errors[0].pointer;
}

}  // namespace

TEST_CASE("a request has a version, names and a node with metadata") {
    const DiscoveryRequest request = read(
        R"({"version_info": "v", "resource_names": ["b", "a"], "response_nonce": "", "node": {
            "id": "n-1", "cluster": "c", "metadata": {
                "namespaces": ["Example.ORG.", "@"], "services": ["web"], "other": {"x": [1]},
                "listener": "127.0.0.1:80", "tcp": {"5432": "DB.example.org."}}}})");
    CHECK(request.version == "v");
    CHECK(request.names == std::vector<std::string>{"b", "a"});
    CHECK(request.node == "n-1");
    CHECK(request.scope.namespaces == std::set<std::string>{"example.org", "."});
    CHECK(request.scope.services == std::set<std::string>{"web"});
    CHECK(request.listener.print() == "127.0.0.1:80");
    CHECK(request.tcp == std::map<std::uint16_t, std::string>{{5432, "db.example.org"}});
}

TEST_CASE("what is left out is wide open, and an empty list is narrow") {
    const DiscoveryRequest request = read("{}");
    CHECK(request.version.empty());
    CHECK(request.names.empty());
    CHECK_FALSE(request.scope.namespaces);
    CHECK_FALSE(request.scope.services);
    CHECK(request.listener.print() == "127.0.0.1:15001");
    CHECK(read(R"({"node": {"metadata": {"services": []}}})").scope.services->empty());
}

TEST_CASE("protobuf's JSON: both spellings, null is not there, unknown fields are passed over") {
    CHECK(read(R"({"versionInfo": "v", "resourceNames": ["a"]})").names.size() == 1);
    CHECK(read(R"({"version_info": null, "node": null, "resource_names": null})").version.empty());
    CHECK(read(R"({"error_detail": {"code": 3, "node": {"id": 3}}, "more": [[{}], 1.5, true]})")
              .node.empty());
    CHECK(read(R"({"node": {"extensions": [{"name": "x", "id": []}], "id": "n"}})").node == "n");
}

TEST_CASE("a field of another shape, and one beyond its bounds, is named") {
    CHECK(complaint(R"({"version_info": 3})") == "/version_info");
    CHECK(complaint(R"({"version_info": {}})") == "/version_info");
    CHECK(complaint(R"({"resource_names": "a"})") == "/resource_names");
    CHECK(complaint(R"({"resource_names": ["a", []]})") == "/resource_names");
    CHECK(complaint(R"({"node": "n"})") == "/node");
    CHECK(complaint(R"({"node": {"metadata": {"tcp": []}}})") == "/node/metadata/tcp");
    CHECK(complaint(R"({"node": {"metadata": {"tcp": {"5432": 1}}}})") ==
          "/node/metadata/tcp/5432");
    CHECK(complaint(R"({"node": {"metadata": {"tcp": {"65536": "a"}}}})") ==
          "/node/metadata/tcp/65536");
    CHECK(complaint(R"({"node": {"metadata": {"tcp": {"a/b": "a"}}}})") == "/node/metadata/tcp");
    CHECK(complaint(R"({"node": {"metadata": {"tcp": {"15001": "a"}}}})") ==
          "/node/metadata/tcp/15001");
    CHECK(complaint(R"({"node": {"metadata": {"listener": "localhost:1"}}})") ==
          "/node/metadata/listener");
    CHECK(complaint(R"({"node": {"id": ")" + std::string(1025, 'x') + R"("}})") == "/node/id");
    std::string many = R"("a")";
    for (int i = 0; i < 1000; ++i) many += R"(,"a")";
    CHECK(complaint(R"({"resource_names": [)" + many + "]}") == "/resource_names");
}

TEST_CASE("type_url has to be that of the path") {
    const std::string body =
        R"({"type_url": "type.googleapis.com/envoy.config.cluster.v3.Cluster"})";
    CHECK(complaint(body, XdsType::Clusters) == "none");
    CHECK(complaint(body, XdsType::Routes) == "/type_url");
}

TEST_CASE("what is no JSON object is no request") {
    for (const std::string_view body : {"[]", "null", "3", "\"x\"", "true"})
        CHECK(complaint(body) == "the body is not a JSON object");
    for (const std::string_view body : {"", "{", "{\"a\":}", "{} {}", "\xff", "{\"a\": \"\xff\"}"})
        CHECK(complaint(body).starts_with("the body is not JSON"));
    CHECK(complaint("{\"a\":" + std::string(1'000'000, '[')).starts_with("the body is not JSON"));
}
