#include "zone/registry/handed_out.h"

#include <algorithm>

namespace dnsd::registry {

namespace {

// For answers that were on their way when the instance left, and for clocks that round.
constexpr std::chrono::seconds grace(1);

WallTime lapse_of(const tree::Mark& mark) {
    return WallTime(Milliseconds(mark.lapses.load(std::memory_order_relaxed)));
}

void raise(tree::Mark& mark, WallTime to) {
    if (lapse_of(mark) < to) {
        // A worker that answers meanwhile counts a TTL that is in force, which `to` covers.
        mark.lapses.store(to.time_since_epoch().count(), std::memory_order_relaxed);
    }
}

}  // namespace

const Marks& HandedOut::marks_of(const ServiceKey& key) {
    Marks& marks = marks_[key];
    if (tracks_answers_ && !marks.a) {
        for (MarkPointer* mark : {&marks.a, &marks.aaaa, &marks.srv, &marks.own})
            *mark = std::make_shared<tree::Mark>();
    }
    return marks;
}

const Marks* HandedOut::find(const ServiceKey& key) const {
    const auto found = marks_.find(key);
    return found != marks_.end() && found->second.a ? &found->second : nullptr;
}

void HandedOut::assume(const ServiceKey& key, const Lapses& lapses) {
    const Marks& marks = marks_of(key);
    if (!marks.a) return;
    raise(*marks.a, lapses.address);
    raise(*marks.srv, lapses.srv);
}

HandedOut::Lapses HandedOut::lapses(const ServiceKey& key) const {
    const Marks* marks = find(key);
    if (!marks) return {};
    return {std::max({lapse_of(*marks->a), lapse_of(*marks->aaaa), lapse_of(*marks->own)}),
            lapse_of(*marks->srv)};
}

WallTime HandedOut::safe_after(const ServiceKey& key, const TtlsInForce& ttls,
                               WallTime published) const {
    if (!tracks_answers_) return surely_safe_after(key, ttls, published);
    const Lapses last = lapses(key);
    const WallTime through_srv =
        last.srv == WallTime{} ? last.srv : last.srv + std::chrono::seconds(ttls.address());
    return std::max({published, last.address, through_srv}) + grace;
}

WallTime HandedOut::surely_safe_after(const ServiceKey& key, const TtlsInForce& ttls,
                                      WallTime published) const {
    const Lapses last = lapses(key);
    const WallTime address =
        std::max(last.address, published + std::chrono::seconds(ttls.address()));
    const WallTime srv = std::max(last.srv, published + std::chrono::seconds(ttls.srv));
    return std::max(address, srv + std::chrono::seconds(ttls.address())) + grace;
}

std::optional<WallTime> HandedOut::first_answer(const ServiceKey& key) const {
    const Marks* marks = find(key);
    if (!marks) return std::nullopt;
    std::optional<WallTime> first;
    for (const MarkPointer* mark : {&marks->a, &marks->aaaa, &marks->srv, &marks->own}) {
        const std::int64_t at = (*mark)->first_answered.load(std::memory_order_relaxed);
        if (at == 0) continue;
        const WallTime time{Milliseconds(at)};
        if (!first || time < *first) first = time;
    }
    return first;
}

void HandedOut::expect_answer(const ServiceKey& key) {
    if (const Marks* marks = find(key)) {
        for (const MarkPointer* mark : {&marks->a, &marks->aaaa, &marks->srv, &marks->own})
            (*mark)->first_answered.store(0, std::memory_order_relaxed);
    }
}

}  // namespace dnsd::registry
