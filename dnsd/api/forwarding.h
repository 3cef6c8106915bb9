// What the API shows of names that are not ours, and what it can have forgotten. The daemon brings
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "zone/wire/response.h"

namespace dnsd::api {

struct CachedAnswer {
    wire::RecursiveQuestion question;
    wire::AgedResponse aged;
    std::uint32_t left = 0;  // seconds of its life
};

struct CacheTotals {
    std::uint64_t entries = 0, octets = 0, hits = 0, stale_hits = 0, misses = 0, evictions = 0;
};

struct UpstreamStatus {
    wire::Name domain;
    SocketAddress address;
    bool is_well = true, keeps_case = true;
    Milliseconds latency{0};
    std::uint64_t queries = 0, failures = 0;
};

// Any thread may call them.
struct Forwarding {
    std::function<std::vector<CachedAnswer>(const wire::Name&)> list;
    // How many answers it forgot.
    std::function<std::size_t(const wire::Name&, std::optional<wire::RrType>, bool subtree)> flush;
    std::function<CacheTotals()> totals;
    std::function<std::vector<UpstreamStatus>()> upstreams;
};

}  // namespace dnsd::api
