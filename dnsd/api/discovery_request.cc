#include "dnsd/api/discovery_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"

namespace dnsd::api {

namespace {

using Json = nlohmann::json;

// One cluster's endpoints are asked for at a time; whoever asks for more than this has gone astray.
constexpr std::size_t names_max = 1'000;
constexpr std::size_t tcp_listeners_max = 256;
// A name of DNS and a port; ids and versions are not longer either.
constexpr std::size_t text_octets_max = 1'024;

enum class Place {
    Ignored,
    Top,
    Version,
    TypeUrl,
    Names,
    Node,
    NodeId,
    Metadata,
    Namespaces,
    Services,
    Listener,
    Tcp,
    TcpPort,
};
enum class Shape { Text, List, Object };

struct Field {
    Place within;
    std::string_view name;
    Place place;
    Shape shape;
};

constexpr Field fields[] = {
    {Place::Top, "version_info", Place::Version, Shape::Text},
    {Place::Top, "versionInfo", Place::Version, Shape::Text},
    {Place::Top, "type_url", Place::TypeUrl, Shape::Text},
    {Place::Top, "typeUrl", Place::TypeUrl, Shape::Text},
    {Place::Top, "resource_names", Place::Names, Shape::List},
    {Place::Top, "resourceNames", Place::Names, Shape::List},
    {Place::Top, "node", Place::Node, Shape::Object},
    {Place::Node, "id", Place::NodeId, Shape::Text},
    {Place::Node, "metadata", Place::Metadata, Shape::Object},
    {Place::Metadata, "namespaces", Place::Namespaces, Shape::List},
    {Place::Metadata, "services", Place::Services, Shape::List},
    {Place::Metadata, "listener", Place::Listener, Shape::Text},
    {Place::Metadata, "tcp", Place::Tcp, Shape::Object},
};

constexpr std::string_view print(Shape shape) noexcept {
    switch (shape) {
        case Shape::Text:
            return "a string";
        case Shape::List:
            return "an array of strings";
        case Shape::Object:
            return "an object";
    }
    return {};
}

std::string normal_name(std::string_view name) {
    if (name == "@") return ".";
    if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
    return lower_cased(name);
}

// Reads the request as it is parsed, without building what it passes over: most of its 77 kB.
class Reader final : public nlohmann::json_sax<Json> {
  public:
    explicit Reader(XdsType type) { request_.type = type; }

    Result<DiscoveryRequest, Problem> result() {
        if (problem_) return std::unexpected(std::move(*problem_));
        return std::move(request_);
    }

    // In protobuf's JSON a field that is null is not there.
    bool null() override { return is_top() ? no_object() : true; }
    bool boolean(bool) override { return other(); }
    bool number_integer(number_integer_t) override { return other(); }
    bool number_unsigned(number_unsigned_t) override { return other(); }
    bool number_float(number_float_t, const string_t&) override { return other(); }
    bool binary(binary_t&) override { return other(); }
    bool string(string_t& text) override {
        if (is_top()) return no_object();
        if (ignored_ > 0 || next().place == Place::Ignored) return true;
        return next().shape == Shape::Text ? take(std::move(text)) : misshapen();
    }

    bool start_object(std::size_t) override {
        if (is_top()) {
            open_.push_back({Place::Top, Shape::Object, {}, {}});
            return true;
        }
        return start(Shape::Object);
    }
    bool key(string_t& name) override {
        if (ignored_ == 0) open_.back().key = std::move(name);
        return true;
    }
    bool end_object() override { return end(); }
    bool start_array(std::size_t) override { return is_top() ? no_object() : start(Shape::List); }
    bool end_array() override { return end(); }

    bool parse_error(std::size_t at, const std::string&, const Json::exception&) override {
        return refuse(fmt::format("the body is not JSON: an error at octet {}", at));
    }

  private:
    struct Container {
        Place place;
        Shape shape;
        std::string pointer;
        std::string key;  // of the member that comes next
    };
    struct Next {
        Place place;
        Shape shape;
    };

    bool is_top() const noexcept { return open_.empty(); }

    // Where the value that comes now belongs, and what it has to be.
    Next next() const {
        const Container& in = open_.back();
        if (in.shape == Shape::List) return {in.place, Shape::Text};
        if (in.place == Place::Tcp) return {Place::TcpPort, Shape::Text};
        for (const Field& field : fields) {
            if (field.within == in.place && field.name == in.key) return {field.place, field.shape};
        }
        return {Place::Ignored, Shape::Text};
    }
    // Of the names in it only ports are not our own, and what is none stays unnamed.
    std::string pointer() const {
        const Container& in = open_.back();
        const bool is_named = in.place != Place::Tcp || parse_unsigned(in.key);
        return in.shape == Shape::Object && is_named ? in.pointer + '/' + in.key : in.pointer;
    }

