#include "dnsd/forward/cache.h"

#include <algorithm>

namespace dnsd::forward {

namespace {

constexpr std::size_t shard_count = 64;  // a power of two, well above the number of cores
// What the list and the index hold for an entry besides the response.
constexpr std::size_t entry_overhead_octets = 96;

std::uint32_t seconds_between(SteadyTime earlier, SteadyTime later) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(later - earlier).count();
    return static_cast<std::uint32_t>(std::clamp<long long>(seconds, 0, UINT32_MAX));
}

}  // namespace

struct Cache::Entry {
    std::shared_ptr<const wire::Response> response;
    std::uint64_t hash;  // of the name
    SteadyTime came, ends;
    SteadyTime recheck{};  // until then it is given though it is stale
    wire::RrType type;
    bool dnssec_ok, checking_disabled;
    bool refreshing = false;  // a prefetch is under way

    wire::Name name() const noexcept { return response->question_name(); }
    bool answers(const wire::RecursiveQuestion& question) const noexcept {
        return type == question.question.type && dnssec_ok == question.dnssec_ok &&
               checking_disabled == question.checking_disabled &&
               response->is_about(question.question.name);
    }
    std::size_t octets() const noexcept {
        return sizeof *this + entry_overhead_octets + response->octets();
    }
};

struct Cache::Shard {
    using Entries = std::list<Entry>;  // the least recently used last

    mutable std::mutex mutex;
    Entries entries;
    std::unordered_multimap<std::uint64_t, Entries::iterator> by_name;
    Totals totals;  // of this shard; all but entries is only ever added to, or is octets

    Entries::iterator find(std::uint64_t hash, const wire::RecursiveQuestion& question) {
        const auto [first, last] = by_name.equal_range(hash);
        for (auto at = first; at != last; ++at) {
            if (at->second->answers(question)) return at->second;
        }
        return entries.end();
    }
    void erase(Entries::iterator entry) {
        const auto [first, last] = by_name.equal_range(entry->hash);
        for (auto at = first; at != last; ++at) {
            if (at->second != entry) continue;
            by_name.erase(at);
            break;
        }
        totals.octets -= entry->octets();
        entries.erase(entry);
    }
    void use(Entries::iterator entry) { entries.splice(entries.begin(), entries, entry); }
};

Cache::Cache(CacheOptions options)
    : options_(options), shards_(std::make_unique<Shard[]>(shard_count)) {}

Cache::~Cache() = default;

Cache::Shard& Cache::shard_of(std::uint64_t hash) const noexcept {
    return shards_[(hash >> 32) & (shard_count - 1)];  // the index uses the lower bits
}

AgedResponse Cache::view(const Entry& entry, SteadyTime now) const {
    AgedResponse aged{.response = entry.response};
    aged.age = seconds_between(entry.came, now);
    if (is_kept_forever()) return aged;
    aged.ttl_lowered = aged.age;
    if (now >= entry.ends) {
        aged.is_stale = true;
        aged.stale_ttl = options_.stale_ttl;
        aged.stale_for = seconds_between(entry.ends, now);
    }
    return aged;
}

Cache::Found Cache::find(const wire::RecursiveQuestion& question, SteadyTime now) {
    const std::uint64_t hash = question.question.name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find(hash, question);
    const bool is_there = entry != shard.entries.end();
    const bool is_fresh = is_there && (is_kept_forever() || now < entry->ends);
    if (!is_fresh && !(is_there && now < entry->recheck)) {
        ++shard.totals.misses;
        return {};
    }
    shard.use(entry);
    ++shard.totals.hits;
    shard.totals.negative_hits += entry->response->is_negative();
    shard.totals.stale_hits += !is_fresh;
    Found found{.aged = view(*entry, now)};
    const auto lifetime = entry->ends - entry->came;
    if (is_fresh && !is_kept_forever() && !entry->refreshing && !entry->response->is_failure() &&
        entry->ends - now < lifetime * options_.prefetch_percent / 100) {
        entry->refreshing = true;
        ++shard.totals.prefetches;
        found.prefetch = true;
    }
    return found;
}

std::optional<AgedResponse> Cache::find_stale(const wire::RecursiveQuestion& question,
                                              SteadyTime now) {
    const std::uint64_t hash = question.question.name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find(hash, question);
    if (entry == shard.entries.end() || entry->response->is_failure()) return std::nullopt;
    // RFC 8767 §4: what was negative tells nothing of now.
    if (now >= entry->ends && (entry->response->is_negative() ||
                               now >= entry->ends + std::chrono::seconds(options_.stale_max))) {
        return std::nullopt;
    }
    return view(*entry, now);
}

