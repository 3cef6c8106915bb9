#include "zone/model/types.h"

#include <array>
#include <cstddef>

namespace dnsd::model {

namespace {

// The words of an enumeration, in the order of its enumerators.
constexpr std::array<std::string_view, 3> health_status_words{"unknown", "healthy", "unhealthy"};
constexpr std::array<std::string_view, 4> routing_policy_words{"multivalue", "weighted", "failover",
                                                               "simple"};
constexpr std::array<std::string_view, 3> failure_policy_words{"fail_open", "fail_closed",
                                                               "last_known_good"};
constexpr std::array<std::string_view, 7> check_type_words{"none", "tcp",   "http",  "https",
                                                           "grpc", "lease", "custom"};
constexpr std::array<std::string_view, 2> protocol_words{"tcp", "udp"};
constexpr std::array<std::string_view, 3> record_type_words{"A", "AAAA", "SRV"};

template <class Enum, std::size_t count>
std::optional<Enum> find_word(const std::array<std::string_view, count>& words,
                              std::string_view word) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        if (words[i] == word) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

}  // namespace

std::string_view print(HealthStatus status) noexcept {
    return health_status_words[static_cast<std::size_t>(status)];
}
std::string_view print(RoutingPolicy policy) noexcept {
    return routing_policy_words[static_cast<std::size_t>(policy)];
}
std::string_view print(FailurePolicy policy) noexcept {
    return failure_policy_words[static_cast<std::size_t>(policy)];
}
std::string_view print(CheckType type) noexcept {
    return check_type_words[static_cast<std::size_t>(type)];
}
std::string_view print(Protocol protocol) noexcept {
    return protocol_words[static_cast<std::size_t>(protocol)];
}
std::string_view print(RecordType type) noexcept {
    return record_type_words[static_cast<std::size_t>(type)];
}

std::optional<HealthStatus> parse_health_status(std::string_view word) noexcept {
    return find_word<HealthStatus>(health_status_words, word);
}
std::optional<RoutingPolicy> parse_routing_policy(std::string_view word) noexcept {
    return find_word<RoutingPolicy>(routing_policy_words, word);
}
std::optional<FailurePolicy> parse_failure_policy(std::string_view word) noexcept {
    return find_word<FailurePolicy>(failure_policy_words, word);
}
std::optional<CheckType> parse_check_type(std::string_view word) noexcept {
    return find_word<CheckType>(check_type_words, word);
}
std::optional<Protocol> parse_protocol(std::string_view word) noexcept {
    return find_word<Protocol>(protocol_words, word);
}
std::optional<RecordType> parse_record_type(std::string_view word) noexcept {
    return find_word<RecordType>(record_type_words, word);
}

// What the members' own initial values say is the profile `fast`.
Defaults fast_defaults() { return {}; }

Defaults aws_defaults() {
    using namespace std::chrono_literals;
    Defaults defaults;
    defaults.ttl = 60;
    defaults.negative_ttl = 900;
    defaults.service.custom_health_delay = 30s;
    Check& check = defaults.service.check;
    check.interval = 30s;
    check.connect_timeout = 4s;
    check.timeout = *check.connect_timeout + 2s;
    check.rise = 3;
    check.fall = 3;
    check.lease_ttl = 90s;
    defaults.tcp_timeout = 10s;
    defaults.timeout_follows_interval = false;
    return defaults;
}

}  // namespace dnsd::model