    bool start(Shape shape) {
        if (ignored_ > 0 || next().place == Place::Ignored) {
            ++ignored_;
            return true;
        }
        if (next().shape != shape) return misshapen();
        open_.push_back({next().place, shape, pointer(), {}});
        // A list that is there narrows, even one that is empty.
        if (open_.back().place == Place::Namespaces) request_.scope.namespaces.emplace();
        if (open_.back().place == Place::Services) request_.scope.services.emplace();
        return true;
    }
    bool end() {
        if (ignored_ > 0) {
            --ignored_;
        } else {
            open_.pop_back();
        }
        return true;
    }
    bool other() {
        if (is_top()) return no_object();
        return ignored_ > 0 || next().place == Place::Ignored || misshapen();
    }

    bool take(std::string text) {
        if (text.size() > text_octets_max)
            return wrong(fmt::format("must be at most {} octets", text_octets_max));
        switch (next().place) {
            case Place::Version:
                request_.version = std::move(text);
                return true;
            case Place::TypeUrl:
                return text.empty() || text == type_url_of(request_.type) ||
                       wrong(fmt::format("must be {} here", type_url_of(request_.type)));
            case Place::Names:
                request_.names.push_back(std::move(text));
                return request_.names.size() <= names_max || too_many(names_max);
            case Place::NodeId:
                request_.node = std::move(text);
                return true;
            case Place::Namespaces:
                request_.scope.namespaces->insert(normal_name(text));
                return request_.scope.namespaces->size() <= names_max || too_many(names_max);
            case Place::Services:
                request_.scope.services->insert(normal_name(text));
                return request_.scope.services->size() <= names_max || too_many(names_max);
            case Place::Listener:
                return take_listener(text);
            case Place::TcpPort:
                return take_tcp(text);
            default:
                return true;
        }
    }
    bool take_listener(const std::string& text) {
        const auto address = SocketAddress::parse(text);
        if (!address || address->port == 0)
            return wrong("must be an address and a port, as in 127.0.0.1:15001");
        request_.listener = *address;
        return true;
    }
    bool take_tcp(const std::string& service) {
        const auto port = parse_unsigned(open_.back().key);
        if (!port || *port == 0 || *port > 65'535)
            return wrong("must have a port, 1 to 65535, as its name");
        request_.tcp.insert_or_assign(static_cast<std::uint16_t>(*port), normal_name(service));
        return request_.tcp.size() <= tcp_listeners_max || too_many(tcp_listeners_max);
    }

    bool refuse(std::string detail, std::vector<model::FieldError> errors = {}) {
        if (!problem_) problem_ = Problem{400, std::move(detail), std::move(errors)};
        return false;
    }
    bool no_object() { return refuse("the body is not a JSON object"); }
    bool wrong(std::string detail) {
        return refuse("the body is no DiscoveryRequest", {{pointer(), std::move(detail)}});
    }
    bool misshapen() { return wrong(fmt::format("must be {}", print(next().shape))); }
    bool too_many(std::size_t most) { return wrong(fmt::format("must be at most {}", most)); }

    DiscoveryRequest request_;
    std::vector<Container> open_;
    std::size_t ignored_ = 0;  // containers that are open inside what is passed over
    std::optional<Problem> problem_;
};

}  // namespace

std::string_view type_url_of(XdsType type) noexcept {
    switch (type) {
        case XdsType::Endpoints:
            return "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
        case XdsType::Clusters:
            return "type.googleapis.com/envoy.config.cluster.v3.Cluster";
        case XdsType::Routes:
            return "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
        case XdsType::Listeners:
            return "type.googleapis.com/envoy.config.listener.v3.Listener";
    }
    return {};
}

bool XdsScope::shows_namespace(const std::string& name) const {
    return (!namespaces || namespaces->contains(name)) &&
           (readable.empty() || readable.contains(name));
}

bool XdsScope::shows_service(const std::string& name, const std::string& full_name) const {
    return !services || services->contains(name) || services->contains(full_name);
}

Result<DiscoveryRequest, Problem> decode_discovery_request(XdsType type, std::string_view body) {
    Reader reader(type);
    Json::sax_parse(body, &reader);
    auto request = reader.result();
    if (!request) return request;
    // Two listeners at one address: Envoy would refuse the second, and then all that come with it.
    if (request->tcp.contains(request->listener.port))
        return std::unexpected(
            Problem{400,
                    "the body is no DiscoveryRequest",
                    {{fmt::format("/node/metadata/tcp/{}", request->listener.port),
                      "is the port of the listener for HTTP"}}});
    return request;
}

}  // namespace dnsd::api
