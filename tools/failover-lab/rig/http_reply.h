// The answers of one HTTP/1.1 connection, as they come. A value that does not move; no threads.
#pragma once

#include <http_parser.h>

#include <string>
#include <string_view>

namespace dnsd::lab {

class HttpReply {
  public:
    HttpReply();
    HttpReply(const HttpReply&) = delete;
    HttpReply& operator=(const HttpReply&) = delete;

    // False: this is no HTTP.
    bool read(std::string_view octets);
    void end_of_stream();  // some answers end so

    bool is_whole() const noexcept { return whole_; }
    bool keeps_alive() const noexcept { return keeps_alive_; }
    int status() const noexcept { return status_; }
    const std::string& body() const noexcept { return body_; }
    void next();  // forgets this answer, for the one after it

  private:
    static const http_parser_settings& settings();

    http_parser parser_;
    std::string body_;
    int status_ = 0;
    bool whole_ = false, keeps_alive_ = false;
};

}  // namespace dnsd::lab
