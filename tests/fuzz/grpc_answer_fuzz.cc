// The answer to a probe by gRPC, from anybody. An input is lines of headers, an empty line, and the
// body; what a body of the right shape says must be what is judged.
#include <cstdlib>

#include "base/text.h"
#include "healthcheck/grpc_answer.h"

using namespace dnsd::health;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const auto end = octets.find("\n\n");
    const std::string_view head = octets.substr(0, end);
    const std::string_view body = end == octets.npos ? "" : octets.substr(end + 2);
    GrpcAnswer answer;
    if (!body.empty() && answer.read_body(body) != (body.size() <= GrpcAnswer::body_octets_max))
        std::abort();
    for (const std::string_view line : dnsd::split(head, '\n')) {
        const auto colon = line.find(':');
        if (colon != line.npos)
            answer.read_header(line.substr(0, colon), line.substr(colon + 1), size % 2 == 0);
    }
    const auto judged = answer.judge(200);
    if (judged.outcome.empty()) std::abort();
    const auto status = decode_grpc_response(body);
    if (judged.success && (!status || *status != 1)) std::abort();
    return 0;
}
