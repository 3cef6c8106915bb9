#include "dnsd/api/codec.h"

#include <fmt/format.h>

#include "dnsd/api/fields.h"
#include "zone/registry/compile.h"
#include "zone/registry/draft.h"
#include "zone/wire/presentation.h"

namespace dnsd::api {

namespace {

constexpr std::size_t dns_names_max = 1'000;  // of one event; more are told by subtrees
constexpr std::size_t subtrees_max = 16;

using model::FieldError;
using registry::Namespace;
using registry::Service;

template <class Spec>
Result<Spec, Problem> judged(Spec spec, std::vector<FieldError> errors) {
    // A field of the wrong type has not reached the specification: one error for it is enough.
    if (errors.empty()) errors = model::validate(spec);
    if (errors.empty()) return spec;
    return std::unexpected(not_allowed(std::move(errors)));
}

// A number for all types, or an object by type.
void read_ttl(Fields& fields, model::Ttls& ttl) {
    const Json* value = fields.take("ttl");
    if (!value) return;
    if (value->is_object()) {
        Fields by_type(*value, fields.pointer() + "/ttl", fields.errors());
        by_type.integer("A", ttl.a);
        by_type.integer("AAAA", ttl.aaaa);
        by_type.integer("SRV", ttl.srv);
    } else {
        fields.integer("ttl", ttl.a);
        ttl.aaaa = ttl.srv = ttl.a;
    }
}

// "200-399", "200" or 200.
void read_expected_status(Fields& fields, model::Check& check) {
    const Json* value = fields.take("expected_status");
    if (!value) return;
    const auto number = [](std::string_view text) -> std::optional<std::uint16_t> {
        unsigned parsed = 0;
        if (text.size() != 3) return std::nullopt;
        for (const char c : text) {
            if (c < '0' || c > '9') return std::nullopt;
            parsed = parsed * 10 + static_cast<unsigned>(c - '0');
        }
        return static_cast<std::uint16_t>(parsed);
    };
    std::string text;
    if (value->is_number_unsigned()) text = value->dump();
    if (value->is_string()) text = value->get<std::string>();
    const auto dash = text.find('-');
    const auto least = number(text.substr(0, dash));
    const auto most = dash == text.npos ? least : number(text.substr(dash + 1));
    if (!least || !most) {
        fields.wrong("expected_status", "must be a status or a range of them, as \"200-399\"");
        return;
    }
    check.expected_status_least = *least;
    check.expected_status_most = *most;
}

model::Check read_check(const Json& object, const model::Defaults& defaults,
                        std::vector<FieldError>& errors) {
    model::Check check = defaults.service.check;
    Fields fields(object, "/check", errors);
    fields.word("type", check.type, model::parse_check_type,
                "none, tcp, http, https, grpc, lease and custom");
    fields.seconds("interval", check.interval);
    if (check.type == model::CheckType::Tcp && !defaults.timeout_follows_interval) {
        check.timeout = defaults.tcp_timeout;
        check.connect_timeout.reset();
    }
    if (defaults.timeout_follows_interval) {
        check.timeout = check.interval * 9 / 10;
    } else if (check.timeout > check.interval) {  // a default must fit what was asked for
        check.timeout = check.interval;
        if (check.connect_timeout > check.timeout) check.connect_timeout.reset();
    }
    const bool has_timeout = fields.take("timeout") != nullptr;
    fields.seconds("timeout", check.timeout);
    if (has_timeout) check.connect_timeout.reset();
    fields.seconds("connect_timeout", check.connect_timeout);
    fields.integer("rise", check.rise);
    fields.integer("fall", check.fall);
    fields.text("path", check.path);
    fields.text("host", check.host);
    fields.integer("port", check.port);
    read_expected_status(fields, check);
    fields.text("body_substring", check.body_substring);
    fields.boolean("verify_tls", check.verify_tls);
    fields.text("grpc_service", check.grpc_service);
    fields.seconds("lease_ttl", check.lease_ttl);
    fields.word("initial_status", check.initial_status, model::parse_health_status,
                "unknown, healthy and unhealthy");
    return check;
}

// A name of a TSIG key, as the registry spells it.
Result<std::string> parse_key_name(std::string_view text) {
    const auto name = wire::Name::parse(text);
    if (!name) return std::unexpected(name.error());
    return name->lower_cased().print();
}

void read_zone_fields(Fields& fields, model::NamespaceSpec& spec) {
    fields.boolean("reverse", spec.reverse);
    fields.list("primaries", spec.primaries, model::parse_peer);
    fields.list("notify", spec.notify, model::parse_peer);
    fields.list("transfer", spec.transfer, model::parse_admission);
    fields.list("updaters", spec.updaters, parse_key_name);
}

void read_record_types(Fields& fields, std::vector<model::RecordType>& into) {
    const Json* value = fields.take("record_types");
    if (!value) return;
    if (!value->is_array() || value->size() > 3) {
        fields.wrong("record_types", "must be a list of A, AAAA and SRV");
        return;
    }
    for (const Json& one : *value) {
        const auto type = one.is_string()
                              ? model::parse_record_type(one.get_ref<const std::string&>())
                              : std::nullopt;
        if (!type) {
            fields.wrong("record_types", "must be a list of A, AAAA and SRV");
            return;
        }
        into.push_back(*type);
    }
}

void read_attributes(Fields& fields, std::map<std::string, std::string>& into) {
    const Json* value = fields.take("attributes");
    if (!value) return;
    if (!value->is_object()) {
        fields.wrong("attributes", "must be an object of strings");
        return;
    }
    for (const auto& [key, text] : value->items()) {
        if (!text.is_string()) {
            fields.errors().push_back(
                {fields.pointer() + "/attributes/" + pointer_token(key), "must be a string"});
        } else {
            into[key] = text.get<std::string>();
        }
    }
}

// `id` is that of the path; nothing: the body must name it.
model::InstanceSpec read_instance(const Json& object, std::string pointer,
                                  std::optional<std::string> id, std::vector<FieldError>& errors) {
    model::InstanceSpec spec;
    Fields fields(object, std::move(pointer), errors);
    if (id) {
        fields.same("id", *id);
        spec.id = std::move(*id);
    } else if (!fields.take("id")) {
        fields.wrong("id", "is needed");
    } else {
        fields.text("id", spec.id);
    }
    fields.address("ipv4", spec.ipv4, parse_ipv4, "an IPv4 address, as \"192.0.2.1\"");
    fields.address("ipv6", spec.ipv6, parse_ipv6, "an IPv6 address, as \"2001:db8::1\"");
    fields.integer("port", spec.port);
    fields.integer("weight", spec.weight);
    fields.integer("priority", spec.priority);
    fields.boolean("disabled", spec.disabled);
    read_attributes(fields, spec.attributes);
    fields.ignore({"status", "status_since", "dns_name", "registered", "revision",
                   "health_revision", "index", "safe_after", "draining_since"});
    return spec;
}

double seconds(Milliseconds duration) { return std::chrono::duration<double>(duration).count(); }

// Whole seconds without ".0": 5, not 5.0.
Json number(Milliseconds duration) {
    if (duration.count() % 1000 == 0) return duration.count() / 1000;
    return seconds(duration);
}

Json time(const std::optional<WallTime>& when) {
    return when ? Json(print_time(*when)) : Json(nullptr);
}

Json check_json(const model::Check& check) {
    Json json{{"type", model::print(check.type)}};
    const bool is_http =
        check.type == model::CheckType::Http || check.type == model::CheckType::Https;
    if (model::is_probing(check.type)) {
        json["interval"] = number(check.interval);
        json["timeout"] = number(check.timeout);
        if (check.connect_timeout) json["connect_timeout"] = number(*check.connect_timeout);
        json["rise"] = check.rise;
        json["fall"] = check.fall;
        if (check.port) json["port"] = *check.port;
    }
    if (is_http) {
        json["path"] = check.path;
        if (check.host) json["host"] = *check.host;
        json["expected_status"] =
            fmt::format("{}-{}", check.expected_status_least, check.expected_status_most);
        if (check.body_substring) json["body_substring"] = *check.body_substring;
    }
    if (check.type == model::CheckType::Https) json["verify_tls"] = check.verify_tls;
    if (check.type == model::CheckType::Grpc) {
        if (check.host) json["host"] = *check.host;
        json["grpc_service"] = check.grpc_service;
    }
    if (check.type == model::CheckType::Lease) json["lease_ttl"] = number(check.lease_ttl);
    json["initial_status"] = model::print(check.initial_status);
    return json;
}

Json instance_json(const model::Instance& instance) {
    const model::InstanceSpec& spec = instance.spec;
    Json json{{"id", spec.id}, {"status", registry::shown_status(instance)}};
    if (!instance.dns_name.empty()) json["dns_name"] = instance.dns_name;
    if (spec.ipv4) json["ipv4"] = print(*spec.ipv4);
    if (spec.ipv6) json["ipv6"] = print(*spec.ipv6);
    if (spec.port) json["port"] = *spec.port;
    json["weight"] = spec.weight;
    json["priority"] = spec.priority;
    json["disabled"] = spec.disabled;
    json["attributes"] = Json::object();
    for (const auto& [key, value] : spec.attributes) json["attributes"][key] = value;
    json["status_since"] = print_time(instance.status_since);
    json["registered"] = print_time(instance.registered);
    if (instance.drain) {
        json["draining_since"] = print_time(instance.drain->since);
        json["safe_after"] = print_time(instance.drain->safe_after);
    }
    json["revision"] = instance.revision;
    json["health_revision"] = instance.health_revision;
    json["index"] = instance.index();
    return json;
}

// Names below which everything may have changed, where the changed ones are too many to name: the
// service's and those beside it, or the whole zone.
std::vector<std::string> subtrees_of(const model::Event& event) {
    if (event.service.empty()) return {event.namespace_name};
    const std::string own =
        event.namespace_name == "." ? event.service : event.service + '.' + event.namespace_name;
    std::vector<std::string> subtrees = {own};
    for (const std::string& name : event.dns_names) {
        if (name == own || name.ends_with('.' + own)) continue;
        if (subtrees.size() == subtrees_max) return {event.namespace_name};
        subtrees.push_back(name);
    }
    return subtrees;
}

}  // namespace

Result<model::NamespaceSpec, Problem> decode_namespace(std::string_view body, std::string name,
                                                       const model::Defaults& defaults) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    model::NamespaceSpec spec;
    spec.ttl = defaults.ttl;
    spec.negative_ttl = defaults.negative_ttl;
    {
        Fields fields(*json, "", errors);
        fields.same("name", name);
        fields.boolean("dns", spec.dns);
        fields.integer("ttl", spec.ttl);
        fields.integer("negative_ttl", spec.negative_ttl);
        fields.text("description", spec.description);
        read_zone_fields(fields, spec);
        fields.ignore({"revision", "serial", "services", "record_sets", "refreshed", "expired"});
    }
    spec.name = std::move(name);
    return judged(std::move(spec), std::move(errors));
}

