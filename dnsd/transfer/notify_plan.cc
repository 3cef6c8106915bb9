#include "dnsd/transfer/notify_plan.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace dnsd::transfer {

void NotifyPlan::set_due(Task& task, SteadyTime due) {
    by_time_.erase({task.due, &task});
    task.due = due;
    by_time_.insert({due, &task});
}

void NotifyPlan::end_try(Task& task) {
    if (!task.is_under_way) return;
    under_way_.erase({task.notice.peer.address, task.notice.id});
    task.is_under_way = false;
    task.notice.tries = 0;
}

void NotifyPlan::erase(const Key& key) {
    const auto at = tasks_.find(key);
    end_try(at->second);
    by_time_.erase({at->second.due, &at->second});
    tasks_.erase(at);
}

void NotifyPlan::changed(const wire::Name& zone, const std::shared_ptr<const tree::RRset>& soa,
                         const std::vector<model::Peer>& peers, Milliseconds delay,
                         SteadyTime now) {
    std::vector<Key> gone;
    for (auto at = tasks_.lower_bound({zone, SocketAddress{}});
         at != tasks_.end() && at->first.first == zone; ++at) {
        const bool is_named =
            std::ranges::count(peers, at->first.second, &model::Peer::address) > 0;
        if (!is_named) gone.push_back(at->first);
    }
    for (const Key& key : gone) erase(key);

    for (auto peer = peers.begin(); peer != peers.end(); ++peer) {
        if (std::find_if(peers.begin(), peer, [&](const model::Peer& earlier) {
                return earlier.address == peer->address;
            }) != peer)
            continue;
        const auto [at, is_new] = tasks_.try_emplace({zone, peer->address});
        Task& task = at->second;
        if (task.is_under_way) {
            if (!task.newer) task.newer_due = now + delay;
            task.newer = soa;
            task.notice.peer = *peer;  // its key may be another now
            const SteadyTime at_the_latest = std::max(task.newer_due, task.sent + supersedes_after);
            if (at_the_latest < task.due) set_due(task, at_the_latest);
            continue;
        }
        task.notice = {zone, *peer, soa, 0, 0};
        set_due(task, is_new ? now + delay : std::min(task.due, now + delay));
    }
}

void NotifyPlan::forget(const wire::Name& zone) {
    for (auto at = tasks_.lower_bound({zone, SocketAddress{}});
         at != tasks_.end() && at->first.first == zone;) {
        const Key key = (at++)->first;
        erase(key);
    }
}

void NotifyPlan::send(Task& task, SteadyTime now, Due& out) {
    Notice& notice = task.notice;
    if (!task.is_under_way) {
        do notice.id = draw_id_();
        while (!under_way_.try_emplace({notice.peer.address, notice.id}, &task).second);
        task.is_under_way = true;
    }
    task.sent = now;
    set_due(task, now + waits[notice.tries++]);
    out.to_send.push_back(notice);
}

NotifyPlan::Due NotifyPlan::due(SteadyTime now) {
    Due out;
    while (!by_time_.empty() && by_time_.begin()->first <= now) {
        Task& task = *by_time_.begin()->second;
        if (task.newer) {
            end_try(task);
            task.notice.soa = std::exchange(task.newer, nullptr);
        }
        if (task.notice.tries == waits.size()) {
            out.given_up.push_back(task.notice);
            erase({task.notice.zone, task.notice.peer.address});
            continue;
        }
        send(task, now, out);
    }
    return out;
}

std::optional<SteadyTime> NotifyPlan::next() const {
    if (by_time_.empty()) return std::nullopt;
    return by_time_.begin()->first;
}

const Notice* NotifyPlan::find(const SocketAddress& from, std::uint16_t id) const {
    const auto at = under_way_.find({from, id});
    return at == under_way_.end() ? nullptr : &at->second->notice;
}

void NotifyPlan::answered(const SocketAddress& from, std::uint16_t id, SteadyTime now) {
    const auto at = under_way_.find({from, id});
    DNSD_ASSERT(at != under_way_.end());
    Task& task = *at->second;
    if (!task.newer) return erase({task.notice.zone, task.notice.peer.address});
    end_try(task);
    task.notice.soa = std::exchange(task.newer, nullptr);
    set_due(task, std::max(now, task.newer_due));
}

}  // namespace dnsd::transfer
