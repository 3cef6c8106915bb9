#include "zone/model/validate.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>

#include "base/text.h"

namespace dnsd::model {

namespace {

using namespace std::chrono_literals;
using Errors = std::vector<FieldError>;

constexpr std::uint32_t ttl_max = 2'147'483'647;  // RFC 2181 §8
constexpr std::size_t name_octets_max = 255;      // RFC 1035 §2.3.4
constexpr std::size_t label_octets_max = 63;

// Cloud Map's, which name and limit the same things.
constexpr std::size_t http_name_octets_max = 1024;
constexpr std::size_t service_name_octets_max = 127;
constexpr std::size_t id_octets_max = 64;
constexpr std::size_t description_octets_max = 1024;
constexpr std::size_t attributes_max = 30;
constexpr std::size_t attribute_key_octets_max = 255;
constexpr std::size_t attribute_value_octets_max = 1024;
constexpr std::size_t attributes_octets_max = 5000;
constexpr std::size_t check_path_octets_max = 255;
constexpr Milliseconds custom_health_delay_max = 30s;

// Ours.
constexpr Milliseconds interval_least = 100ms, interval_most = 3600s;
constexpr Milliseconds lease_ttl_most = 24h;
constexpr std::uint32_t threshold_max = 1000;            // of probes in a row
constexpr std::size_t body_substring_octets_max = 5120;  // what is read of a body (BEHAVIOUR §4)
constexpr std::size_t grpc_service_octets_max = 255;     // as a path may have
constexpr std::size_t check_host_octets_max = 255 + 6;   // a name and a port
constexpr Milliseconds max_age_max = std::chrono::years{1};
constexpr Milliseconds report_window_least = 100ms, report_window_most = 3600s;
constexpr std::size_t peers_max = 64;
constexpr Milliseconds flap_window_least = 100ms, flap_window_most = 24h;

constexpr bool is_visible(char c) noexcept { return c >= '!' && c <= '~'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) noexcept {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

void refuse_unless(bool allowed, std::string_view pointer, std::string_view detail,
                   Errors& errors) {
    if (!allowed) errors.push_back({std::string(pointer), std::string(detail)});
}

void check_ttl(std::uint32_t ttl, std::string_view pointer, Errors& errors) {
    refuse_unless(ttl <= ttl_max, pointer, "must be 0 to 2147483647 seconds", errors);
}

void check_description(std::string_view description, Errors& errors) {
    refuse_unless(description.size() <= description_octets_max && is_utf8(description),
                  "/description", "must be at most 1024 octets of UTF-8", errors);
}

// What breaks a domain name in its text form (RFC 1035 §5.1), or nothing. Its octets are counted
// here because the wire's nouns are a neighbour's.
std::string_view broken_in_dns_name(std::string_view name) noexcept {
    if (name == ".") return {};
    if (name.empty()) return "must not be empty";
    std::size_t octets = 1;  // the root label
    std::size_t label = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (!is_visible(name[i])) return "may hold visible ASCII characters alone";
        if (name[i] != to_lower(name[i])) return "must be in lower case";
        if (name[i] == '.') {
            if (label == 0) return "must not have an empty label";
            if (i + 1 == name.size()) return "must not end in a dot";
            octets += label + 1;
            label = 0;
            continue;
        }
        if (name[i] == '\\') {  // \. or \DDD: one octet
            const std::string_view escaped = name.substr(i + 1);
            if (escaped.empty()) return "must not end in a backslash";
            if (is_digit(escaped[0])) {
                if (escaped.size() < 3 || !is_digit(escaped[1]) || !is_digit(escaped[2]) ||
                    escaped.substr(0, 3) > "255")
                    return "has a backslash with digits that are not \\000 to \\255";
                i += 3;
            } else {
                if (!is_visible(escaped[0])) return "may hold visible ASCII characters alone";
                i += 1;
            }
        }
        if (++label > label_octets_max) return "has a label of more than 63 octets";
    }
    octets += label + 1;
    return octets <= name_octets_max ? "" : "is more than 255 octets long";
}

// [a-zA-Z0-9], or 2 to 63 of [a-zA-Z0-9_-] that neither start nor end in '-'.
bool is_service_label(std::string_view label) noexcept {
    if (label.size() == 1) return is_alphanumeric(label[0]);
    return !label.empty() && label.size() <= label_octets_max && label.front() != '-' &&
           label.back() != '-' && std::ranges::all_of(label, [](char c) {
               return is_alphanumeric(c) || c == '-' || c == '_';
           });
}

bool is_service_name(std::string_view name) {
    if (name == ".") return true;  // at the namespace's own name
    return name.size() <= service_name_octets_max &&
           std::ranges::all_of(split(name, '.'), is_service_label);
}

bool is_instance_id(std::string_view id) noexcept {
    return !id.empty() && id.size() <= id_octets_max && std::ranges::all_of(id, [](char c) {
        return is_alphanumeric(c) || std::string_view("_/:.@-").contains(c);
    });
}

// A host and perhaps a port, as the Host header has them: nothing that could end the line.
bool is_check_host(std::string_view host) noexcept {
    return !host.empty() && host.size() <= check_host_octets_max &&
           std::ranges::all_of(host, [](char c) {
               return is_alphanumeric(c) || std::string_view("._-:[]").contains(c);
           });
}

bool is_check_path(std::string_view path) noexcept {
    return path.starts_with('/') && path.size() <= check_path_octets_max &&
           std::ranges::all_of(path, is_visible);
}

bool is_attribute_value(std::string_view value) noexcept {
    return value.size() <= attribute_value_octets_max &&
           (value.empty() || is_visible(value.front())) && std::ranges::all_of(value, [](char c) {
               return is_visible(c) || c == ' ' || c == '\t';
           });
}

void check_ttls(const Ttls& ttl, Errors& errors) {
    if (ttl.a == ttl.aaaa && ttl.a == ttl.srv) {  // as one number for all sets them
        check_ttl(ttl.a.value_or(0), "/ttl", errors);
        return;
    }
    check_ttl(ttl.a.value_or(0), "/ttl/A", errors);
    check_ttl(ttl.aaaa.value_or(0), "/ttl/AAAA", errors);
    check_ttl(ttl.srv.value_or(0), "/ttl/SRV", errors);
}

void check_check(const Check& check, Errors& errors) {
    refuse_unless(check.interval >= interval_least && check.interval <= interval_most,
                  "/check/interval", "must be 0.1 to 3600 seconds", errors);
    refuse_unless(check.timeout > 0ms, "/check/timeout", "must be more than 0 seconds", errors);
    refuse_unless(!is_probing(check.type) || check.timeout <= check.interval, "/check/timeout",
                  "must not be more than the interval: a probe never overlaps the next", errors);
    refuse_unless(!check.connect_timeout ||
                      (*check.connect_timeout > 0ms && *check.connect_timeout <= check.timeout),
                  "/check/connect_timeout", "must be more than 0 seconds and within the timeout",
                  errors);
    refuse_unless(check.rise >= 1 && check.rise <= threshold_max, "/check/rise",
                  "must be 1 to 1000", errors);
    refuse_unless(check.fall >= 1 && check.fall <= threshold_max, "/check/fall",
                  "must be 1 to 1000", errors);
    refuse_unless(is_check_path(check.path), "/check/path",
                  "must start with '/' and be at most 255 visible ASCII characters", errors);
    refuse_unless(!check.host || is_check_host(*check.host), "/check/host",
                  "must be a host name or an address, and may name a port", errors);
    refuse_unless(check.port != 0, "/check/port", "must be 1 to 65535", errors);
    refuse_unless(check.expected_status_least >= 100 && check.expected_status_most <= 599 &&
                      check.expected_status_least <= check.expected_status_most,
                  "/check/expected_status", "must be a range within 100 to 599", errors);
    refuse_unless(
        !check.body_substring || (!check.body_substring->empty() &&
                                  check.body_substring->size() <= body_substring_octets_max),
        "/check/body_substring", "must be 1 to 5120 octets", errors);
    refuse_unless(check.grpc_service.size() <= grpc_service_octets_max &&
                      std::ranges::all_of(check.grpc_service, is_visible),
                  "/check/grpc_service", "must be at most 255 visible ASCII characters", errors);
    refuse_unless(check.lease_ttl >= interval_least && check.lease_ttl <= lease_ttl_most,
                  "/check/lease_ttl", "must be 0.1 to 86400 seconds", errors);
}

// RFC 6901 §3.
std::string escaped_for_pointer(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

void check_attributes(const std::map<std::string, std::string>& attributes, Errors& errors) {
    refuse_unless(attributes.size() <= attributes_max, "/attributes", "must be at most 30", errors);
    std::size_t octets = 0;
    for (const auto& [key, value] : attributes) {
        octets += key.size() + value.size();
        const std::string pointer = "/attributes/" + escaped_for_pointer(key);
        refuse_unless(!key.empty() && key.size() <= attribute_key_octets_max &&
                          std::ranges::all_of(key, is_visible),
                      pointer, "must have a key of 1 to 255 visible ASCII characters", errors);
        refuse_unless(is_attribute_value(value), pointer,
                      "must be at most 1024 ASCII characters that do not start with white space",
                      errors);
    }
    refuse_unless(octets <= attributes_octets_max, "/attributes",
                  "must be at most 5000 octets, keys and values together", errors);
}

void check_keys(const auto& list, std::string_view pointer, auto key_of, Errors& errors) {
    refuse_unless(list.size() <= peers_max, pointer, "must have at most 64 elements", errors);
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string& key = key_of(list[i]);
        if (key.empty()) continue;
        if (const std::string_view broken = broken_in_dns_name(key); !broken.empty())
            errors.push_back({std::string(pointer) + "/" + std::to_string(i),
                              "names a key whose name " + std::string(broken)});
    }
}

void check_zone_fields(const NamespaceSpec& spec, Errors& errors) {
    const auto key_of = [](const auto& one) -> const std::string& { return one.key; };
    check_keys(spec.primaries, "/primaries", key_of, errors);
    check_keys(spec.notify, "/notify", key_of, errors);
    check_keys(spec.transfer, "/transfer", key_of, errors);
    check_keys(
        spec.updaters, "/updaters",
        [](const std::string& name) -> const std::string& { return name; }, errors);
    for (std::size_t i = 0; i < spec.updaters.size(); ++i)
        refuse_unless(!spec.updaters[i].empty(), "/updaters/" + std::to_string(i),
                      "must be the name of a key", errors);
    if (spec.is_secondary()) {
        refuse_unless(!spec.reverse, "/reverse", "is for zones with services: this is a secondary",
                      errors);
        refuse_unless(spec.updaters.empty(), "/updaters",
                      "must be empty: a secondary is changed at its primary", errors);
    }
    if (spec.dns) return;
    constexpr std::string_view for_zones = "is for zones: this namespace has none";
    refuse_unless(!spec.reverse, "/reverse", for_zones, errors);
    refuse_unless(spec.primaries.empty(), "/primaries", for_zones, errors);
    refuse_unless(spec.notify.empty(), "/notify", for_zones, errors);
    refuse_unless(spec.transfer.empty(), "/transfer", for_zones, errors);
    refuse_unless(spec.updaters.empty(), "/updaters", for_zones, errors);
}

}  // namespace

std::vector<FieldError> validate(const NamespaceSpec& spec) {
    Errors errors;
    if (spec.dns) {
        const std::string_view broken = broken_in_dns_name(spec.name);
        refuse_unless(broken.empty(), "/name", broken, errors);
    } else {
        refuse_unless(!spec.name.empty() && spec.name.size() <= http_name_octets_max &&
                          std::ranges::all_of(spec.name, is_visible),
                      "/name", "must be 1 to 1024 visible ASCII characters", errors);
    }
    refuse_unless(!spec.name.starts_with("arn:"), "/name", "must not start with 'arn:'", errors);
    check_ttl(spec.ttl, "/ttl", errors);
    check_ttl(spec.negative_ttl, "/negative_ttl", errors);
    check_description(spec.description, errors);
    check_zone_fields(spec, errors);
    return errors;
}

std::vector<FieldError> validate(const ServiceSpec& spec) {
    Errors errors;
    refuse_unless(is_service_name(spec.name), "/name",
                  "must be at most 127 characters: labels of letters, digits, '_' and '-' that "
                  "neither start nor end in '-', with dots between them",
                  errors);
    check_description(spec.description, errors);
    check_ttls(spec.ttl, errors);
    refuse_unless(std::set(spec.record_types.begin(), spec.record_types.end()).size() ==
                      spec.record_types.size(),
                  "/record_types", "must not name a type twice", errors);
    refuse_unless(spec.max_answers >= 1, "/max_answers", "must be 1 to 65535", errors);
    refuse_unless(spec.panic_threshold >= 0 && spec.panic_threshold <= 100, "/panic_threshold",
                  "must be 0 to 100 percent", errors);
    refuse_unless(spec.max_age >= 0ms && spec.max_age <= max_age_max, "/max_age",
                  "must be 0 seconds to a year", errors);
    refuse_unless(spec.flap_window >= flap_window_least && spec.flap_window <= flap_window_most,
                  "/flap_window", "must be 0.1 to 86400 seconds", errors);
    refuse_unless(
        spec.custom_health_delay >= 0ms && spec.custom_health_delay <= custom_health_delay_max,
        "/custom_health_delay", "must be 0 to 30 seconds", errors);
    refuse_unless(spec.report_threshold >= 1 && spec.report_threshold <= threshold_max,
                  "/report_threshold", "must be 1 to 1000", errors);
    refuse_unless(
        spec.report_window >= report_window_least && spec.report_window <= report_window_most,
        "/report_window", "must be 0.1 to 3600 seconds", errors);
    check_check(spec.check, errors);
    return errors;
}

std::vector<FieldError> validate(const InstanceSpec& spec) {
    Errors errors;
    refuse_unless(is_instance_id(spec.id), "/id",
                  "must be 1 to 64 of letters, digits and _ / : . @ -", errors);
    refuse_unless(!spec.ipv4 || !is_unspecified(*spec.ipv4), "/ipv4",
                  "must be the address of a host, not 0.0.0.0", errors);
    refuse_unless(!spec.ipv6 || !is_unspecified(*spec.ipv6), "/ipv6",
                  "must be the address of a host, not ::", errors);
    refuse_unless(spec.port != 0, "/port", "must be 1 to 65535", errors);
    check_attributes(spec.attributes, errors);
    return errors;
}

}  // namespace dnsd::model
