// Which NOTIFY is due when (RFC 1996): one per zone and peer under way, tried again with growing
// waits, a newer serial in the place of an older one.
// Pure: time and identifiers are arguments, and nothing is sent. Belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "zone/model/types.h"
#include "zone/tree/rrset.h"
#include "zone/wire/name.h"

namespace dnsd::transfer {

// One zone's news for one peer.
struct Notice {
    wire::Name zone;
    model::Peer peer;
    std::shared_ptr<const tree::RRset> soa;  // what the answer section holds
    std::uint16_t id = 0;
    unsigned tries = 0;  // sent so often
};

class NotifyPlan {
  public:
    // After each try; then the notice is given up, and the next change begins anew. RFC 1996 §3.6
    // asks for 60 s and five tries; BIND begins with 15 s. A loopback peer answers within 1 ms.
    static constexpr std::array<Milliseconds, 5> waits = {Milliseconds(1'000), Milliseconds(2'000),
                                                          Milliseconds(4'000), Milliseconds(8'000),
                                                          Milliseconds(15'000)};
    // A peer that has not yet answered is told of a newer serial when it does, or after this long:
    // a zone that changes without end sends no more than the peer takes.
    static constexpr Milliseconds supersedes_after{100};

    // `draw_id` gives a message's id; a peer never has two of one id under way.
    explicit NotifyPlan(std::function<std::uint16_t()> draw_id) : draw_id_(std::move(draw_id)) {}

    // The zone has changed; what comes within `delay` is told together. Peers that are no longer
    // among those named hear no more of it. Of several with one address the first counts.
    void changed(const wire::Name& zone, const std::shared_ptr<const tree::RRset>& soa,
                 const std::vector<model::Peer>& peers, Milliseconds delay, SteadyTime now);
    void forget(const wire::Name& zone);

    struct Due {
        std::vector<Notice> to_send, given_up;
    };
    Due due(SteadyTime now);
    std::optional<SteadyTime> next() const;  // when due() has something to say again

    // The notice under way that a reply with this id from this address is about; null: none. Lives
    // until the next call of another function.
    const Notice* find(const SocketAddress& from, std::uint16_t id) const;
    // It was answered. REQUIRES: find() has it.
    void answered(const SocketAddress& from, std::uint16_t id, SteadyTime now);

    std::size_t size() const noexcept { return tasks_.size(); }

  private:
    struct Task {
        Notice notice;
        bool is_under_way = false;  // sent, and not yet answered
        SteadyTime due{}, sent{};
        std::shared_ptr<const tree::RRset> newer;  // to be told next
        SteadyTime newer_due{};
    };
    using Key = std::pair<wire::Name, SocketAddress>;
    using Tasks = std::map<Key, Task>;

    void set_due(Task& task, SteadyTime due);
    void end_try(Task& task);  // replies to it are no longer awaited
    void send(Task& task, SteadyTime now, Due& out);
    void erase(const Key& key);

    std::function<std::uint16_t()> draw_id_;
    Tasks tasks_;
    std::set<std::pair<SteadyTime, Task*>> by_time_;
    std::map<std::pair<SocketAddress, std::uint16_t>, Task*> under_way_;
};

}  // namespace dnsd::transfer
