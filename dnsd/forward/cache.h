// Responses of upstreams, kept for as long as their TTLs say (RFC 1035 §7.4, RFC 2308, RFC 8767).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "zone/wire/response.h"

namespace dnsd::forward {

enum class CachePolicy : std::uint8_t {
    Honour,  // TTLs as they came
    Clamp,   // TTLs between ttl_min and ttl_max
    Pin,     // kept until it is flushed or evicted, whatever its TTL: what many clients do
    Off,     // nothing is kept
};

struct CacheOptions {
    CachePolicy policy = CachePolicy::Honour;
    std::size_t octets_max = 64 * 1024 * 1024;
    std::uint32_t ttl_min = 0, ttl_max = 86'400;  // seconds, for Clamp; ttl_max bounds Honour too
    std::uint32_t negative_ttl_max = 3'600;       // seconds
    std::uint32_t stale_max = 86'400;             // seconds after its end; 0: never stale
    std::uint32_t stale_ttl = 30;                 // what stale answers carry (RFC 8767 §4)
    std::uint32_t stale_recheck = 30;             // seconds between tries while upstreams fail
    unsigned prefetch_percent = 10;               // of its lifetime, at the end; 0: off
};

using wire::AgedResponse;

// All threads may use it at once: a worker that found its answer here need not ask another thread.
// A shard has a mutex, held for a search and a copied pointer. Full, it forgets what was used least
// recently.
class Cache {
  public:
    struct Entry;
    // What was found, and what should be done about it.
    struct Found {
        std::optional<AgedResponse> aged;  // nothing: ask upstreams
        bool prefetch = false;  // it is near its end: ask, once, though it may be answered
    };

    explicit Cache(CacheOptions options);
    ~Cache();

    Found find(const wire::RecursiveQuestion& question, SteadyTime now);
    // As find(), but of the past too: what may be answered when upstreams fail. Counts as no hit.
    std::optional<AgedResponse> find_stale(const wire::RecursiveQuestion& question, SteadyTime now);
    // Upstreams failed: for `stale_recheck` find() gives what is stale at once.
    void retry_later(const wire::RecursiveQuestion& question, SteadyTime now);

    // Every flush begins a new epoch: what was asked for in an older one may be what was flushed,
    // and is not kept. Returns what may be answered.
    std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }
    AgedResponse put(const wire::RecursiveQuestion& question, wire::Response response,
                     SteadyTime now, std::uint64_t epoch);

    // Forgets a name, or all names at and below it; one type, or all. How many it forgot.
    std::size_t flush(const wire::Name& name, std::optional<wire::RrType> type, bool subtree);

    struct Listed {
        wire::RecursiveQuestion question;
        AgedResponse aged;
        std::uint32_t left = 0;  // seconds
    };
    std::vector<Listed> list(const wire::Name& name, SteadyTime now);

    struct Totals {
        std::uint64_t entries = 0, octets = 0;
        std::uint64_t hits = 0, negative_hits = 0, stale_hits = 0, misses = 0;
        std::uint64_t prefetches = 0, evictions = 0, flushed = 0;
    };
    Totals totals() const;

  private:
    struct Shard;
    Shard& shard_of(std::uint64_t hash) const noexcept;
    bool is_kept_forever() const noexcept { return options_.policy == CachePolicy::Pin; }
    AgedResponse view(const Entry& entry, SteadyTime now) const;

    const CacheOptions options_;
    std::atomic<std::uint64_t> epoch_{1};
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace dnsd::forward
