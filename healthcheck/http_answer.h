// The answer to an HTTP probe, as far as it must be read to judge it. Octets come from anybody.
#pragma once

#include <http_parser.h>

#include <optional>
#include <string>
#include <string_view>

namespace dnsd::health {

// What is asked of the answer.
struct Expectation {
    std::uint16_t status_least = 200;
    std::uint16_t status_most = 399;
    std::string body_substring;  // empty: any body, unread
};

// Belongs to one thread; not moved.
class HttpAnswer {
  public:
    explicit HttpAnswer(const Expectation& expectation);
    HttpAnswer(const HttpAnswer&) = delete;
    HttpAnswer& operator=(const HttpAnswer&) = delete;

    struct Judgement {
        bool success;
        std::string outcome;  // "status 503", "200", "no HTTP"
    };
    // Nothing: more octets are needed. "" stands for the end of the connection.
    std::optional<Judgement> read(std::string_view octets);

    static constexpr std::size_t body_octets_max = 5'120;

  private:
    int on_headers();
    int on_body(std::string_view octets);
    Judgement judged_by_status() const;

    const Expectation expectation_;
    http_parser parser_;
    std::string body_;  // the first body_octets_max
    std::optional<Judgement> judgement_;
};

}  // namespace dnsd::health
