// The connections that clients keep, as the generator keeps them. A part of the model; what is left
// to chance in it is drawn from its seed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "tools/failover-lab/model/fate.h"

namespace dnsd::lab {

class Pool {
  public:
    // Full, with connections to each of `mask` in turn, from the `turn`th on. Without connections
    // that are kept, or where they lead to a proxy, it is not used.
    Pool(const Setting& setting, const Clocks& clocks, Mask mask, double fault, int turn);

    bool is_used() const noexcept { return !clients_.empty(); }

    // What a request begins with.
    struct Start {
        enum class Kind {
            Kept,     // a connection to `instance`
            New,      // one is to be made, wherever the view leads
            Waiting,  // all are taken, until `free`
        };
        Kind kind = Kind::New;
        int instance = 0;
        double free = 0;
    };
    // It is what the request's client does next: settled by give_back() or give_up(), unless it
    // waits.
    Start take(std::int64_t request, double time, const std::vector<Condition>& conditions);
    // A new connection goes to one of `mask`, which is not empty.
    int choose(std::int64_t request, Mask mask);
    // How it went: the connection is kept, or is not, or one that a retry made is kept instead.
    void give_back(std::int64_t request, double time, int instance, const Fate& fate, Mask mask,
                   const std::vector<Condition>& conditions);
    void give_up(std::int64_t request);  // there was nowhere to go

  private:
    struct Connection {
        int instance;
        double made;
    };
    struct Pending {
        double until;
        int instance;  // -1: it ends
    };
    struct Client {
        std::deque<Connection> idle;
        std::vector<Pending> pending;
        std::int64_t made = 0;
        std::uint64_t turn = 0;
    };

    Client& client_of(std::int64_t request) {
        return clients_[static_cast<std::size_t>(request) % clients_.size()];
    }
    void settle(Client& client, double time, const std::vector<Condition>& conditions);

    const Setting& setting_;
    std::vector<Client> clients_;
    double age_max_ = never;
    std::mt19937_64 dice_;
};

}  // namespace dnsd::lab
