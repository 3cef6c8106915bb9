// The nouns of discovery (BEHAVIOUR §1 and §2 in code): values that copy, compare and have no
// threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"

namespace dnsd::model {

using Revision = std::uint64_t;  // per store, moves by one with each change
using Seconds = std::chrono::duration<double>;

enum class HealthStatus : std::uint8_t { Unknown, Healthy, Unhealthy };
enum class RoutingPolicy : std::uint8_t { Multivalue, Weighted, Failover, Simple };
enum class FailurePolicy : std::uint8_t { FailOpen, FailClosed, LastKnownGood };
enum class CheckType : std::uint8_t { None, Tcp, Http, Https, Grpc, Lease, Custom };
enum class Protocol : std::uint8_t { Tcp, Udp };
enum class RecordType : std::uint8_t { A, Aaaa, Srv };

constexpr bool is_probing(CheckType type) noexcept {
    return type == CheckType::Tcp || type == CheckType::Http || type == CheckType::Https ||
           type == CheckType::Grpc;
}

// TTLs in seconds; what is not set comes from the namespace.
struct Ttls {
    std::optional<std::uint32_t> a{}, aaaa{}, srv{};
    bool operator==(const Ttls&) const = default;
};

// How the well-being of a service's instances is found out.
struct Check {
    CheckType type = CheckType::None;
    Milliseconds interval{1000};
    Milliseconds timeout{900};  // connect and answer together; 4000 + 2000 where split, see below
    std::optional<Milliseconds> connect_timeout;  // a bound on the connect alone, within `timeout`
    std::uint32_t rise = 1;
    std::uint32_t fall = 2;
    std::string path = "/";             // http, https
    std::optional<std::string> host;    // Host, :authority, SNI; default the instance's address
    std::optional<std::uint16_t> port;  // default the instance's
    std::uint16_t expected_status_least = 200;
    std::uint16_t expected_status_most = 399;
    std::optional<std::string> body_substring;  // in the first 5,120 octets
    bool verify_tls = false;
    std::string grpc_service{};     // grpc: whose status is asked for; empty: the server's
    Milliseconds lease_ttl{10000};  // lease
    HealthStatus initial_status = HealthStatus::Unknown;  // until the first verdict
    bool operator==(const Check&) const = default;
};

// Another name server, and the TSIG key that we share with it: "192.0.2.1:53",
// "[2001:db8::1]:53 key xfr.example.org". Without a port: 53.
struct Peer {
    SocketAddress address;
    std::string key{};  // as print(wire::Name) writes it, lower case; empty: none
    auto operator<=>(const Peer&) const = default;
};
// Who is let in: "192.0.2.0/24", "key xfr.example.org", or both together: "192.0.2.0/24 key
// xfr.example.org" asks for the key from those addresses.
struct Admission {
    std::optional<Network> network{};
    std::string key{};  // the same
    bool operator==(const Admission&) const = default;
};
// The error is a sentence that says what is wrong. Key names are lower-cased, without a final dot.
Result<Peer> parse_peer(std::string_view text);
Result<Admission> parse_admission(std::string_view text);
std::string print(const Peer& peer);
std::string print(const Admission& admission);

struct NamespaceSpec {
    std::string
        name;  // of a DNS namespace: as print(wire::Name) writes it, lower case; "." is the root
    bool dns = true;  // false: found through the API alone
    std::uint32_t ttl = 5;
    std::uint32_t negative_ttl = 2;
    std::string description{};
    // What follows is for zones alone.
    bool reverse = false;                 // its instances have PTR records in hosted reverse zones
    std::vector<Peer> primaries{};        // not empty: a secondary of the first that answers
    std::vector<Peer> notify{};           // told of each change, beside those of the configuration
    std::vector<Admission> transfer{};    // who may transfer it, beside the same
    std::vector<std::string> updaters{};  // names of TSIG keys: who may update it
    bool operator==(const NamespaceSpec&) const = default;