Result<model::ServiceSpec, Problem> decode_service(std::string_view body,
                                                   std::string namespace_name, std::string name,
                                                   const model::Defaults& defaults) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    model::ServiceSpec spec = defaults.service;
    {
        Fields fields(*json, "", errors);
        fields.same("namespace", namespace_name);
        fields.same("name", name);
        fields.text("description", spec.description);
        fields.word("routing_policy", spec.routing_policy, model::parse_routing_policy,
                    "multivalue, weighted, failover and simple");
        fields.word("failure_policy", spec.failure_policy, model::parse_failure_policy,
                    "fail_open, fail_closed and last_known_good");
        read_ttl(fields, spec.ttl);
        read_record_types(fields, spec.record_types);
        fields.word("protocol", spec.protocol, model::parse_protocol, "tcp and udp");
        fields.integer("max_answers", spec.max_answers);
        fields.number("panic_threshold", spec.panic_threshold);
        fields.integer("min_healthy", spec.min_healthy);
        fields.seconds("max_age", spec.max_age);
        fields.integer("flap_limit", spec.flap_limit);
        fields.seconds("flap_window", spec.flap_window);
        fields.seconds("custom_health_delay", spec.custom_health_delay);
        fields.integer("report_threshold", spec.report_threshold);
        fields.seconds("report_window", spec.report_window);
        if (const Json* check = fields.take("check")) {
            if (check->is_object()) {
                spec.check = read_check(*check, defaults, errors);
            } else {
                fields.wrong("check", "must be an object");
            }
        }
        fields.ignore({"ttl_in_force", "revision", "health_revision", "index", "dns_name"});
    }
    spec.namespace_name = std::move(namespace_name);
    spec.name = std::move(name);
    return judged(std::move(spec), std::move(errors));
}

