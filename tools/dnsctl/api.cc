#include "tools/dnsctl/api.h"

#include <fmt/format.h>

#include "base/text.h"

namespace dnsd::ctl {

namespace {

// A server that holds writes back (publish_delay) answers late.
constexpr Milliseconds timeout(120'000);
// A zone file of millions of records travels, is read and is committed.
constexpr Milliseconds zone_file_timeout(1'800'000);
// Somebody may listen there who never answers a handshake.
constexpr Milliseconds connect_timeout(10'000);

Refusal refusal_of(int status, const std::string& body) {
    const Json problem = Json::parse(body, nullptr, false);
    if (!problem.is_object() || !problem.contains("detail"))
        return {status, fmt::format("the server answered {}: {}", status, body)};
    std::string message = problem.value("detail", "");
    const Json errors = problem.value("errors", Json::array());
    for (const Json& error : errors) {
        if (error.contains("pointer"))
            message +=
                fmt::format("\n  {}: {}", error.value("pointer", ""), error.value("detail", ""));
    }
    return {status, std::move(message), errors};
}

// "." is a dot segment of a path, which clients remove (RFC 3986 §5.2.4).
std::string segment(std::string_view name) { return name == "." ? "@" : percent_encoded(name); }

}  // namespace

http::Request Api::request(const std::string& path, const std::string& accept) const {
    http::Request request;
    request.url = server_ + path;
    request.headers = {"Accept: " + accept};
    request.token = token_;
    request.ca_file = ca_file_;
    request.ca_option = "--ca";
    request.timeout = timeout;
    request.connect_timeout = connect_timeout;
    return request;
}

Result<Reply, Refusal> Api::reply_to(http::Request request) const {
    const auto response = http::fetch(std::move(request));
    if (!response)
        return std::unexpected(
            Refusal{0, fmt::format("{}: {}", server_, response.error().message)});
    if (response->status >= 300)
        return std::unexpected(refusal_of(response->status, response->body));
    Json json = Json::parse(response->body, nullptr, false);
    if (json.is_discarded())
        return std::unexpected(Refusal{response->status,
                                       "the server answered with something that "
                                       "is not JSON; is it dnsd?"});
    return Reply{response->status, std::move(json)};
}

Result<Reply, Refusal> Api::send(std::string method, const std::string& path,
                                 const Json& body) const {
    http::Request request = this->request(path, "application/json");
    request.method = std::move(method);
    if (!body.is_null()) {
        request.headers.emplace_back("Content-Type: application/json");
        request.body = body.dump();
    }
    return reply_to(std::move(request));
}

Result<Reply, Refusal> Api::send_text(std::string method, const std::string& path,
                                      const std::string& media_type, std::string body) const {
    http::Request request = this->request(path, "application/json");
    request.method = std::move(method);
    request.headers.push_back("Content-Type: " + media_type);
    request.body = std::move(body);
    request.timeout = zone_file_timeout;
    return reply_to(std::move(request));
}

Result<std::string, Refusal> Api::get_text(const std::string& path,
                                           const std::string& media_type) const {
    http::Request request = this->request(path, media_type);
    request.timeout = zone_file_timeout;
    std::string text;
    request.on_body = [&](std::string_view octets) {
        text += octets;
        return true;
    };
    const auto response = http::fetch(std::move(request));
    if (!response)
        return std::unexpected(
            Refusal{0, fmt::format("{}: {}", server_, response.error().message)});
    if (response->status >= 300) return std::unexpected(refusal_of(response->status, text));
    return text;
}

Result<void, Refusal> Api::follow(
    const std::string& path, const std::string& last_event_id,
    const std::function<bool(const http::ServerSentEvent&)>& on_event) const {
    bool goes_on = true;
    std::string head;  // of a problem, if it is one
    http::EventStream stream(
        [&](const http::ServerSentEvent& event) { goes_on = goes_on && on_event(event); });
    http::Request request = this->request(path, "application/json");
    request.timeout = Milliseconds(0);
    if (!last_event_id.empty()) request.headers.push_back("Last-Event-ID: " + last_event_id);
    request.on_body = [&](std::string_view octets) {
        if (head.size() < 64 * 1024) head += octets;
        return stream.read(octets) && goes_on;
    };
    const auto response = http::fetch(std::move(request));
    if (!response)
        return std::unexpected(
            Refusal{0, fmt::format("{}: {}", server_, response.error().message)});
    if (response->status >= 300) return std::unexpected(refusal_of(response->status, head));
    return {};
}

std::string namespace_path(std::string_view name) { return "/v1/namespaces/" + segment(name); }

std::string service_path(std::string_view within, std::string_view name) {
    return namespace_path(within) + "/services/" + percent_encoded(name);
}

std::string zone_path(std::string_view name) { return "/v1/zones/" + segment(name); }

std::string record_set_path(std::string_view zone, std::string_view name, std::string_view type) {
    return zone_path(zone) + "/records/" + segment(name) + '/' + percent_encoded(type);
}

std::string instance_path(std::string_view within, std::string_view service, std::string_view id) {
    return service_path(within, service) + "/instances/" + percent_encoded(id);
}

}  // namespace dnsd::ctl
