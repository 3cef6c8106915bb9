// A probe by gRPC (grpc.health.v1.Health/Check): the octets that ask, and what was answered. Pure;
// octets come from anybody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dnsd::health {

inline constexpr std::string_view grpc_check_path = "/grpc.health.v1.Health/Check";

// The request's body: a HealthCheckRequest for `service`, which may be empty, in its frame.
std::string encode_grpc_request(std::string_view service);

// The status of a HealthCheckResponse (1 is SERVING), or what is wrong with the octets.
Result<std::uint64_t, std::string> decode_grpc_response(std::string_view body);

// What came over HTTP/2. A value; fed from one thread.
class GrpcAnswer {
  public:
    // Names in any case. Trailers and the body may come in any order.
    void read_header(std::string_view name, std::string_view value, bool is_trailer);
    // False: it is longer than any answer of this kind.
    bool read_body(std::string_view octets);

    struct Judgement {
        bool success;
        std::string outcome;  // "SERVING", "NOT_SERVING", "grpc-status 12 UNIMPLEMENTED"
    };
    // After the end of the stream.
    Judgement judge(int http_status) const;

    // A HealthCheckResponse takes two; there is room for fields that we do not know.
    static constexpr std::size_t body_octets_max = 1'024;

  private:
    const std::optional<std::string>& grpc_status() const noexcept;
    Judgement judge_body() const;

    std::string content_type_;
    std::optional<std::string> status_in_head_, status_in_trailers_;
    std::string grpc_message_;
    std::string body_;
};

}  // namespace dnsd::health
