#include "healthcheck/http_answer.h"

#include <doctest/doctest.h>

#include <vector>

using namespace dnsd::health;

namespace {

struct Row {
    std::string octets, outcome;
    bool success;
    std::string body_substring = {};
};

// The judgement after all octets and the end, in pieces of `step`.
std::optional<HttpAnswer::Judgement> judge(const Row& row, std::size_t step) {
    HttpAnswer answer({200, 399, row.body_substring});
    for (std::size_t at = 0; at < row.octets.size(); at += step) {
        if (auto judged = answer.read(std::string_view(row.octets).substr(at, step))) return judged;
    }
    return answer.read("");
}

}  // namespace

TEST_CASE("an answer is judged by its status, then by its body, however its octets come") {
    const std::string head = "HTTP/1.1 200 OK\r\n";
    const std::vector<Row> rows = {
        {head + "Content-Length: 0\r\n\r\n", "200", true},
        {"HTTP/1.0 204 No Content\r\n\r\n", "204", true},
        {"HTTP/1.1 399 Odd\r\n\r\n", "399", true},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503", false},
        {"HTTP/1.1 100 Continue\r\n\r\n" + head + "\r\n", "200", true},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok", "status 404", false, "ok"},
        {head + "Content-Length: 6\r\n\r\nall ok", "200", true, "ok"},
        {head + "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "200", true,
         "ok"},
        {head + "\r\nuntil the end: ok", "200", true, "ok"},
        {head + "Content-Length: 3\r\n\r\nbad", "status 200, the body lacks ok", false, "ok"},
        {head + "\r\nbad", "status 200, the body lacks ok", false, "ok"},
        {head + "\r\n" + std::string(HttpAnswer::body_octets_max, 'x') + "ok",
         "status 200, the body's first 5120 octets lack ok", false, "ok"},
        {head + "Content-Length: 10\r\n\r\nhal", "the connection ended too early", false, "ok"},
        {head, "the connection ended too early", false},
        {"", "the connection ended too early", false},
        {"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP answer", false},
        {std::string("\0\1\2\3", 4), "no HTTP answer", false},
    };
    for (const Row& row : rows) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
            CAPTURE(row.octets.substr(0, 80));
            CAPTURE(step);
            const auto judged = judge(row, step);
            REQUIRE(judged);
            CHECK(judged->success == row.success);
            CHECK(judged->outcome == row.outcome);
        }
    }
}

TEST_CASE("endless headers end in a judgement") {
    HttpAnswer answer({200, 399, ""});
    auto judged = answer.read("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100'000 && !judged; ++i) judged = answer.read("X-More: and more\r\n");
    REQUIRE(judged);
    CHECK_FALSE(judged->success);
}
