#include "healthcheck/http_answer.h"

#include <fmt/format.h>

#include "base/log.h"

namespace dnsd::health {

HttpAnswer::HttpAnswer(const Expectation& expectation) : expectation_(expectation) {
    http_parser_init(&parser_, HTTP_RESPONSE);
    parser_.data = this;
}

std::optional<HttpAnswer::Judgement> HttpAnswer::read(std::string_view octets) {
    static const http_parser_settings settings = [] {
        http_parser_settings made;
        http_parser_settings_init(&made);
        made.on_headers_complete = [](http_parser* parser) {
            return static_cast<HttpAnswer*>(parser->data)->on_headers();
        };
        made.on_body = [](http_parser* parser, const char* at, std::size_t size) {
            return static_cast<HttpAnswer*>(parser->data)->on_body({at, size});
        };
        made.on_message_complete = [](http_parser* parser) {
            auto& self = *static_cast<HttpAnswer*>(parser->data);
            if (parser->status_code / 100 == 1) return 0;  // the answer itself comes after it
            if (!self.judgement_)
                self.judgement_ = {
                    false,
                    fmt::format("status {}, the body lacks {}", unsigned{parser->status_code},
                                log::quoted(self.expectation_.body_substring))};
            return 1;
        };
        return made;
    }();
    if (judgement_) return judgement_;
    http_parser_execute(&parser_, &settings, octets.data(), octets.size());
    if (judgement_) return judgement_;
    const auto error = HTTP_PARSER_ERRNO(&parser_);
    if (error != HPE_OK && error != HPE_PAUSED) {
        judgement_ = {false, octets.empty() ? "the connection ended too early" : "no HTTP answer"};
    } else if (octets.empty()) {
        judgement_ = {false, "the connection ended too early"};
    }
    return judgement_;
}

HttpAnswer::Judgement HttpAnswer::judged_by_status() const {
    const unsigned status = parser_.status_code;
    const bool good = status >= expectation_.status_least && status <= expectation_.status_most;
    return {good, good ? std::to_string(status) : fmt::format("status {}", status)};
}

int HttpAnswer::on_headers() {
    if (parser_.status_code / 100 == 1) return 0;
    Judgement by_status = judged_by_status();
    if (by_status.success && !expectation_.body_substring.empty()) return 0;
    judgement_ = std::move(by_status);
    return -1;  // nothing more is read
}

int HttpAnswer::on_body(std::string_view octets) {
    body_.append(octets.substr(0, body_octets_max - body_.size()));
    if (body_.find(expectation_.body_substring) != body_.npos) {
        judgement_ = judged_by_status();
        return 1;
    }
    if (body_.size() < body_octets_max) return 0;
    judgement_ = {false, fmt::format("status {}, the body's first {} octets lack {}",
                                     unsigned{parser_.status_code}, body_octets_max,
                                     log::quoted(expectation_.body_substring))};
    return 1;
}

}  // namespace dnsd::health