Result<model::InstanceSpec, Problem> decode_instance(std::string_view body, std::string id) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    auto spec = read_instance(*json, "", std::move(id), errors);
    return judged(std::move(spec), std::move(errors));
}

Result<std::vector<model::InstanceSpec>, Problem> decode_instances(std::string_view body) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    std::vector<model::InstanceSpec> specs;
    {
        Fields fields(*json, "", errors);
        fields.ignore({"revision", "health_revision", "index"});
        const Json* list = fields.take("instances");
        if (!list || !list->is_array()) {
            fields.wrong("instances", "must be a list of instances");
        } else {
            for (std::size_t i = 0; i < list->size(); ++i) {
                const std::string pointer = fmt::format("/instances/{}", i);
                if (!(*list)[i].is_object()) {
                    errors.push_back({pointer, "must be an object"});
                    continue;
                }
                const std::size_t before = errors.size();
                specs.push_back(read_instance((*list)[i], pointer, std::nullopt, errors));
                if (errors.size() != before) continue;
                for (FieldError& error : model::validate(specs.back()))
                    errors.push_back({pointer + error.pointer, std::move(error.detail)});
            }
        }
    }
    if (errors.empty()) return specs;
    return std::unexpected(not_allowed(std::move(errors)));
}

Result<model::HealthStatus, Problem> decode_health(std::string_view body) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    std::vector<FieldError> errors;
    model::HealthStatus status = model::HealthStatus::Unknown;
    {
        Fields fields(*json, "", errors);
        if (!fields.take("status")) fields.wrong("status", "is needed");
        fields.word("status", status, model::parse_health_status, "healthy and unhealthy");
        if (errors.empty() && status == model::HealthStatus::Unknown)
            fields.wrong("status", "must be one of healthy and unhealthy");
    }
    if (errors.empty()) return status;
    return std::unexpected(not_allowed(std::move(errors)));
}