    bool is_secondary() const noexcept { return !primaries.empty(); }
};

struct ServiceSpec {
    std::string namespace_name;
    std::string name;  // Cloud Map's: dotted ones and _x._tcp too; lower case where DNS shows it
    std::string description{};
    RoutingPolicy routing_policy = RoutingPolicy::Multivalue;
    FailurePolicy failure_policy = FailurePolicy::FailOpen;
    Ttls ttl{};
    std::vector<RecordType> record_types{};  // empty: all that the instances can fill
    Protocol protocol = Protocol::Tcp;       // of the _web._tcp name
    std::uint16_t max_answers = 8;
    double panic_threshold =
        0;  // percent of instances; at or below it the failure policy applies; 0: off
    std::uint32_t min_healthy = 0;  // never fewer answered than this because of checks; 0: off
    Milliseconds max_age{300'000};  // of the last known good
    std::uint32_t flap_limit = 0;   // 0: off
    Milliseconds flap_window{60'000};
    Milliseconds custom_health_delay{0};
    std::uint32_t report_threshold = 3;  // failures that clients report within the window below
    Milliseconds report_window{10'000};  // have the instance reconfirmed
    Check check{};
    bool operator==(const ServiceSpec&) const = default;
};

struct InstanceSpec {
    std::string id;
    std::optional<Ipv4> ipv4{};
    std::optional<Ipv6> ipv6{};
    std::optional<std::uint16_t> port{};
    std::uint16_t weight = 1;
    std::uint16_t priority = 0;
    bool disabled = false;
    std::map<std::string, std::string> attributes{};
    bool operator==(const InstanceSpec&) const = default;
};

// An instance that was deregistered and may still be in caches.
struct Drain {
    WallTime since;
    WallTime safe_after;
    Revision revision = 0;  // of the deregistration
    bool operator==(const Drain&) const = default;
};

// One endpoint of a service, and what is believed of it.
struct Instance {
    InstanceSpec spec;
    std::string dns_name;  // its full own name, "i-1.web.corp.internal"; empty in an HTTP namespace
    HealthStatus status = HealthStatus::Unknown;
    bool awaits_verdict = false;  // it has a check that has not spoken yet
    WallTime status_since{};
    std::optional<WallTime> healthy_last;  // for last_known_good
    WallTime registered{};
    Revision revision = 0;         // of its last registration
    Revision health_revision = 0;  // of its last change of status
    std::optional<Drain> drain;
    bool operator==(const Instance&) const = default;

    Revision index() const noexcept {
        return revision > health_revision ? revision : health_revision;
    }
};

// The words of the API, the store and the log; one spelling everywhere: "healthy", "fail_open",
// "AAAA".
std::string_view print(HealthStatus status) noexcept;
std::string_view print(RoutingPolicy policy) noexcept;
std::string_view print(FailurePolicy policy) noexcept;
std::string_view print(CheckType type) noexcept;
std::string_view print(Protocol protocol) noexcept;
std::string_view print(RecordType type) noexcept;
// Nothing for any other word.
std::optional<HealthStatus> parse_health_status(std::string_view word) noexcept;
std::optional<RoutingPolicy> parse_routing_policy(std::string_view word) noexcept;
std::optional<FailurePolicy> parse_failure_policy(std::string_view word) noexcept;
std::optional<CheckType> parse_check_type(std::string_view word) noexcept;
std::optional<Protocol> parse_protocol(std::string_view word) noexcept;
std::optional<RecordType> parse_record_type(std::string_view word) noexcept;

// The defaults that new namespaces, services and checks start from: one of the two profiles of
// BEHAVIOUR §3, with whatever options override in it.
struct Defaults {
    std::uint32_t ttl = 5;
    std::uint32_t negative_ttl = 2;
    ServiceSpec service;  // without names; its check has the type None
    Milliseconds tcp_timeout{900};
    bool timeout_follows_interval = true;  // 0.9 x interval where the check names none
};
Defaults fast_defaults();
Defaults aws_defaults();

}  // namespace dnsd::model
