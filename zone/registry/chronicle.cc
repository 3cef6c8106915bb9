#include "zone/registry/chronicle.h"

namespace dnsd::registry {

namespace {

// Names that nobody asks for must not be remembered for ever.
constexpr std::size_t services_awaiting_max = 10'000;
constexpr std::chrono::seconds patience(60);

double seconds(WallTime from, WallTime to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Histogram Chronicle::stage() {
    return Histogram(
        {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60});
}

void Chronicle::published(const model::Event& event) {
    const model::Times& times = event.times;
    if (times.detected) detected_to_submitted_.observe(seconds(*times.detected, times.submitted));
    submitted_to_committed_.observe(seconds(times.submitted, times.committed));
    committed_to_published_.observe(seconds(times.committed, *times.published));
    unwritten_.emplace_back(event.revision, times);
    if (event.service.empty() || event.dns_names.empty()) return;
    const ServiceKey key{event.namespace_name, event.service};
    if (awaiting_.size() >= services_awaiting_max && !awaiting_.contains(key)) return;
    std::vector<Entry>& entries = awaiting_[key];
    if (!entries.empty() && entries.front().times.published != times.published) entries.clear();
    entries.push_back({event.revision, times});
}

void Chronicle::look(const HandedOut& handed_out, const ServiceKey& key) {
    const auto found = awaiting_.find(key);
    const auto first = found == awaiting_.end() ? std::nullopt : handed_out.first_answer(key);
    if (!first || *first < *found->second.front().times.published) return;
    for (Entry& entry : found->second) {
        entry.times.first_answered = first;
        published_to_answered_.observe(seconds(*entry.times.published, *first));
        unwritten_.emplace_back(entry.revision, entry.times);
    }
    awaiting_.erase(found);
}

void Chronicle::look_at_all(const HandedOut& handed_out, WallTime now) {
    for (auto at = awaiting_.begin(); at != awaiting_.end();) {
        const auto one = at++;
        const bool is_over = *one->second.front().times.published + patience < now;
        const ServiceKey key = one->first;
        look(handed_out, key);
        if (is_over) awaiting_.erase(key);
    }
}

Result<> Chronicle::write(store::Store& store) const {
    for (const auto& [revision, times] : unwritten_) {
        if (auto set = store.set_times(revision, times); !set) return set;
    }
    return {};
}

Metric Chronicle::metric() const {
    return {.name = "dnsd_propagation_seconds",
            .help = "The clocks of each change, each counted from the one before",
            .kind = Metric::Kind::Histogram,
            .samples = {detected_to_submitted_.sample({{"stage", "submitted"}}),
                        submitted_to_committed_.sample({{"stage", "committed"}}),
                        committed_to_published_.sample({{"stage", "published"}}),
                        published_to_answered_.sample({{"stage", "first_answered"}})},
            .bounds = detected_to_submitted_.bounds()};
}

}  // namespace dnsd::registry
