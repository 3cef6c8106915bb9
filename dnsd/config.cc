#include "dnsd/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace dnsd {

namespace {

using Type = Option::Type;

constexpr double ttl_max = 2147483647;  // RFC 2181 §8
constexpr double count_max = 10'000'000;

const auto table = std::to_array<Option>({
    {.name = "profile",
     .type = Type::Text,
     .initial = "'fast'",
     .choices = {"fast", "aws"},
     .help = "What the delays and thresholds below start from: 'fast' is the least that is "
             "safe, 'aws' does what Route 53 and Cloud Map do. Each can be set by itself."},
    {.name = "user",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "Started as root, dnsd becomes this user once its sockets are bound and its "
             "store is open. Empty: it stays who it is."},
    {.name = "advertise",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "IP addresses under which clients reach this server, where a listen address is "
             "a wildcard: what ns.dns.<zone>, api.<zone> and data-api.<zone> answer."},
    {.name = "name_server",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "The primary name server that SOA and NS records name. Empty: ns.dns.<zone>, in "
             "every zone."},
    {.name = "recursion_allow",
     .type = Type::TextList,
     .initial = "['127.0.0.0/8', '::1', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', "
                "'100.64.0.0/10', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']",
     .choices = {},
     .help = "Networks whose clients get names outside our zones resolved by the upstreams. "
             "Others get REFUSED for those."},
    {.name = "search_lists",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "The search lists of clients, walked here instead of by them: "
             "'10.0.0.0/8=ns.svc.cluster.local,svc.cluster.local,cluster.local'. A name below "
             "the first domain that does not exist is looked for below the others, then bare, and "
             "answered by an alias."},

    {.name = "dns.listen",
     .type = Type::TextList,
     .initial = "['127.0.0.1:53', '[::1]:53']",
     .choices = {},
     .help = "Addresses for DNS over UDP and TCP. Port 0 takes a free one."},
    {.name = "dns.workers",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 256,
     .choices = {},
     .help = "Threads that answer queries. 0: one for each core."},
    {.name = "dns.udp_payload_max",
     .type = Type::Integer,
     .initial = "1232",
     .least = 512,
     .most = 4096,
     .choices = {},
     .help = "Octets of the longest UDP answer, whatever the client would take. 1232 passes "
             "every path unfragmented."},
    {.name = "dns.nsid",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help =
         "What clients that ask for the name server's identity get (RFC 5001). Empty: nothing."},
    {.name = "dns.server_id",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "What CHAOS TXT id.server answers. Empty: it is refused."},
    {.name = "dns.version",
     .type = Type::Text,
     .initial = "'dnsd'",
     .choices = {},
     .help = "What CHAOS TXT version.server answers. Empty: it is refused."},
    {.name = "dns.tcp_connections_max",
     .type = Type::Integer,
     .initial = "4000",
     .least = 1,
     .most = count_max,
     .choices = {},
     .help = "TCP connections open at once; further ones are closed at once, and counted."},
    {.name = "dns.tcp_connections_per_client_max",
     .type = Type::Integer,
     .initial = "200",
     .least = 1,
     .most = count_max,
     .choices = {},
     .help = "Of these, at most so many from one IP address."},
    {.name = "dns.tcp_idle_timeout",
     .type = Type::Seconds,
     .initial = "10",
     .least = 0.1,
     .most = 3600,
     .choices = {},
     .help = "A TCP connection that is silent so long is closed (RFC 7766 §6.2.3)."},
    {.name = "dns.cookie_secret",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .reloadable = true,
     .help =
         "What DNS cookies (RFC 7873, RFC 9018) are made from: 32 hex digits, or a file (a name "
         "with a '/') with a secret on each line. The first makes cookies; a second, the one "
         "before it, is still believed. Servers of one address share them. Files are read "
         "again on SIGHUP. Empty: drawn at the start."},
    {.name = "dns.require_cookies",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Over UDP, answers those alone who show a cookie of ours: others get BADCOOKIE, with "
             "the right one, or are sent to TCP if they know no cookies."},
    {.name = "dns.rate_limit",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = nameserver::RateLimits::responses_most,
     .choices = {},
     .help =
         "UDP responses about one name, or with one kind of error, that a block of addresses "
         "(/24, /56) gets in a second, by each worker. Loopback, and clients with a cookie or a "
         "signature, have no limit. 0: off, as suits a server that only its own network can "
         "reach; 200 suits one that the world can."},
    {.name = "dns.rate_limit_slip",
     .type = Type::Integer,
     .initial = "2",
     .least = 0,
     .most = 100,
     .choices = {},
     .help = "Of the responses over the limit one in so many is sent cut short, so that a client "
             "that really asks comes back over TCP; the others are dropped. 0: all are dropped."},
    {.name = "dns.rate_limit_exempt",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "Networks without that limit."},
    {.name = "dns.query_log_sample",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 1e9,
     .choices = {},
     .help = "Logs one query in so many. 0: none."},

    {.name = "transfer.allow",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .reloadable = true,
     .help = "Who may transfer every zone, beside those that a zone names: '192.0.2.0/24', 'key "
             "xfr.example.org', or both together, '192.0.2.0/24 key xfr.example.org'."},
    {.name = "transfer.notify",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .reloadable = true,
     .help =
         "Name servers that are told of the changes of every zone (RFC 1996), beside those that "
         "a zone names: '192.0.2.1', '[2001:db8::1]:53 key xfr.example.org'."},
    {.name = "transfer.notify_delay",
     .type = Type::Seconds,
     .initial = "0",
     .least = 0,
     .most = 3600,
     .choices = {},
     .reloadable = true,
     .help = "Changes within it are told of together. Profile 'aws': 1."},
    {.name = "transfer.keys_file",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .reloadable = true,
     .help = "TSIG keys as tsig-keygen writes them, any number, beside those that the API was "
             "given. Keep it readable to dnsd alone."},
    {.name = "transfer.out_max",
     .type = Type::Integer,
     .initial = "30",
     .least = 1,
     .most = count_max,
     .choices = {},
     .help = "Transfers going out at the same time; further ones are refused, and counted."},
    {.name = "transfer.out_per_client_max",
     .type = Type::Integer,
     .initial = "10",
     .least = 1,
     .most = count_max,
     .choices = {},
     .help = "Of these, at most so many to one IP address."},
    {.name = "transfer.in_max",
     .type = Type::Integer,
     .initial = "10",
     .least = 1,
     .most = count_max,
     .choices = {},
     .help = "Transfers coming in at the same time; others wait their turn."},
    {.name = "transfer.in_records_max",
     .type = Type::Integer,
     .initial = "10000000",
     .least = 1,
     .most = 1e9,
     .choices = {},
     .help = "Records of one zone that comes in; a larger one is refused."},
    {.name = "transfer.history_max",
     .type = Type::Integer,
     .initial = "10000",
     .least = 0,
     .most = count_max,
     .choices = {},
     .help =
         "Differences kept for IXFR, for each zone. A secondary that is further behind gets all "
         "of the zone."},
    {.name = "transfer.history_age",
     .type = Type::Seconds,
     .initial = "86400",
     .least = 0,
     .most = 31'536'000,
     .choices = {},
     .help = "How long a difference is kept at most."},

    {.name = "forward.upstreams",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .reloadable = true,
     .help = "Resolvers for names outside our zones: '192.0.2.1', '[2001:db8::1]:53'. Empty: those "
             "that forward.resolv_conf names."},
    {.name = "forward.resolv_conf",
     .type = Type::Text,
     .initial = "'/etc/resolv.conf'",
     .choices = {},
     .reloadable = true,
     .help = "Where upstreams are read from, if forward.upstreams is empty; this server itself is "
             "left out. SIGHUP reads it again. Empty: from nowhere."},
    {.name = "forward.domains",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .reloadable = true,
     .help = "Domains with upstreams of their own: 'corp.example=192.0.2.1,192.0.2.2'. Of several "
             "that hold a name, the longest counts."},
    {.name = "forward.timeout",
     .type = Type::Seconds,
     .initial = "2",
     .least = 0.01,
     .most = 60,
     .choices = {},
     .help =
         "A try that takes longer has failed. Sooner, after four times what the upstream "
         "usually takes and at least 0.2, another one is asked as well; then after twice that."},
    {.name = "forward.tries",
     .type = Type::Integer,
     .initial = "4",
     .least = 1,
     .most = 100,
     .choices = {},
     .help =
         "Tries for one question, over all its upstreams: the fastest that is well comes first."},
    {.name = "forward.randomise_case",
     .type = Type::Bool,
     .initial = "true",
     .choices = {},
     .help =
         "Names are sent in a random spelling that answers must repeat (0x20). An upstream that "
         "loses it is asked over TCP, and remembered."},
    {.name = "forward.trust_ad",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Passes on that an upstream has validated an answer. Only for upstreams that do, over "
             "a network that nobody else writes to."},
    {.name = "forward.in_flight_max",
     .type = Type::Integer,
     .initial = "10000",
     .least = 1,
     .most = 50000,
     .choices = {},
     .help = "Clients that may wait for upstreams at once; further ones get SERVFAIL."},
    {.name = "forward.in_flight_per_client_max",
     .type = Type::Integer,
     .initial = "1000",
     .least = 1,
     .most = 50000,
     .choices = {},
     .help = "Of these, at most so many of one IP address."},
    {.name = "cache.policy",
     .type = Type::Text,
     .initial = "'honour'",
     .choices = {"honour", "clamp", "pin", "off"},
     .help = "What TTLs of upstreams mean: 'honour' keeps them, 'clamp' keeps them between "
             "cache.ttl_min and cache.ttl_max, 'pin' keeps answers until they are flushed, 'off' "
             "keeps none. The last three are for studies."},
    {.name = "cache.octets_max",
     .type = Type::Integer,
     .initial = "67108864",
     .least = 65536,
     .most = 1e12,
     .choices = {},
     .help = "Memory for what is kept; what was used least recently goes first."},
    {.name = "cache.ttl_min",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 604800,
     .choices = {},
     .help = "With cache.policy = 'clamp', shorter TTLs become this; never those that are 0."},
    {.name = "cache.ttl_max",
     .type = Type::Integer,
     .initial = "86400",
     .least = 0,
     .most = 604800,
     .choices = {},
     .help = "Longer TTLs become this."},
    {.name = "cache.negative_ttl_max",
     .type = Type::Integer,
     .initial = "3600",
     .least = 0,
     .most = 604800,
     .choices = {},
     .help = "The same, for names and types that do not exist (RFC 2308)."},
    {.name = "cache.stale_max",
     .type = Type::Seconds,
     .initial = "86400",
     .least = 0,
     .most = 604800,
     .choices = {},
     .help =
         "When no upstream answers, answers are given for so long after their end, with a TTL of "
         "30 and the extended error 'stale answer' (RFC 8767). Negative ones never are. 0: off."},
    {.name = "cache.stale_after",
     .type = Type::Seconds,
     .initial = "1.8",
     .least = 0,
     .most = 60,
     .choices = {},
     .help = "How long a client waits for upstreams before it gets a stale answer."},
    {.name = "cache.prefetch_percent",
     .type = Type::Percent,
     .initial = "10",
     .least = 0,
     .most = 90,
     .choices = {},
     .help = "An answer given in the last part of its life is asked for again at once. 0: off."},
    {.name = "cache.show_age",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Tells clients with EDNS the age of each answer that was kept, as an extended error; "
             "stale ones tell theirs always."},

    {.name = "api.listen",
     .type = Type::TextList,
     .initial = "['127.0.0.1:8053']",
     .choices = {},
     .help = "Addresses for the HTTP API. Anything but loopback wants api.tokens."},
    {.name = "api.tokens",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .reloadable = true,
     .help = "A file of tokens, one a line: `<sha256 of the token in hex> "
             "<read|report|write> [namespace ...]`. SIGHUP reads the file again. Empty: no "
             "token is asked for."},
    {.name = "api.tls_cert",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .reloadable = true,
     .help = "A PEM file: the certificate that the API shows, then those between it and a root. "
             "With it the API speaks TLS, and nothing else. SIGHUP reads it and its key again. "
             "Empty: plain HTTP."},
    {.name = "api.tls_key",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .reloadable = true,
     .help = "A PEM file: the certificate's key, without a password. To be read again, it must be "
             "readable for user."},
    {.name = "api.insecure",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Lets tokens travel over plain HTTP off loopback."},
    {.name = "api.metrics_open",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Shows /metrics without a token."},
    {.name = "api.connections_max",
     .type = Type::Integer,
     .initial = "20000",
     .least = 1,
     .most = 1e6,
     .choices = {},
     .help = "HTTP connections open at once, waiting ones included."},
    {.name = "api.connections_per_client_max",
     .type = Type::Integer,
     .initial = "20000",
     .least = 1,
     .most = 1e6,
     .choices = {},
     .help = "Of these, at most so many from one IP address."},
    {.name = "api.body_octets_max",
     .type = Type::Integer,
     .initial = "4194304",
     .least = 1024,
     .most = 1e9,
     .choices = {},
     .help = "The largest request body; a larger one gets 413."},
    {.name = "api.zone_octets_max",
     .type = Type::Integer,
     .initial = "67108864",
     .least = 1024,
     .most = 4e9,
     .choices = {},
     .help = "The same for zone files (text/dns)."},
    {.name = "api.idle_timeout",
     .type = Type::Seconds,
     .initial = "60",
     .least = 1,
     .most = 3600,
     .choices = {},
     .help = "A connection that neither sends nor waits for an answer so long is closed."},

    {.name = "store.path",
     .type = Type::Text,
     .initial = "'/var/lib/dnsd/dnsd.db'",
     .choices = {},
     .help = "The SQLite file that keeps everything."},
    {.name = "store.synchronous",
     .type = Type::Text,
     .initial = "'full'",
     .choices = {"full", "normal"},
     .help = "'full' syncs each commit to the disk before it is acknowledged. 'normal' may "
             "lose the last acknowledged changes in a power loss."},
    {.name = "events.keep",
     .type = Type::Integer,
     .initial = "100000",
     .least = 1,
     .most = 1e8,
     .choices = {},
     .help = "Events kept in the event table; the oldest go."},

    {.name = "registry.instances_per_service_max",
     .type = Type::Integer,
     .initial = "10000",
     .least = 1,
     .most = 60000,
     .choices = {},
     .help = "Instances that one service may have."},
    {.name = "registry.changes_waiting_max",
     .type = Type::Integer,
     .initial = "100000",
     .least = 1,
     .most = 1e7,
     .choices = {},
     .help = "Changes that may wait for the writer; further ones get 503."},
    {.name = "registry.track_answers",
     .type = Type::Bool,
     .initial = "true",
     .choices = {},
     .help = "Keeps when names were answered last, which makes safe_after exact. Otherwise "
             "it is the publication plus the largest TTL that was in force."},
    {.name = "registry.publish_delay",
     .type = Type::Seconds,
     .initial = "0",
     .least = 0,
     .most = 3600,
     .choices = {},
     .by_profile = true,
     .help = "Between the commit of a change and its answers. For experiments. Profile fast: "
             "0, aws: 60."},

    {.name = "replica.follow",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "URLs of dnsd's API, as 'http://192.0.2.1:8053': this server answers as the first of "
             "them that it reaches, and takes no changes itself. Empty: it is a centre."},
    {.name = "replica.token",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "A file whose first line is the token for the centre. Empty: none."},
    {.name = "replica.ca_file",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "PEM, the roots that the centre's certificate must come from. Empty: the system's."},
    {.name = "replica.ttl_max",
     .type = Type::Integer,
     .initial = "1",
     .least = 0,
     .most = ttl_max,
     .choices = {},
     .help = "Longer TTLs, negative ones too, are handed out as this: caches behind a replica keep "
             "nothing for longer."},
    {.name = "replica.stale_max",
     .type = Type::Seconds,
     .initial = "0",
     .least = 0,
     .most = 1e9,
     .choices = {},
     .help =
         "How long it answers after the last sign of a centre; then SERVFAIL. 0: without bound, "
         "since an old answer beats none."},

    {.name = "defaults.ttl",
     .type = Type::Integer,
     .initial = "5",
     .least = 0,
     .most = ttl_max,
     .choices = {},
     .by_profile = true,
     .help = "The TTL of a namespace that names none. Profile fast: 5, aws: 60."},
    {.name = "defaults.negative_ttl",
     .type = Type::Integer,
     .initial = "2",
     .least = 0,
     .most = ttl_max,
     .choices = {},
     .by_profile = true,
     .help =
         "The TTL of negative answers, where the namespace names none. Profile fast: 2, aws: 900."},
    {.name = "defaults.max_answers",
     .type = Type::Integer,
     .initial = "8",
     .least = 1,
     .most = 65535,
     .choices = {},
     .by_profile = true,
     .help = "Records in one UDP answer. Both profiles: 8."},
    {.name = "defaults.failure_policy",
     .type = Type::Text,
     .initial = "'fail_open'",
     .choices = {"fail_open", "fail_closed", "last_known_good"},
     .by_profile = true,
     .help = "What is answered when no instance is healthy. Both profiles: fail_open, as "
             "Route 53 does."},
    {.name = "defaults.max_age",
     .type = Type::Seconds,
     .initial = "300",
     .least = 0,
     .most = 1e9,
     .choices = {},
     .by_profile = true,
     .help = "How long last_known_good answers. Both profiles: 300."},
    {.name = "defaults.panic_threshold",
     .type = Type::Percent,
     .initial = "0",
     .least = 0,
     .most = 100,
     .choices = {},
     .by_profile = true,
     .help = "Percent of healthy instances at or below which the failure policy applies. "
             "Both profiles: 0, off."},
    {.name = "defaults.min_healthy",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 10000,
     .choices = {},
     .by_profile = true,
     .help = "Checks never leave fewer instances in the answers. Both profiles: 0, off."},
    {.name = "defaults.flap_limit",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 1000,
     .choices = {},
     .by_profile = true,
     .help = "An instance that flips more often than this within flap_window stays out. Both "
             "profiles: 0, off."},
    {.name = "defaults.flap_window",
     .type = Type::Seconds,
     .initial = "60",
     .least = 1,
     .most = 86400,
     .choices = {},
     .by_profile = true,
     .help = "See flap_limit. Both profiles: 60."},
    {.name = "defaults.custom_health_delay",
     .type = Type::Seconds,
     .initial = "0",
     .least = 0,
     .most = 30,
     .choices = {},
     .by_profile = true,
     .help = "Between a status set through the API and its effect. Profile fast: 0, aws: 30."},
    {.name = "defaults.lease_ttl",
     .type = Type::Seconds,
     .initial = "10",
     .least = 0.1,
     .most = 86400,
     .choices = {},
     .by_profile = true,
     .help = "A lease without a heartbeat ends after so long. Profile fast: 10, aws: 90."},
    {.name = "defaults.check_interval",
     .type = Type::Seconds,
     .initial = "1",
     .least = 0.1,
     .most = 3600,
     .choices = {},
     .by_profile = true,
     .help = "Between two probes of an endpoint. Profile fast: 1, aws: 30."},
    {.name = "defaults.check_timeout",
     .type = Type::Seconds,
     .initial = "0.9",
     .least = 0.01,
     .most = 3600,
     .choices = {},
     .by_profile = true,
     .help = "A probe that takes longer has failed. Profile fast: 0.9 of the interval; aws: "
             "4 to connect and 2 to answer, 10 for tcp."},
    {.name = "defaults.check_rise",
     .type = Type::Integer,
     .initial = "1",
     .least = 1,
     .most = 1000,
     .choices = {},
     .by_profile = true,
     .help = "Successes in a row that make healthy. Profile fast: 1, aws: 3."},
    {.name = "defaults.check_fall",
     .type = Type::Integer,
     .initial = "2",
     .least = 1,
     .most = 1000,
     .choices = {},
     .by_profile = true,
     .help = "Failures in a row that make unhealthy. Profile fast: 2, aws: 3."},

    {.name = "checks.in_flight_max",
     .type = Type::Integer,
     .initial = "20000",
     .least = 1,
     .most = 1e6,
     .choices = {},
     .help = "Probes under way at once; beyond it ticks are missed, and counted."},
    {.name = "checks.breaker_percent",
     .type = Type::Percent,
     .initial = "0",
     .least = 0,
     .most = 100,
     .choices = {},
     .reloadable = true,
     .help = "More than this percentage of all checks (of at least 10) turning at once "
             "freezes verdicts: the checker may be blind. 0: off."},

    {.name = "log.level",
     .type = Type::Text,
     .initial = "'info'",
     .choices = {"debug", "info", "warn", "error", "off"},
     .reloadable = true,
     .help = "The least severe lines that are written."},
    {.name = "log.format",
     .type = Type::Text,
     .initial = "'text'",
     .choices = {"text", "json"},
     .help = "key=value text, or one JSON object a line."},
});

Milliseconds milliseconds(double seconds) {
    return std::chrono::round<Milliseconds>(std::chrono::duration<double>(seconds));
}

constexpr std::uint16_t dns_port = 53;

// "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53".
std::optional<SocketAddress> parse_server(std::string_view text) {
    if (const auto ip = parse_ip(text)) return SocketAddress{*ip, dns_port};
    return SocketAddress::parse(text);
}

// KEY=VALUE[,VALUE...]
struct Assignment {
    std::string_view key;
    std::vector<std::string_view> values;
};
std::optional<Assignment> parse_assignment(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    Assignment assignment{text.substr(0, equals), split(text.substr(equals + 1), ',')};
    if (std::ranges::any_of(assignment.values, [](auto value) { return value.empty(); }))
        return std::nullopt;
    return assignment;
}

std::optional<forward::Forwarder::Route> parse_route(std::string_view text) {
    const auto assignment = parse_assignment(text);
    const auto domain = assignment ? wire::Name::parse(assignment->key) : fail("");
    if (!domain) return std::nullopt;
    forward::Forwarder::Route route{*domain, {}};
    for (const std::string_view value : assignment->values) {
        const auto server = parse_server(value);
        if (!server) return std::nullopt;
        route.upstreams.push_back(*server);
    }
    return route;
}

std::optional<nameserver::SearchList> parse_search_list(std::string_view text) {
    const auto assignment = parse_assignment(text);
    const auto clients = assignment ? Network::parse(assignment->key) : std::nullopt;
    if (!clients) return std::nullopt;
    nameserver::SearchList list{*clients, {}};
    for (const std::string_view value : assignment->values) {
        const auto domain = wire::Name::parse(value);
        if (!domain || domain->is_root()) return std::nullopt;
        list.domains.push_back(*domain);
    }
    return list;
}

Result<> judge_forwarding(std::string_view name, const std::string& text) {
    if (name == "recursion_allow" && !Network::parse(text))
        return fail(
            fmt::format("recursion_allow: '{}' is no network, as 10.0.0.0/8 or ::1 is", text));
    if (name == "search_lists" && !parse_search_list(text))
        return fail(
            fmt::format("search_lists: '{}' is not NETWORK=DOMAIN[,DOMAIN...], as "
                        "10.0.0.0/8=ns.svc.cluster.local,svc.cluster.local,cluster.local is",
                        text));
    if (name == "forward.upstreams" && !parse_server(text))
        return fail(fmt::format(
            "forward.upstreams: '{}' is no address, as 192.0.2.1 or [2001:db8::1]:53 is", text));
    if (name == "forward.domains" && !parse_route(text))
        return fail(
            fmt::format("forward.domains: '{}' is not DOMAIN=ADDRESS[,ADDRESS...], as "
                        "corp.example=192.0.2.1 is",
                        text));
    return {};
}

Result<> judge_transfers(const Options& options) {
    for (const std::string& text : options.list("transfer.allow")) {
        if (const auto read = model::parse_admission(text); !read)
            return fail(fmt::format("transfer.allow: '{}' {}", text, read.error().message));
    }
    for (const std::string& text : options.list("transfer.notify")) {
        if (const auto read = model::parse_peer(text); !read)
            return fail(fmt::format("transfer.notify: '{}' {}", text, read.error().message));
    }
    return {};
}

}  // namespace

std::span<const Option> option_table() noexcept { return table; }

Result<> check(const Options& options) {
    if (auto judged = judge_transfers(options); !judged) return judged;
    for (const std::string_view name : {"dns.listen", "api.listen"}) {
        if (options.list(name).empty()) return fail(fmt::format("{}: at least one address", name));
        for (const std::string& text : options.list(name)) {
            if (!SocketAddress::parse(text)) {
                return fail(fmt::format(
                    "{}: '{}' is no address; it takes '192.0.2.1:53' or '[2001:db8::1]:53'", name,
                    text));
            }
        }
    }
    const bool speaks_tls = !options.text("api.tls_cert").empty();
    if (speaks_tls && options.text("api.tls_key").empty())
        return fail("api.tls_cert: api.tls_key must name the file of its key");
    if (!speaks_tls && !options.text("api.tls_key").empty())
        return fail("api.tls_key: api.tls_cert must name the file of its certificate");
    for (const SocketAddress& address : addresses_of(options, "api.listen")) {
        if (is_loopback(address.ip)) continue;
        if (options.text("api.tokens").empty())
            return fail(
                fmt::format("api.listen: {} is not loopback, so api.tokens must name a file "
                            "of tokens",
                            address.print()));
        if (!speaks_tls && !options.boolean("api.insecure"))
            return fail(
                fmt::format("api.listen: {} is not loopback, and tokens over plain HTTP can "
                            "be read on the way; api.tls_cert prevents it, api.insecure = true "
                            "allows it",
                            address.print()));
    }
    for (const std::string& text : options.list("advertise")) {
        if (!parse_ip(text)) return fail(fmt::format("advertise: '{}' is no IP address", text));
    }
    for (const auto name :
         {"recursion_allow", "search_lists", "forward.upstreams", "forward.domains"}) {
        for (const std::string& text : options.list(name)) {
            if (auto judged = judge_forwarding(name, text); !judged) return judged;
        }
    }
    for (const std::string& text : options.list("dns.rate_limit_exempt")) {
        if (!Network::parse(text))
            return fail(fmt::format(
                "dns.rate_limit_exempt: '{}' is no network, as 10.0.0.0/8 or ::1 is", text));
    }
    for (const std::string& text : options.list("dns.cookie_secret")) {
        if (!text.contains('/') && !nameserver::CookieSecrets::parse(text))
            return fail("dns.cookie_secret: it takes 32 hex digits, or a file's name with a '/'");
    }
    if (options.integer("cache.ttl_min") > options.integer("cache.ttl_max"))
        return fail("cache.ttl_min: it is more than cache.ttl_max");
    for (const std::string& url : options.list("replica.follow")) {
        if (!url.starts_with("http://") && !url.starts_with("https://"))
            return fail(
                fmt::format("replica.follow: '{}' is no URL, as http://192.0.2.1:8053 is", url));
    }
    if (options.text("store.path").empty()) return fail("store.path: the name of a file");
    const model::Check check = defaults_of(options).service.check;
    if (check.timeout > check.interval)
        return fail("defaults.check_timeout: it is more than check_interval");
    return {};
}

std::vector<SocketAddress> addresses_of(const Options& options, std::string_view name) {
    std::vector<SocketAddress> addresses;
    for (const std::string& text : options.list(name))
        addresses.push_back(*SocketAddress::parse(text));
    return addresses;
}

std::vector<Network> recursion_allow_of(const Options& options) {
    std::vector<Network> networks;
    for (const std::string& text : options.list("recursion_allow"))
        networks.push_back(*Network::parse(text));
    return networks;
}

std::vector<model::Admission> transfer_allow_of(const Options& options) {
    std::vector<model::Admission> admissions;
    for (const std::string& text : options.list("transfer.allow"))
        admissions.push_back(*model::parse_admission(text));
    return admissions;
}

std::vector<model::Peer> notify_of(const Options& options) {
    std::vector<model::Peer> peers;
    for (const std::string& text : options.list("transfer.notify"))
        peers.push_back(*model::parse_peer(text));
    return peers;
}

nameserver::RateLimits rate_limits_of(const Options& options) {
    nameserver::RateLimits limits;
    limits.responses_per_second = static_cast<std::uint32_t>(options.integer("dns.rate_limit"));
    limits.slip = static_cast<std::uint32_t>(options.integer("dns.rate_limit_slip"));
    for (const std::string& text : options.list("dns.rate_limit_exempt"))
        limits.exempt.push_back(*Network::parse(text));
    return limits;
}

std::vector<nameserver::SearchList> search_lists_of(const Options& options) {
    std::vector<nameserver::SearchList> lists;
    for (const std::string& text : options.list("search_lists"))
        lists.push_back(*parse_search_list(text));
    return lists;
}

std::vector<forward::Forwarder::Route> routes_of(const Options& options) {
    std::vector<forward::Forwarder::Route> routes;
    for (const std::string& text : options.list("forward.domains"))
        routes.push_back(*parse_route(text));
    forward::Forwarder::Route others{wire::Name(), {}};
    for (const std::string& text : options.list("forward.upstreams"))
        others.upstreams.push_back(*parse_server(text));
    if (!others.upstreams.empty()) routes.push_back(std::move(others));
    return routes;
}

model::Defaults defaults_of(const Options& options) {
    model::Defaults defaults =
        options.text("profile") == "aws" ? model::aws_defaults() : model::fast_defaults();
    model::ServiceSpec& service = defaults.service;
    model::Check& check = service.check;
    const auto number = [&](std::string_view name, auto& into) {
        if (options.is_set(name))
            into = static_cast<std::remove_reference_t<decltype(into)>>(options.integer(name));
    };
    const auto duration = [&](std::string_view name, Milliseconds& into) {
        if (options.is_set(name)) into = milliseconds(options.seconds(name));
    };
    number("defaults.ttl", defaults.ttl);
    number("defaults.negative_ttl", defaults.negative_ttl);
    number("defaults.max_answers", service.max_answers);
    number("defaults.min_healthy", service.min_healthy);
    number("defaults.flap_limit", service.flap_limit);
    number("defaults.check_rise", check.rise);
    number("defaults.check_fall", check.fall);
    duration("defaults.max_age", service.max_age);
    duration("defaults.flap_window", service.flap_window);
    duration("defaults.custom_health_delay", service.custom_health_delay);
    duration("defaults.lease_ttl", check.lease_ttl);
    if (options.is_set("defaults.panic_threshold")) {
        service.panic_threshold = options.percent("defaults.panic_threshold");
    }
    if (options.is_set("defaults.failure_policy")) {
        service.failure_policy =
            *model::parse_failure_policy(options.text("defaults.failure_policy"));
    }
    if (options.is_set("defaults.check_interval")) {
        duration("defaults.check_interval", check.interval);
        if (defaults.timeout_follows_interval) check.timeout = check.interval * 9 / 10;
    }
    if (options.is_set("defaults.check_timeout")) {
        duration("defaults.check_timeout", check.timeout);
        defaults.tcp_timeout = check.timeout;
        defaults.timeout_follows_interval = false;
        check.connect_timeout.reset();
    }
    return defaults;
}

log::Level log_level_of(const Options& options) {
    const std::string& level = options.text("log.level");
    if (level == "debug") return log::Level::Debug;
    if (level == "warn") return log::Level::Warn;
    if (level == "error") return log::Level::Error;
    if (level == "off") return log::Level::Off;
    return log::Level::Info;
}

}  // namespace dnsd
