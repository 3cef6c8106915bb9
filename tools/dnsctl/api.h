// The API of dnsd as dnsctl sees it: paths in, JSON out, problems as sentences.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/http/client.h"
#include "base/http/event_stream.h"
#include "base/result.h"

namespace dnsd::ctl {

using Json = nlohmann::ordered_json;

// What the server said no with.
struct Refusal {
    int status = 0;  // 0: it was not reached
    std::string message;
    Json errors = {};  // those of the problem document, an element each
};

struct Reply {
    int status;
    Json body;
};

// A value: where the server is, how it proves that it is that, and who we are.
class Api {
  public:
    // `ca_file` names the roots of an https server's certificate; empty: the system's.
    Api(std::string server, std::string ca_file, std::string token)
        : server_(std::move(server)), ca_file_(std::move(ca_file)), token_(std::move(token)) {
        while (server_.ends_with('/')) server_.pop_back();
    }

    Result<Reply, Refusal> send(std::string method, const std::string& path,
                                const Json& body = nullptr) const;
    Result<Reply, Refusal> get(const std::string& path) const { return send("GET", path); }

    // Bodies that are text: they may be large, and take long.
    Result<Reply, Refusal> send_text(std::string method, const std::string& path,
                                     const std::string& media_type, std::string body) const;
    Result<std::string, Refusal> get_text(const std::string& path,
                                          const std::string& media_type) const;

    // Until on_event says false, or the connection ends.
    Result<void, Refusal> follow(
        const std::string& path, const std::string& last_event_id,
        const std::function<bool(const http::ServerSentEvent&)>& on_event) const;

  private:
    http::Request request(const std::string& path, const std::string& accept) const;
    Result<Reply, Refusal> reply_to(http::Request request) const;

    std::string server_, ca_file_, token_;
};

// "/v1/namespaces/demo.internal/services/web", each part encoded; the root zone, ".", is "@".
std::string namespace_path(std::string_view name);
std::string service_path(std::string_view within, std::string_view name);
std::string zone_path(std::string_view name);
std::string record_set_path(std::string_view zone, std::string_view name, std::string_view type);
std::string instance_path(std::string_view within, std::string_view service, std::string_view id);

}  // namespace dnsd::ctl
