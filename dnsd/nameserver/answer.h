// A query's octets in, a reply's octets out. For names in our zones no I/O, no lock, no allocation,
// no log: counters instead.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/random.h"
#include "dnsd/nameserver/cookies.h"
#include "dnsd/nameserver/rate_limit.h"
#include "dnsd/nameserver/recursion.h"
#include "zone/tree/look_ahead.h"
#include "zone/tree/zone_set.h"

namespace dnsd::nameserver {

enum class Transport : std::uint8_t { Udp, Tcp };

struct AnswerOptions {
    std::string nsid = {};       // RFC 5001; empty: none
    std::string version = {};    // CHAOS TXT version.server; empty: refused
    std::string server_id = {};  // CHAOS TXT id.server; empty: refused
    std::uint16_t udp_payload_octets_max = 1232;
    Milliseconds tcp_idle_timeout{0};  // told to those who ask over TCP (RFC 7828); 0: to nobody
    std::vector<Network> recursion_allow = {};  // for whom names outside our zones are resolved
    std::vector<SearchList> search_lists = {};  // of a client in several, the first counts
    // Zones that are fed are answered so long after the last sign; 0: without bound.
    Milliseconds stale_max{0};
    bool show_age = false;  // of answers that were kept, as an extended error
    // UDP answers are for those alone who show a cookie of ours (RFC 7873) or sign.
    bool require_cookies = false;
};

// One worker's; read by any thread.
struct AnswerCounters {
    Counter queries;
    Counter malformed;  // answered FORMERR
    Counter silent;     // too short, or itself a response
    Counter truncated;
    Counter completed;     // a name was found further along the client's search list
    Counter bad_cookies;   // a server cookie was shown that is not believed
    Counter rate_dropped;  // over a rate limit, and not answered
    Counter rate_slipped;  // over a rate limit, and answered cut short
    std::array<Counter, 24> by_rcode;
};

// What was resolved for this very query: it counts even where nothing is kept.
struct Resolved {
    wire::RecursiveQuestion question;
    wire::AgedResponse aged;
};

struct AnswerContext {
    const tree::ZoneSet& zones;
    const AnswerOptions& options;
    Transport transport;
    WallTime now;
    Random& random;
    AnswerCounters& counters;
    IpAddress client = {};
    Recursion* recursion = nullptr;  // null: names outside our zones are refused
    std::span<const Resolved> resolved = {};
    // How long whoever feeds our zones has been silent; 0: nobody feeds them, or all is well.
    Milliseconds silent_for{0};
    // Of the reply, for what the caller puts behind it: the TSIG RR of a message that is signed,
    // and believed.
    std::size_t octets_kept = 0;
    const CookieSecrets* cookies = nullptr;  // null: cookies are ignored
    RateLimiter* rates = nullptr;            // null: no limits
    // What `zones` say of QNAME; nothing: it is looked for.
    std::optional<tree::LookAhead::Found> ahead = {};
};

struct Outcome {
    std::size_t octets = 0;  // written to `reply`; 0: silence
    // Nothing was written: this must be resolved first, and then the query answered again.
    std::unique_ptr<wire::RecursiveQuestion> wanted = {};
};

// REQUIRES: `reply` has room for 512 octets at least.
Outcome answer(std::span<const std::uint8_t> query, const AnswerContext& context,
               std::span<std::uint8_t> reply) noexcept;

}  // namespace dnsd::nameserver
