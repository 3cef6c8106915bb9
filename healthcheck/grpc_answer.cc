#include "healthcheck/grpc_answer.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace dnsd::health {

namespace {

// A frame is the flag "compressed", the length of the message in four octets, and the message. The
// messages are Protocol Buffers:
//   HealthCheckRequest  { string service = 1; }
//   HealthCheckResponse { ServingStatus status = 1; }
constexpr std::size_t frame_header_octets = 5;
constexpr std::uint64_t first_field = 1;
enum class WireType : std::uint8_t { Varint = 0, Fixed64 = 1, Octets = 2, Fixed32 = 5 };

constexpr std::size_t message_octets_kept = 100;  // of the server's words: it is one line of a log

constexpr std::array<std::string_view, 4> serving_status_words{"UNKNOWN", "SERVING", "NOT_SERVING",
                                                               "SERVICE_UNKNOWN"};
constexpr std::uint64_t serving = 1;

constexpr std::array<std::string_view, 17> grpc_status_words{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// Reads within its bounds; once it was asked for more than there is, it stays broken.
class Octets {
  public:
    explicit Octets(std::string_view octets) : left_(octets) {}

    std::uint8_t u8() noexcept {
        const auto octet = left_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(left_[0]);
        skip(1);
        return octet;
    }
    std::uint32_t u32() noexcept {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) value = value << 8 | u8();
        return value;
    }
    // Seven bits an octet, the lowest first; the eighth says that more follow. At most ten octets.
    std::uint64_t varint() noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            const std::uint8_t octet = u8();
            value |= std::uint64_t{octet & 0x7fu} << shift;
            if ((octet & 0x80) == 0) return value;
        }
        ok_ = false;
        return 0;
    }
    void skip(std::uint64_t count) noexcept {
        if (left_.size() < count) ok_ = false;
        if (ok_) left_.remove_prefix(count);
    }
    void skip_field(WireType type) noexcept {
        switch (type) {
            case WireType::Varint:
                (void)varint();
                return;
            case WireType::Fixed64:
                return skip(8);
            case WireType::Octets:
                return skip(varint());
            case WireType::Fixed32:
                return skip(4);
        }
        ok_ = false;  // groups, which nobody writes any more
    }
    bool ok() const noexcept { return ok_; }
    std::size_t left() const noexcept { return left_.size(); }

  private:
    std::string_view left_;
    bool ok_ = true;
};

std::string varint_of(std::uint64_t value) {
    std::string octets;
    for (; value >= 0x80; value >>= 7) octets += static_cast<char>(value | 0x80);
    octets += static_cast<char>(value);
    return octets;
}

std::string key_of(std::uint64_t field, WireType type) {
    return varint_of(field << 3 | static_cast<std::uint64_t>(type));
}

bool is_grpc(std::string_view content_type) {
    constexpr std::string_view ours = "application/grpc";
    if (!equal_ignoring_case(content_type.substr(0, ours.size()), ours)) return false;
    const auto rest = content_type.substr(ours.size());
    return rest.empty() || rest[0] == '+' || rest[0] == ';' || rest[0] == ' ';
}

// "grpc-status 5 NOT_FOUND: unknown service"; the server's words are percent-encoded.
std::string words_of(const std::string& status, const std::string& message) {
    std::string words = fmt::format("grpc-status {}", status.substr(0, message_octets_kept));
    const auto number = parse_unsigned(status);
    if (number && *number < grpc_status_words.size())
        words += fmt::format(" {}", grpc_status_words[*number]);
    if (!message.empty())
        words += ": " + percent_decoded(message).value_or(message).substr(0, message_octets_kept);
    return words;
}

}  // namespace

std::string encode_grpc_request(std::string_view service) {
    std::string message;
    if (!service.empty())  // an empty field is a field that is not there
        message = key_of(first_field, WireType::Octets) + varint_of(service.size()) +
                  std::string(service);
    std::string frame(1, '\0');  // not compressed
    for (int shift = 24; shift >= 0; shift -= 8)
        frame += static_cast<char>(message.size() >> shift & 0xff);
    return frame + message;
}

Result<std::uint64_t, std::string> decode_grpc_response(std::string_view body) {
    if (body.empty()) return std::unexpected("no message");
    Octets octets(body);
    const bool compressed = octets.u8() != 0;
    const std::uint32_t length = octets.u32();
    if (!octets.ok()) return std::unexpected("the message's frame is cut off");
    if (compressed) return std::unexpected("the message is compressed, which was not offered");
    if (octets.left() != length)
        return std::unexpected(
            fmt::format("a message of {} octets in a frame of {}", octets.left(), length));
    std::uint64_t status = 0;  // what is not written is zero
    while (octets.ok() && octets.left() > 0) {
        const std::uint64_t key = octets.varint();
        const auto type = static_cast<WireType>(key & 7);
        if (key >> 3 == first_field && type == WireType::Varint) {
            status = octets.varint();  // of several, the last counts
        } else if (key >> 3 == 0) {
            return std::unexpected("the message is no HealthCheckResponse");
        } else {
            octets.skip_field(type);
        }
    }
    if (!octets.ok()) return std::unexpected("the message is no HealthCheckResponse");
    return status;
}

void GrpcAnswer::read_header(std::string_view name, std::string_view value, bool is_trailer) {
    if (equal_ignoring_case(name, "content-type")) {
        content_type_ = value;
    } else if (equal_ignoring_case(name, "grpc-status")) {
        (is_trailer ? status_in_trailers_ : status_in_head_) = value;
    } else if (equal_ignoring_case(name, "grpc-message")) {
        grpc_message_ = value;
    }
}

bool GrpcAnswer::read_body(std::string_view octets) {
    body_.append(octets.substr(0, body_octets_max + 1 - body_.size()));
    return body_.size() <= body_octets_max;
}

// The head may hold the status where nothing else comes; behind a message it is in the trailers.
const std::optional<std::string>& GrpcAnswer::grpc_status() const noexcept {
    return body_.empty() && !status_in_trailers_ ? status_in_head_ : status_in_trailers_;
}

GrpcAnswer::Judgement GrpcAnswer::judge(int http_status) const {
    if (http_status != 200) return {false, fmt::format("status {}", http_status)};
    if (!is_grpc(content_type_))
        return {false, content_type_.empty()
                           ? "no gRPC: the answer has no content type"
                           : fmt::format("no gRPC: content type {}",
                                         content_type_.substr(0, message_octets_kept))};
    if (body_.size() > body_octets_max)
        return {false, fmt::format("the answer is longer than {} octets", body_octets_max)};
    const auto& status = grpc_status();
    if (!status) return {false, "no grpc-status: the answer has no trailers"};
    if (parse_unsigned(*status) != 0u) return {false, words_of(*status, grpc_message_)};
    return judge_body();
}

GrpcAnswer::Judgement GrpcAnswer::judge_body() const {
    const auto status = decode_grpc_response(body_);
    if (!status) return {false, status.error()};
    if (*status < serving_status_words.size())
        return {*status == serving, std::string(serving_status_words[*status])};
    return {false, fmt::format("serving status {}", *status)};
}

}  // namespace dnsd::health
