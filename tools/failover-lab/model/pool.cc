#include "tools/failover-lab/model/pool.h"

#include <algorithm>
#include <bit>

namespace dnsd::lab {
namespace {

std::vector<int> members_of(Mask mask) {
    std::vector<int> members;
    for (Mask left = mask; left != 0; left &= left - 1) members.push_back(std::countr_zero(left));
    return members;
}

}  // namespace

Pool::Pool(const Setting& setting, const Clocks& clocks, Mask mask, double fault, int turn)
    : setting_(setting), dice_(static_cast<std::uint64_t>(turn)) {
    if (setting.connections == "new" || clocks.through_proxy || mask == 0) return;
    if (setting.connections == "maxage") age_max_ = setting.max_age;
    clients_.resize(static_cast<std::size_t>(setting.clients));
    const auto total = static_cast<double>(setting.pool * setting.clients);
    double age = 0;
    for (Client& client : clients_) {
        client.turn = static_cast<std::uint64_t>(turn);
        for (client.made = 0; client.made < setting.pool; ++client.made) {
            const int instance = choose(&client - clients_.data(), mask);
            client.idle.push_back({instance, fault - setting.max_age * age / total});
            age += 1;
        }
        // The oldest is the next to be used, as it was when they were made one after another.
        std::ranges::reverse(client.idle);
    }
}

Pool::Start Pool::take(std::int64_t request, double time,
                       const std::vector<Condition>& conditions) {
    Client& client = client_of(request);
    settle(client, time, conditions);
    if (client.made < setting_.pool) {
        ++client.made;
        return {Start::Kind::New, 0, 0};
    }
    if (client.idle.empty()) {
        double free = never;
        for (const Pending& pending : client.pending) free = std::min(free, pending.until);
        return {Start::Kind::Waiting, 0, free};
    }
    const Connection connection = client.idle.front();
    client.idle.pop_front();
    return {Start::Kind::Kept, connection.instance, 0};
}

// What ended by `time`: tries, connections to whoever died, and those of a certain age.
void Pool::settle(Client& client, double time, const std::vector<Condition>& conditions) {
    std::erase_if(client.pending, [&](const Pending& pending) {
        if (pending.until > time) return false;
        if (pending.instance < 0) {
            --client.made;
        } else {
            client.idle.push_back({pending.instance, pending.until});
        }
        return true;
    });
    client.made -=
        static_cast<std::int64_t>(std::erase_if(client.idle, [&](const Connection& idle) {
            const Condition condition = conditions[static_cast<std::size_t>(idle.instance)];
            return condition == Condition::Refuse || time - idle.made > age_max_;
        }));
}

int Pool::choose(std::int64_t request, Mask mask) {
    const auto members = members_of(mask);
    const std::uint64_t number =
        setting_.balance == "roundrobin" ? client_of(request).turn++ : dice_();
    return members[number % members.size()];
}

void Pool::give_back(std::int64_t request, double time, int instance, const Fate& fate, Mask mask,
                     const std::vector<Condition>& conditions) {
    Client& client = client_of(request);
    const Condition condition = conditions[static_cast<std::size_t>(instance)];
    if (fate.first_fails <= 0 || condition == Condition::Gray) {
        const double until = condition == Condition::Slow ? time + slow_seconds : time;
        client.pending.push_back({until, instance});
        return;
    }
    const bool refused = condition == Condition::Refuse;
    const double until = refused ? time : time + setting_.try_seconds();
    // The retry went to one that is well, if it succeeded at all.
    Mask well = 0;
    for (const int other : members_of(mask & ~mask_of(instance))) {
        if (conditions[static_cast<std::size_t>(other)] == Condition::Well) well |= mask_of(other);
    }
    const bool is_replaced = fate.failed < 0.5 && well != 0;
    client.pending.push_back({until, is_replaced ? choose(request, well) : -1});
}

void Pool::give_up(std::int64_t request) { --client_of(request).made; }

}  // namespace dnsd::lab
