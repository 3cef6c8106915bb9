#include "healthcheck/grpc_answer.h"

#include <doctest/doctest.h>

#include <vector>

using namespace dnsd::health;
using namespace std::string_literals;

namespace {

std::string frame(const std::string& message) {
    return "\0\0\0\0"s + static_cast<char>(message.size()) + message;
}

// What a server sends when all is well; each row bends it.
struct Row {
    std::string outcome;
    bool success = false;
    std::string body = frame("\x08\x01");
    std::string grpc_status = "0";
    std::string content_type = "application/grpc";
    int http_status = 200;
    std::string grpc_message = {};
};

GrpcAnswer::Judgement judge(const Row& row) {
    GrpcAnswer answer;
    if (!row.content_type.empty()) answer.read_header("Content-Type", row.content_type, false);
    if (!row.body.empty()) answer.read_body(row.body);
    if (!row.grpc_status.empty()) answer.read_header("grpc-status", row.grpc_status, true);
    if (!row.grpc_message.empty()) answer.read_header("grpc-message", row.grpc_message, true);
    return answer.judge(row.http_status);
}

}  // namespace

TEST_CASE("the request is a frame with one field, or with none") {
    CHECK(encode_grpc_request("") == "\0\0\0\0\0"s);
    CHECK(encode_grpc_request("web") == "\0\0\0\0\5\x0a\3web"s);
    const std::string longest(255, 'a');
    CHECK(encode_grpc_request(longest) == "\0\0\0\1\x02\x0a\xff\x01"s + longest);
}

TEST_CASE("SERVING alone is success, and what is not says why") {
    const std::string big = "\x12\xff\x07" + std::string(1023, 'x');  // a field that nobody knows
    const std::vector<Row> rows = {
        {"SERVING", true},
        {"SERVING", true, frame("\x08\x01"), "0", "application/grpc+proto"},
        {"SERVING", true, frame("\x08\x01"), "0", "Application/GRPC; charset=x"},
        {"SERVING", true, frame("\x08\x02\x08\x01")},   // the last counts
        {"SERVING", true, frame("\x08\x81\x80\x00"s)},  // written longer than it must be
        {"SERVING", true, frame("\x12\x02\x08\x02\x08\x01\x1d____\x21________")},
        {"UNKNOWN", false, frame("")},
        {"NOT_SERVING", false, frame("\x08\x02")},
        {"SERVICE_UNKNOWN", false, frame("\x08\x03")},
        {"serving status 4", false, frame("\x08\x04")},
        {"serving status 18446744073709551615", false,
         frame("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
        {"UNKNOWN", false, frame("\x0a\x01\x01")},  // field 1, but of another type

        {"no message", false, ""},
        {"the message's frame is cut off", false, "\0\0\0\0"s},
        {"the message is compressed, which was not offered", false, "\1\0\0\0\2\x08\1"s},
        {"a message of 2 octets in a frame of 3", false, "\0\0\0\0\3\x08\1"s},
        {"a message of 9 octets in a frame of 2", false, frame("\x08\x01") + frame("\x08\x01")},
        {"a message of 2 octets in a frame of 4294967295", false, "\0\xff\xff\xff\xff\x08\1"s},
        {"the message is no HealthCheckResponse", false, frame("\x08")},
        {"the message is no HealthCheckResponse", false, frame("\x08\xff")},
        {"the message is no HealthCheckResponse", false, frame("\x08" + std::string(11, '\xff'))},
        {"the message is no HealthCheckResponse", false, frame("\x12\x05x")},
        {"the message is no HealthCheckResponse", false,
         frame("\x12\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {"the message is no HealthCheckResponse", false, frame("\x0b")},   // a group
        {"the message is no HealthCheckResponse", false, frame("\0\1"s)},  // field 0
        {"the answer is longer than 1024 octets", false, frame(big)},

        {"no grpc-status: the answer has no trailers", false, frame("\x08\x01"), ""},
        {"grpc-status 12 UNIMPLEMENTED", false, "", "12"},
        {"grpc-status 5 NOT_FOUND: unknown service", false, "", "5", "application/grpc", 200,
         "unknown%20service"},
        {"grpc-status 14 UNAVAILABLE: 100%", false, frame("\x08\x01"), "14", "application/grpc",
         200, "100%"},
        {"grpc-status 17", false, "", "17"},
        {"grpc-status -1", false, frame("\x08\x01"), "-1"},
        {"grpc-status nonsense", false, frame("\x08\x01"), "nonsense"},
        {"status 404", false, "not here", "", "text/plain", 404},
        {"status 503", false, frame("\x08\x01"), "0", "application/grpc", 503},
        {"no gRPC: content type text/html", false, "<html>", "", "text/html"},
        {"no gRPC: content type application/grpcx", false, frame("\x08\x01"), "0",
         "application/grpcx"},
        {"no gRPC: the answer has no content type", false, frame("\x08\x01"), "0", ""},
    };
    for (const Row& row : rows) {
        const auto judged = judge(row);
        CHECK(judged.outcome == row.outcome);
        CHECK(judged.success == row.success);
    }
}

TEST_CASE("a status in the headers counts where no message follows them") {
    GrpcAnswer answer;
    answer.read_header("content-type", "application/grpc", false);
    answer.read_header("grpc-status", "0", false);
    CHECK(answer.judge(200).outcome == "no message");
    CHECK(answer.read_body(frame("\x08\x01")));
    CHECK(answer.judge(200).outcome == "no grpc-status: the answer has no trailers");
    answer.read_header("grpc-status", "0", true);
    CHECK(answer.judge(200).success);
}

TEST_CASE("a body that comes octet by octet is one body, and an endless one is refused") {
    GrpcAnswer answer;
    answer.read_header("content-type", "application/grpc", false);
    for (const char octet : frame("\x08\x01")) CHECK(answer.read_body({&octet, 1}));
    answer.read_header("grpc-status", "0", true);
    CHECK(answer.judge(200).success);
    GrpcAnswer endless;
    std::size_t read = 0;
    while (endless.read_body("x")) ++read;
    CHECK(read == GrpcAnswer::body_octets_max);
}
