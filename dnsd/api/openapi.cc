#include "dnsd/api/openapi.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "dnsd/api/problem.h"
#include "dnsd/api/routes.h"

namespace dnsd::api {

namespace {

using Json = nlohmann::ordered_json;

// The schemas that the table names. Resources forbid fields that are not here: the server does too.
constexpr std::string_view schemas = R"json({
"Namespace": {"type": "object", "additionalProperties": false, "properties": {
    "name": {"type": "string"}, "dns": {"type": "boolean", "default": true},
    "ttl": {"$ref": "#/components/schemas/Seconds32"},
    "negative_ttl": {"$ref": "#/components/schemas/Seconds32"},
    "description": {"type": "string"},
    "services": {"type": "integer", "readOnly": true},
    "revision": {"type": "integer", "readOnly": true},
    "serial": {"type": "integer", "readOnly": true},
    "record_sets": {"type": "integer", "readOnly": true},
    "reverse": {"type": "boolean", "default": false},
    "primaries": {"type": "array", "items": {"$ref": "#/components/schemas/Peer"}},
    "notify": {"type": "array", "items": {"$ref": "#/components/schemas/Peer"}},
    "transfer": {"type": "array", "items": {"type": "string",
        "description": "192.0.2.0/24, key xfr.example.org, or both"}},
    "updaters": {"type": "array", "items": {"type": "string", "description": "A TSIG key's name"}},
    "refreshed": {"type": ["string", "null"], "format": "date-time", "readOnly": true},
    "expired": {"type": "boolean", "readOnly": true},
    "warnings": {"type": "array", "readOnly": true,
        "description": "Of the zone file that came",
        "items": {"$ref": "#/components/schemas/FileProblem"}}}},
"Peer": {"type": "string", "description": "192.0.2.1:53, or [2001:db8::1]:53 key xfr.example.org"},
"FileProblem": {"type": "object", "properties": {"line": {"type": "integer", "minimum": 1},
    "column": {"type": "integer", "minimum": 1}, "detail": {"type": "string"}}},
"ZoneList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "zones": {"type": "array", "items": {"$ref": "#/components/schemas/Namespace"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"ZoneChanged": {"type": "object", "properties": {"revision": {"type": "integer"},
    "serial": {"type": "integer"}}},
"RecordSet": {"type": "object", "additionalProperties": false, "required": ["records"],
    "properties": {"name": {"type": "string"}, "type": {"type": "string"},
        "ttl": {"$ref": "#/components/schemas/Seconds32"},
        "records": {"type": "array", "minItems": 1, "items": {"type": "string"}}}},