Result<wire::TsigKey, Problem> decode_key(std::string_view body, const wire::Name& name) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    // Below 128 bits a secret can be guessed; longer than a block of SHA-512 it is hashed first
    // (RFC 2104 §2), and a few of these are enough.
    constexpr std::size_t secret_octets_least = 16, secret_octets_most = 512;
    std::vector<FieldError> errors;
    wire::TsigKey key{name, wire::TsigAlgorithm::HmacSha256, {}};
    {
        Fields fields(*json, "", errors);
        fields.same("name", name.print());
        fields.word("algorithm", key.algorithm, wire::parse_tsig_algorithm,
                    "hmac-sha256, hmac-sha384 and hmac-sha512");
        std::optional<std::string> secret;
        fields.text("secret", secret);
        if (secret) {
            const auto octets = wire::parse_base64(*secret);
            if (octets && octets->size() >= secret_octets_least &&
                octets->size() <= secret_octets_most) {
                key.secret = *octets;
            } else {
                fields.wrong("secret", "must be 16 to 512 octets in base64");
            }
        }
        fields.ignore({"revision"});
    }
    if (errors.empty()) return key;
    return std::unexpected(not_allowed(std::move(errors)));
}

Result<registry::Report, Problem> decode_report(std::string_view body) {
    const auto json = parse_object(body);
    if (!json) return std::unexpected(json.error());
    constexpr std::uint32_t count_max = 1'000;
    constexpr std::size_t error_octets_max = 1'024;
    std::vector<FieldError> errors;
    registry::Report report;
    {
        Fields fields(*json, "", errors);
        const auto is_failure = [](std::string_view word) -> std::optional<bool> {
            if (word != "failure" && word != "success") return std::nullopt;
            return word == "failure";
        };
        if (!fields.take("outcome")) fields.wrong("outcome", "is needed");
        fields.word("outcome", report.failure, is_failure, "failure and success");
        fields.integer("count", report.count);
        if (report.count < 1 || report.count > count_max)
            fields.wrong("count", "must be 1 to 1000");
        fields.text("error", report.error);
        if (report.error.size() > error_octets_max)
            fields.wrong("error", "must be at most 1024 octets");
    }
    if (errors.empty()) return report;
    return std::unexpected(not_allowed(std::move(errors)));
}

namespace {

template <class Value>
Json texts_of(const std::vector<Value>& values) {
    Json texts = Json::array();
    for (const Value& value : values) texts.push_back(model::print(value));
    return texts;
}

Json problem_json(const tree::FileProblem& problem) {
    Json json;
    if (problem.at.line != 0) json = {{"line", problem.at.line}, {"column", problem.at.column}};
    json["detail"] = problem.what;
    return json;
}

Json problems_json(const std::vector<tree::FileProblem>& problems) {
    Json json = Json::array();
    for (const tree::FileProblem& problem : problems) json.push_back(problem_json(problem));
    return json;
}

Json namespace_json(const Namespace& within) {
    Json json{{"name", within.spec.name},
              {"dns", within.spec.dns},
              {"ttl", within.spec.ttl},
              {"negative_ttl", within.spec.negative_ttl},
              {"description", within.spec.description},
              {"services", within.services.size()},
              {"revision", within.revision}};
    if (!within.spec.dns) return json;
    json["serial"] = within.serial;
    json["record_sets"] = within.records ? within.records->rrset_count() : 0;
    json["reverse"] = within.spec.reverse;
    json["primaries"] = texts_of(within.spec.primaries);
    json["notify"] = texts_of(within.spec.notify);
    json["transfer"] = texts_of(within.spec.transfer);
    json["updaters"] = within.spec.updaters;
    if (within.spec.is_secondary()) {
        const bool was_refreshed = within.following.refreshed != WallTime();
        json["refreshed"] =
            was_refreshed ? Json(print_time(within.following.refreshed)) : Json(nullptr);
        json["expired"] = within.following.expired;
    }
    return json;
}

}  // namespace