void Cache::retry_later(const wire::RecursiveQuestion& question, SteadyTime now) {
    const std::uint64_t hash = question.question.name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    const auto entry = shard.find(hash, question);
    if (entry == shard.entries.end()) return;
    entry->refreshing = false;
    entry->recheck = std::min(now + std::chrono::seconds(options_.stale_recheck),
                              entry->ends + std::chrono::seconds(options_.stale_max));
}

AgedResponse Cache::put(const wire::RecursiveQuestion& question, wire::Response response,
                        SteadyTime now, std::uint64_t epoch) {
    if (!response.is_failure()) {
        const bool clamps = options_.policy == CachePolicy::Clamp;
        const bool raises = clamps && response.lifetime() > 0;
        const std::uint32_t most = response.is_negative()
                                       ? std::min(options_.ttl_max, options_.negative_ttl_max)
                                       : options_.ttl_max;
        response.clamp_ttls(raises ? std::min(options_.ttl_min, most) : 0, most);
    }
    const std::uint32_t lifetime = response.lifetime();
    const auto shared = std::make_shared<const wire::Response>(std::move(response));
    const AgedResponse fresh{.response = shared};
    if (options_.policy == CachePolicy::Off || lifetime == 0) return fresh;

    const std::uint64_t hash = question.question.name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    // Read under the lock that the flush takes after it moved the epoch.
    if (this->epoch() != epoch) return fresh;
    if (const auto old = shard.find(hash, question); old != shard.entries.end()) shard.erase(old);
    shard.entries.push_front({.response = shared,
                              .hash = hash,
                              .came = now,
                              .ends = now + std::chrono::seconds(lifetime),
                              .type = question.question.type,
                              .dnssec_ok = question.dnssec_ok,
                              .checking_disabled = question.checking_disabled});
    shard.by_name.emplace(hash, shard.entries.begin());
    shard.totals.octets += shard.entries.front().octets();
    while (shard.totals.octets > options_.octets_max / shard_count && shard.entries.size() > 1) {
        shard.erase(std::prev(shard.entries.end()));
        ++shard.totals.evictions;
    }
    return fresh;
}

std::size_t Cache::flush(const wire::Name& name, std::optional<wire::RrType> type, bool subtree) {
    epoch_.fetch_add(1, std::memory_order_acq_rel);
    if (subtree) {
        std::size_t flushed = 0;
        for (std::size_t i = 0; i < shard_count; ++i) {
            Shard& shard = shards_[i];
            const std::lock_guard lock(shard.mutex);
            for (auto entry = shard.entries.begin(); entry != shard.entries.end();) {
                const auto here = entry++;
                if ((type && here->type != *type) || !here->name().is_at_or_below(name)) continue;
                shard.erase(here);
                ++shard.totals.flushed;
                ++flushed;
            }
        }
        return flushed;
    }
    const std::uint64_t hash = name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    std::vector<Shard::Entries::iterator> meant;
    const auto [first, last] = shard.by_name.equal_range(hash);
    for (auto at = first; at != last; ++at) {
        if ((!type || at->second->type == *type) && at->second->response->is_about(name))
            meant.push_back(at->second);
    }
    for (const auto entry : meant) shard.erase(entry);
    shard.totals.flushed += meant.size();
    return meant.size();
}

std::vector<Cache::Listed> Cache::list(const wire::Name& name, SteadyTime now) {
    const std::uint64_t hash = name.hash();
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    std::vector<Listed> listed;
    const auto [first, last] = shard.by_name.equal_range(hash);
    for (auto at = first; at != last; ++at) {
        const Entry& entry = *at->second;
        if (!entry.response->is_about(name)) continue;
        listed.push_back({{{entry.name(), entry.type, wire::RrClass::IN},
                           entry.dnssec_ok,
                           entry.checking_disabled},
                          view(entry, now),
                          seconds_between(now, entry.ends)});
    }
    return listed;
}

Cache::Totals Cache::totals() const {
    Totals sum;
    for (std::size_t i = 0; i < shard_count; ++i) {
        const Shard& shard = shards_[i];
        const std::lock_guard lock(shard.mutex);
        sum.entries += shard.entries.size();
        sum.octets += shard.totals.octets;
        sum.hits += shard.totals.hits;
        sum.negative_hits += shard.totals.negative_hits;
        sum.stale_hits += shard.totals.stale_hits;
        sum.misses += shard.totals.misses;
        sum.prefetches += shard.totals.prefetches;
        sum.evictions += shard.totals.evictions;
        sum.flushed += shard.totals.flushed;
    }
    return sum;
}

}  // namespace dnsd::forward