"RecordSetList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "serial": {"type": "integer"},
    "record_sets": {"type": "array", "items": {"$ref": "#/components/schemas/RecordSet"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"RecordSetChanges": {"type": "object", "additionalProperties": false, "required": ["changes"],
    "properties": {"changes": {"type": "array", "minItems": 1, "items": {
        "type": "object", "additionalProperties": false, "required": ["action", "name", "type"],
        "properties": {"action": {"enum": ["create", "upsert", "delete"]},
            "name": {"type": "string"}, "type": {"type": "string"},
            "ttl": {"$ref": "#/components/schemas/Seconds32"},
            "records": {"type": "array", "items": {"type": "string"}}}}}}},
"Key": {"type": "object", "additionalProperties": false, "properties": {
    "name": {"type": "string"},
    "algorithm": {"enum": ["hmac-sha256", "hmac-sha384", "hmac-sha512"], "default": "hmac-sha256"},
    "secret": {"type": "string", "contentEncoding": "base64"},
    "revision": {"type": "integer", "readOnly": true}}},
"KeyList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "keys": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"NamespaceList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "namespaces": {"type": "array", "items": {"$ref": "#/components/schemas/Namespace"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"Seconds32": {"type": "integer", "minimum": 0, "maximum": 2147483647},
"Ttl": {"oneOf": [{"$ref": "#/components/schemas/Seconds32"},
    {"type": "object", "additionalProperties": false, "properties": {
        "A": {"$ref": "#/components/schemas/Seconds32"},
        "AAAA": {"$ref": "#/components/schemas/Seconds32"},
        "SRV": {"$ref": "#/components/schemas/Seconds32"}}}]},
"Check": {"type": "object", "additionalProperties": false, "properties": {
    "type": {"enum": ["none", "tcp", "http", "https", "grpc", "lease", "custom"]},
    "interval": {"type": "number", "minimum": 0.1, "maximum": 3600},
    "timeout": {"type": "number"}, "connect_timeout": {"type": "number"},
    "rise": {"type": "integer", "minimum": 1}, "fall": {"type": "integer", "minimum": 1},
    "path": {"type": "string"}, "host": {"type": "string"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "expected_status": {"oneOf": [{"type": "integer"},
        {"type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"}]},
    "body_substring": {"type": "string"}, "verify_tls": {"type": "boolean"},
    "grpc_service": {"type": "string"}, "lease_ttl": {"type": "number"},
    "initial_status": {"enum": ["unknown", "healthy", "unhealthy"]}}},
"Service": {"type": "object", "additionalProperties": false, "properties": {
    "namespace": {"type": "string"}, "name": {"type": "string"},
    "description": {"type": "string"},
    "routing_policy": {"enum": ["multivalue", "weighted", "failover", "simple"]},
    "failure_policy": {"enum": ["fail_open", "fail_closed", "last_known_good"]},
    "ttl": {"$ref": "#/components/schemas/Ttl"},
    "ttl_in_force": {"type": "object", "readOnly": true},
    "record_types": {"type": "array", "items": {"enum": ["A", "AAAA", "SRV"]}},
    "protocol": {"enum": ["tcp", "udp"]},
    "max_answers": {"type": "integer", "minimum": 1, "maximum": 65535},
    "panic_threshold": {"type": "number", "minimum": 0, "maximum": 100},
    "min_healthy": {"type": "integer"}, "max_age": {"type": "number"},
    "flap_limit": {"type": "integer"}, "flap_window": {"type": "number"},
    "custom_health_delay": {"type": "number", "minimum": 0, "maximum": 30},
    "report_threshold": {"type": "integer", "minimum": 1, "maximum": 1000},
    "report_window": {"type": "number", "minimum": 0.1, "maximum": 3600},
    "check": {"$ref": "#/components/schemas/Check"},
    "revision": {"type": "integer", "readOnly": true},
    "health_revision": {"type": "integer", "readOnly": true},
    "index": {"type": "integer", "readOnly": true}}},
"ServiceList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "services": {"type": "array", "items": {"$ref": "#/components/schemas/Service"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"Instance": {"type": "object", "additionalProperties": false, "properties": {
    "id": {"type": "string"},
    "status": {"enum": ["healthy", "unhealthy", "unknown", "draining"], "readOnly": true},
    "dns_name": {"type": "string", "readOnly": true},
    "ipv4": {"type": "string", "format": "ipv4"}, "ipv6": {"type": "string", "format": "ipv6"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "weight": {"type": "integer", "minimum": 0, "maximum": 65535},
    "priority": {"type": "integer", "minimum": 0, "maximum": 65535},
    "disabled": {"type": "boolean"},
    "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
    "status_since": {"type": "string", "format": "date-time", "readOnly": true},
    "registered": {"type": "string", "format": "date-time", "readOnly": true},
    "draining_since": {"type": "string", "format": "date-time", "readOnly": true},
    "safe_after": {"type": "string", "format": "date-time", "readOnly": true},
    "revision": {"type": "integer", "readOnly": true},
    "health_revision": {"type": "integer", "readOnly": true},
    "index": {"type": "integer", "readOnly": true}}},
"InstanceSet": {"type": "object", "additionalProperties": false, "required": ["instances"],
    "properties": {"instances": {"type": "array",
        "items": {"$ref": "#/components/schemas/Instance"}}}},
"InstanceList": {"type": "object", "properties": {"revision": {"type": "integer"},
    "health_revision": {"type": "integer"}, "index": {"type": "integer"},
    "reset": {"type": "boolean"},
    "instances": {"type": "array", "items": {"$ref": "#/components/schemas/Instance"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"Deleted": {"type": "object", "properties": {"revision": {"type": ["integer", "null"]}}},
"Deregistered": {"type": "object", "properties": {"revision": {"type": ["integer", "null"]},
    "safe_after": {"type": "string", "format": "date-time"}}},
"Health": {"type": "object", "additionalProperties": false, "required": ["status"],
    "properties": {"status": {"enum": ["healthy", "unhealthy"]}}},
"Report": {"type": "object", "additionalProperties": false, "required": ["outcome"],
    "properties": {"outcome": {"enum": ["failure", "success"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
        "error": {"type": "string", "maxLength": 1024}}},
"Reported": {"type": "object", "properties": {"failures_in_window": {"type": "integer"},
    "threshold": {"type": "integer"}, "reconfirm": {"type": "boolean"},
    "status": {"enum": ["healthy", "unhealthy", "unknown"]}}},
"Verdict": {"type": "object", "properties": {
    "status": {"enum": ["healthy", "unhealthy", "unknown", null]}}},
"Event": {"type": "object", "properties": {"revision": {"type": "integer"},
    "cause": {"type": "string"}, "namespace": {"type": "string"},
    "service": {"type": ["string", "null"]},
    "instances": {"type": "array", "items": {"type": "object", "properties": {
        "id": {"type": "string"}, "status": {"type": "string"}, "was": {"type": "string"}}}},
    "dns_names": {"type": "array", "items": {"type": "string"}, "maxItems": 1000},
    "subtrees": {"type": "array", "items": {"type": "string"}},
    "serial": {"type": ["integer", "null"]},
    "times": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "probes": {"type": "array", "items": {"type": "object"}}}},
"EventList": {"type": "object", "properties": {
    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
    "truncated": {"type": "boolean"}, "next_page_token": {"type": "string"}}},
"TargetGroups": {"type": "array", "items": {"type": "object", "additionalProperties": false,
    "required": ["targets", "labels"], "properties": {
        "targets": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "required": [
            "__meta_dnsd_namespace", "__meta_dnsd_service", "__meta_dnsd_instance",
            "__meta_dnsd_status"]}}}},
"DiscoveryRequest": {"type": "object", "properties": {
    "version_info": {"type": "string"}, "type_url": {"type": "string"},
    "resource_names": {"type": "array", "items": {"type": "string"}, "maxItems": 1000},
    "node": {"type": "object", "properties": {"id": {"type": "string"},
        "metadata": {"type": "object", "properties": {
            "namespaces": {"type": "array", "items": {"type": "string"}},
            "services": {"type": "array", "items": {"type": "string"}},
            "listener": {"type": "string"},
            "tcp": {"type": "object", "additionalProperties": {"type": "string"}}}}}}}},
"DiscoveryResponse": {"type": "object", "properties": {
    "version_info": {"type": "string"}, "type_url": {"type": "string"},
    "resources": {"type": "array", "items": {"type": "object"}}}},
"Status": {"type": "object", "properties": {"tls": {"type": "boolean"}}},
"Cache": {"type": "object", "properties": {"entries": {"type": "integer"},
    "octets": {"type": "integer"}, "hits": {"type": "integer"}, "stale_hits": {"type": "integer"},
    "misses": {"type": "integer"}, "evictions": {"type": "integer"},
    "answers": {"type": "array", "items": {"type": "object", "properties": {
        "name": {"type": "string"}, "type": {"type": "string"},
        "dnssec_ok": {"type": "boolean"}, "checking_disabled": {"type": "boolean"},
        "rcode": {"type": "string"}, "age": {"type": "integer"}, "left": {"type": "integer"},
        "stale": {"type": "boolean"},
        "records": {"type": "array", "items": {"type": "object", "properties": {
            "section": {"enum": ["answer", "authority", "additional"]},
            "name": {"type": "string"}, "type": {"type": "string"},
            "ttl": {"type": "integer"}, "data": {"type": "string"}}}}}}}}},
"Flushed": {"type": "object", "properties": {"flushed": {"type": "integer"}}},
"UpstreamList": {"type": "object", "properties": {"upstreams": {"type": "array", "items": {
    "type": "object", "properties": {"domain": {"type": "string"}, "address": {"type": "string"},
        "well": {"type": "boolean"}, "keeps_case": {"type": "boolean"},
        "latency": {"type": "number"}, "queries": {"type": "integer"},
        "failures": {"type": "integer"}}}}}},
"Alive": {"type": "object", "properties": {"alive": {"type": "boolean"}}},
"Readiness": {"type": "object", "properties": {"ready": {"type": "boolean"},
    "reasons": {"type": "array", "items": {"type": "string"}}}},
"Problem": {"type": "object", "properties": {"type": {"type": "string"},
    "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
    "errors": {"type": "array", "items": {"type": "object", "properties": {
        "pointer": {"type": "string"}, "detail": {"type": "string"},
        "line": {"type": "integer"}, "column": {"type": "integer"}}}}}}
})json";

Json reference(std::string_view schema) {
    return {{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

Json content(std::string_view type, std::string_view schema) {
    return {{std::string(type), {{"schema", reference(schema)}}}};
}

Json json_or_zone_file(std::string_view schema) {
    Json both = content("application/json", schema);
    both[std::string(zone_file_type)] = {{"schema", {{"type", "string"}}}};
    return both;
}

Json parameters_of(const Route& route) {
    Json parameters = Json::array();
    for (const std::string_view segment : split(route.path, '/')) {
        if (!segment.starts_with('{')) continue;
        parameters.push_back({{"name", segment.substr(1, segment.size() - 2)},
                              {"in", "path"},
                              {"required", true},
                              {"schema", {{"type", "string"}}}});
    }
    for (const Parameter& parameter : route.parameters) {
        parameters.push_back({{"name", parameter.name},
                              {"in", "query"},
                              {"description", parameter.help},
                              {"schema", {{"type", "string"}}}});
    }
    return parameters;
}

Json operation_of(const Route& route) {
    Json operation{{"summary", route.summary}, {"parameters", parameters_of(route)}};
    if (!route.body.empty())
        operation["requestBody"] = {
            {"required", true},
            {"content", route.takes_zone_file ? json_or_zone_file(route.body)
                                              : content("application/json", route.body)}};
    const bool writes_zone_file = route.takes_zone_file && route.method == "GET";
    Json responses = Json::object();
    for (const int status : route.statuses) {
        Json response{{"description", status < 300 ? "As asked" : std::string(title_of(status))}};
        if (status < 300 && !route.reply.empty())
            response["content"] = writes_zone_file ? json_or_zone_file(route.reply)
                                                   : content("application/json", route.reply);
        if (status >= 300 && route.reply != "Readiness")
            response["content"] = content("application/problem+json", "Problem");
        responses[std::to_string(status)] = std::move(response);
    }
    operation["responses"] = std::move(responses);
    if (route.role == Role::None) operation["security"] = Json::array();
    return operation;
}

}  // namespace

std::string print_openapi(std::string_view version) {
    Json paths = Json::object();
    for (const Route& route : route_table())
        paths[std::string(route.path)][lower_cased(route.method)] = operation_of(route);
    const Json document{
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "dnsd"},
          {"version", version},
          {"description", "DNS-based service discovery: namespaces, services, instances, health"}}},
        {"security", Json::array({{{"token", Json::array()}}})},
        {"paths", std::move(paths)},
        {"components",
         {{"schemas", Json::parse(schemas)},
          {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
    return document.dump(2) + '\n';
}

}  // namespace dnsd::api
