// One HTTP request under way, and the answer to it: what the handlers see of HTTP.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"

namespace dnsd::api {

struct Request {
    std::string method;
    std::string path;                                        // as it came, percent-encoded
    std::vector<std::pair<std::string, std::string>> query;  // decoded
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    SocketAddress client;

    // Null if it is not there; header names in any case.
    const std::string* header(std::string_view name) const noexcept;
};

// Of the body, lower case, without parameters; "": it does not say.
std::string media_type(const Request& request);
inline constexpr std::string_view zone_file_type = "text/dns";  // RFC 4027

struct Reply {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers = {};
};

// A body that has no end yet. Belongs to the API's thread.
class Source {
  public:
    virtual ~Source() = default;
    // What is to be sent next; "": nothing now, wake() says when; nothing: the body ends here.
    virtual std::optional<std::string> next() = 0;
};

// Belongs to the API's thread. Kept by whoever will answer later; an answer to a client that went
// goes nowhere.
class Exchange {
  public:
    virtual ~Exchange() = default;

    virtual void reply(Reply reply) = 0;  // once: this or stream()
    virtual void stream(std::string content_type, std::shared_ptr<Source> source) = 0;
    virtual void wake() = 0;  // the source has something again

    Request request;
    std::function<void()> on_gone;  // the client left before the answer, or during a stream
};

}  // namespace dnsd::api
