#include "dnsd/transfer/secondary_timers.h"

#include <algorithm>
#include <chrono>

#include "zone/wire/reader.h"

namespace dnsd::transfer {

namespace {

using std::chrono::seconds;

constexpr Milliseconds interval_min = seconds(1);
constexpr Milliseconds interval_max = std::chrono::days(1);
constexpr Milliseconds first_retry_max = std::chrono::minutes(1);
constexpr unsigned doublings_max = 6;  // 64 s: beyond the maximum

Milliseconds spread(Milliseconds interval, Random& random) noexcept {
    const auto tenth = static_cast<std::uint32_t>(interval.count() / 10);
    return interval - Milliseconds(draw_below(random, tenth + 1));
}

Milliseconds bounded(std::uint32_t interval, Random& random) noexcept {
    return std::max(
        interval_min,
        spread(std::clamp(Milliseconds(seconds(interval)), interval_min, interval_max), random));
}

}  // namespace

std::optional<SoaTimers> soa_timers(const tree::Zone& zone) noexcept {
    const tree::RRset* soa = zone.soa();
    if (soa == nullptr || soa->size() != 1) return std::nullopt;
    wire::Reader reader(soa->rdata(0));
    reader.name();
    reader.name();
    SoaTimers timers;
    timers.serial = reader.u32();
    timers.refresh = reader.u32();
    timers.retry = reader.u32();
    timers.expire = reader.u32();
    if (!reader.ok()) return std::nullopt;
    return timers;
}

Milliseconds refresh_after(const SoaTimers& timers, Random& random) noexcept {
    return bounded(timers.refresh, random);
}

Milliseconds retry_after(const SoaTimers& timers, Random& random) noexcept {
    return bounded(timers.retry, random);
}

Milliseconds first_retry_after(unsigned failures, Random& random) noexcept {
    const Milliseconds doubled = interval_min * (1U << std::min(failures - 1, doublings_max));
    return spread(std::min(doubled, first_retry_max), random);
}

WallTime expires_at(const SoaTimers& timers, WallTime refreshed) noexcept {
    return refreshed + std::max(interval_min, Milliseconds(seconds(timers.expire)));
}

}  // namespace dnsd::transfer
