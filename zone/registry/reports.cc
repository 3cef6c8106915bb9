#include "zone/registry/reports.h"

#include <algorithm>

namespace dnsd::registry {

namespace {

constexpr int slots_per_window = 16;
constexpr std::chrono::seconds between_reconfirmations(1);
constexpr std::uint32_t failures_max = 1'000'000;  // more say no more

}  // namespace

void ReportedFailures::add(std::uint32_t count, SteadyTime now, Milliseconds window) {
    const std::uint32_t before = this->count(now, window);
    count = std::min(count, failures_max - std::min(failures_max, before));
    if (slots_.empty() || slots_.back().begun + window / slots_per_window <= now)
        slots_.push_back({now, 0});
    slots_.back().failures += count;
}

std::uint32_t ReportedFailures::count(SteadyTime now, Milliseconds window) {
    std::erase_if(slots_, [&](const Slot& slot) { return slot.begun + window <= now; });
    std::uint32_t failures = 0;
    for (const Slot& slot : slots_) failures += slot.failures;
    return failures;
}

void ReportedFailures::reconfirmed(SteadyTime now) {
    forget();
    not_before_ = now + between_reconfirmations;
}

bool ReconfirmationBudget::take(SteadyTime now) {
    while (!taken_.empty() && taken_.front() + std::chrono::seconds(1) <= now) taken_.pop_front();
    if (taken_.size() >= per_second_max) return false;
    taken_.push_back(now);
    return true;
}

}  // namespace dnsd::registry