std::string print(const Namespace& within) { return dump(namespace_json(within)); }

std::string print(const Namespace& within, const tree::MasterFile& file) {
    Json json = namespace_json(within);
    json["warnings"] = problems_json(file.warnings);
    return dump(json);
}

std::string print_verdict(std::string_view would, const tree::MasterFile& file) {
    return dump({{"would", would}, {"warnings", problems_json(file.warnings)}});
}

std::string print(const Namespace& within, const Service& service) {
    const model::ServiceSpec& spec = service.spec;
    Json json{{"namespace", spec.namespace_name},
              {"name", spec.name},
              {"description", spec.description},
              {"routing_policy", model::print(spec.routing_policy)},
              {"failure_policy", model::print(spec.failure_policy)}};
    Json ttl = Json::object();
    if (spec.ttl.a) ttl["A"] = *spec.ttl.a;
    if (spec.ttl.aaaa) ttl["AAAA"] = *spec.ttl.aaaa;
    if (spec.ttl.srv) ttl["SRV"] = *spec.ttl.srv;
    json["ttl"] = std::move(ttl);
    if (within.spec.dns) {
        const registry::TtlsInForce force = registry::ttls_in_force(within.spec, spec);
        json["ttl_in_force"] = {{"A", force.a}, {"AAAA", force.aaaa}, {"SRV", force.srv}};
    }
    json["record_types"] = Json::array();
    for (const auto type : spec.record_types) json["record_types"].push_back(model::print(type));
    json["protocol"] = model::print(spec.protocol);
    json["max_answers"] = spec.max_answers;
    json["panic_threshold"] = spec.panic_threshold;
    json["min_healthy"] = spec.min_healthy;
    json["max_age"] = number(spec.max_age);
    json["flap_limit"] = spec.flap_limit;
    json["flap_window"] = number(spec.flap_window);
    json["custom_health_delay"] = number(spec.custom_health_delay);
    json["report_threshold"] = spec.report_threshold;
    json["report_window"] = number(spec.report_window);
    json["check"] = check_json(spec.check);
    json["revision"] = service.revision;
    json["health_revision"] = service.health_revision;
    json["index"] = service.index();
    return dump(json);
}

std::string print(const model::Instance& instance) { return dump(instance_json(instance)); }

std::string print(const model::Event& event) {
    Json json{{"revision", event.revision},
              {"cause", event.cause},
              {"namespace", event.namespace_name},
              {"service", event.service.empty() ? Json(nullptr) : Json(event.service)}};
    json["instances"] = Json::array();
    for (const auto& one : event.instances)
        json["instances"].push_back({{"id", one.id}, {"status", one.status}, {"was", one.was}});
    if (event.dns_names.size() <= dns_names_max)
        json["dns_names"] = event.dns_names;
    else
        json["subtrees"] = subtrees_of(event);
    json["serial"] = event.serial == 0 ? Json(nullptr) : Json(event.serial);
    json["times"] = {{"detected", time(event.times.detected)},
                     {"submitted", print_time(event.times.submitted)},
                     {"committed", print_time(event.times.committed)},
                     {"published", time(event.times.published)},
                     {"first_answered", time(event.times.first_answered)}};
    if (!event.probes.empty()) {
        json["probes"] = Json::array();
        for (const auto& probe : event.probes)
            json["probes"].push_back({{"tick", print_time(probe.tick)},
                                      {"ended", print_time(probe.ended)},
                                      {"success", probe.success},
                                      {"outcome", probe.outcome}});
    }
    return dump(json);
}

std::string quoted_json(std::string_view text) { return dump(Json(text)); }

std::string print_problem(const Problem& problem) {
    Json json{{"type", "about:blank"},
              {"title", title_of(problem.status)},
              {"status", problem.status},
              {"detail", problem.detail}};
    json["errors"] = Json::array();
    for (const FieldError& error : problem.errors)
        json["errors"].push_back({{"pointer", error.pointer}, {"detail", error.detail}});
    for (const tree::FileProblem& error : problem.in_file)
        json["errors"].push_back(problem_json(error));
    return dump(json);
}

}  // namespace dnsd::api
