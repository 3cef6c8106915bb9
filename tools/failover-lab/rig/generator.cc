#include "tools/failover-lab/rig/generator.h"

#include <fmt/format.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <random>

#include "base/io/handle.h"
#include "base/io/tcp.h"
#include "tools/failover-lab/rig/client_connection.h"
#include "tools/failover-lab/rig/seconds.h"
#include "tools/failover-lab/rig/service.h"

namespace dnsd::lab {
namespace {

std::uint32_t microseconds(SteadyTime::duration time) {
    return static_cast<std::uint32_t>(std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
}

}  // namespace

struct Generator::State {
    // A request under way.
    struct Flight {
        std::size_t number;  // in the log
        SteadyTime intended, deadline;
        std::vector<SocketAddress> candidates, tried;
        bool resolved = false;                    // the candidates are what a source said
        Outcome last_outcome = Outcome::Timeout;  // of the try before
        std::unique_ptr<io::Timer> overdue;       // of all of it, while no connection has its own
        std::unique_ptr<ClientConnection> wire;
    };
    // A client with its connections.
    struct Client {
        explicit Client(AddressSource* own_source) : source(own_source) {}
        AddressSource* source;
        std::size_t turn = 0;                                // of round robin
        std::deque<std::unique_ptr<ClientConnection>> idle;  // the longest idle first
        std::int64_t made = 0;              // connections that there are, busy ones too
        std::deque<std::uint64_t> waiting;  // flights that wait for a connection
    };

    State(io::Loop& own_loop, const Setting& own_setting, std::vector<AddressSource*> sources,
          std::uint64_t seed, std::function<void(int)> when_dead)
        : loop(own_loop),
          setting(own_setting),
          on_dead(std::move(when_dead)),
          dice(seed),
          clock(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
          tick(loop, clock.number(), [this](unsigned) { on_tick(); }) {
        for (AddressSource* source : sources) clients.emplace_back(source);
        const bool keeps = setting.connections != "new";
        request = fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nConnection: {}\r\n\r\n",
                              asked_name(setting), keeps ? "keep-alive" : "close");
    }

    SteadyTime due(std::size_t number) const {
        return zero + nanoseconds_of(static_cast<double>(number) / setting.rate);
    }

    void arm() {
        const auto since = due(log.size()).time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
        itimerspec when{};
        when.it_value.tv_sec = seconds.count();
        when.it_value.tv_nsec = (since - seconds).count();
        ::timerfd_settime(clock.number(), TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void on_tick() {
        std::uint64_t expirations;
        (void)!::read(clock.number(), &expirations, sizeof expirations);
        while (due(log.size()) <= machine_clock().steady()) {
            if (due(log.size()).time_since_epoch().count() >= end_ns) {
                tick.watch(0);
                ended = true;
                return look_whether_done();
            }
            begin();
        }
        arm();
    }

    void begin() {
        const std::size_t number = log.size();
        const SteadyTime intended = due(number);
        Request& entry = log.emplace_back();
        entry.intended_us = microseconds(intended - zero);
        entry.lag_us = microseconds(machine_clock().steady() - intended);
        entry.client = static_cast<std::uint8_t>(number % clients.size());
        const std::uint64_t key = ++last_flight;
        Flight& flight = flights[key];
        flight.number = number;
        flight.intended = intended;
        flight.deadline = intended + nanoseconds_of(setting.deadline_seconds());
        flight.overdue = std::make_unique<io::Timer>(loop, [this, key] {
            finish(key, waits_for_connection(key) ? Outcome::Timeout : Outcome::NoAnswer,
                   Request::none);
        });
        flight.overdue->start(time_until(flight.deadline));
        if (setting.connections == "new") return resolve(key);
        take_connection(key);
    }

    Client& client_of(const Flight& flight) { return clients[log[flight.number].client]; }

    bool waits_for_connection(std::uint64_t key) {
        const Flight& flight = flights.at(key);
        const auto& waiting = client_of(flight).waiting;
        return std::ranges::find(waiting, key) != waiting.end();
    }

    // A new one until the pool is full, then the one that is idle for longest, or the next that
    // gets free: all of them are in use, as under a load that needs them.
    void take_connection(std::uint64_t key) {
        Flight& flight = flights.at(key);
        Client& client = client_of(flight);
        if (client.made < setting.pool) {
            ++client.made;
            return resolve(key);
        }
        while (!client.idle.empty()) {
            std::unique_ptr<ClientConnection> wire = std::move(client.idle.front());
            client.idle.pop_front();
            if (is_too_old(*wire)) {
                --client.made;
                continue;
            }
            return talk(key, std::move(wire));
        }
        if (client.made >= setting.pool) return client.waiting.push_back(key);
        ++client.made;  // in the place of one that was too old
        resolve(key);
    }

    bool is_too_old(const ClientConnection& wire) {
        if (setting.connections != "maxage") return false;
        return machine_clock().steady() - wire.made() > nanoseconds_of(setting.max_age);
    }

    void resolve(std::uint64_t key) {
        client_of(flights.at(key)).source->resolve([this, key](const Addresses& addresses) {
            const auto found = flights.find(key);
            if (found == flights.end()) return;  // it was too late
            Flight& flight = found->second;
            if (!addresses.answered) return drop_connection(key, Outcome::NoAnswer);
            for (const SocketAddress& address : addresses.list) offered(address);
            flight.candidates = addresses.list;
            flight.resolved = true;
            // Whatever order they came in: turns are taken by address.
            if (setting.balance != "first") std::ranges::sort(flight.candidates);
            connect(key);
        });
    }

    void offered(const SocketAddress& address) {
        const std::uint8_t instance = instance_at(address);
        if (instance == Request::none) return;
        last_offered[instance] = machine_clock().steady().time_since_epoch().count();
    }

    // An address that was not tried yet, as the balance has it.
    std::optional<SocketAddress> choose(std::uint64_t key) {
        const Flight& flight = flights.at(key);
        std::vector<SocketAddress> left;
        for (const SocketAddress& address : flight.candidates) {
            if (std::ranges::find(flight.tried, address) == flight.tried.end()) {
                left.push_back(address);
            }
        }
        if (left.empty()) return std::nullopt;
        if (setting.balance == "first") return left.front();
        if (setting.balance == "random") return left[dice() % left.size()];
        return left[client_of(flight).turn++ % left.size()];
    }

    void connect(std::uint64_t key) {
        const auto address = choose(key);
        if (!address) {
            const Flight& flight = flights.at(key);
            return drop_connection(key,
                                   flight.tried.empty() ? Outcome::NoAddress : flight.last_outcome);
        }
        // The first connections begin at different ages, so that they do not all end together.
        SteadyTime made = machine_clock().steady();
        if (setting.connections == "maxage" && aged < setting.pool * std::ssize(clients)) {
            made -= nanoseconds_of(setting.max_age * static_cast<double>(aged) /
                                   static_cast<double>(setting.pool * std::ssize(clients)));
            ++aged;
        }
        talk(key, std::make_unique<ClientConnection>(loop, *address, made));
    }

    void talk(std::uint64_t key, std::unique_ptr<ClientConnection> wire) {
        Flight& flight = flights.at(key);
        flight.overdue->stop();
        flight.tried.push_back(wire->address());
        ++log[flight.number].tries;
        // Where the proxy is who tries again, it has all the time that there is.
        SteadyTime try_end = flight.deadline;
        if (setting.client_retries > 0) {
            try_end =
                std::min(try_end, machine_clock().steady() + nanoseconds_of(setting.try_seconds()));
        }
        flight.wire = std::move(wire);
        flight.wire->exchange(request, try_end,
                              [this, key](Outcome outcome, std::uint8_t instance) {
                                  exchanged(key, outcome, instance);
                              });
    }

    void exchanged(std::uint64_t key, Outcome outcome, std::uint8_t instance) {
        Flight& flight = flights.at(key);
        log[flight.number].instance = instance;
        const bool reached = outcome == Outcome::Ok || outcome == Outcome::HttpError;
        if (reached) {
            give_back(flight);
            return finish(key, outcome, instance);
        }
        const std::uint8_t at = instance_at(flight.wire->address());
        if (at != Request::none && on_dead) on_dead(at);
        bury(std::move(flight.wire));
        const Request& entry = log[flight.number];
        const bool may_try_again =
            entry.tries <= setting.client_retries && machine_clock().steady() < flight.deadline;
        if (!may_try_again) return drop_connection(key, outcome);
        flight.last_outcome = outcome;
        flight.overdue->start(time_until(flight.deadline));
        if (flight.resolved) return connect(key);
        resolve(key);  // it was one of those that the client kept
    }

    // The flight's own connection has failed, or there is none to be had.
    void drop_connection(std::uint64_t key, Outcome outcome) {
        if (setting.connections != "new") {
            Client& client = client_of(flights.at(key));
            --client.made;
            serve_waiting(client);
        }
        finish(key, outcome, log[flights.at(key).number].instance);
    }

    void give_back(Flight& flight) {
        Client& client = client_of(flight);
        std::unique_ptr<ClientConnection> wire = std::move(flight.wire);
        if (setting.connections == "new") return bury(std::move(wire));
        if (!wire->keeps_alive() || is_too_old(*wire)) {
            --client.made;
            bury(std::move(wire));
        } else {
            ClientConnection* idle = wire.get();
            idle->watch_idle([this, &client, idle] { closed_while_idle(client, idle); });
            client.idle.push_back(std::move(wire));
        }
        serve_waiting(client);
    }

    void serve_waiting(Client& client) {
        if (client.waiting.empty() || (client.idle.empty() && client.made >= setting.pool)) return;
        const std::uint64_t key = client.waiting.front();
        client.waiting.pop_front();
        take_connection(key);
    }

    void closed_while_idle(Client& client, ClientConnection* wire) {
        const auto found =
            std::ranges::find(client.idle, wire, &std::unique_ptr<ClientConnection>::get);
        if (found == client.idle.end()) return;
        bury(std::move(*found));
        client.idle.erase(found);
        --client.made;
    }

    // What a callback may be running in goes when the loop turns.
    void bury(std::unique_ptr<ClientConnection> wire) {
        graves.push_back(std::move(wire));
        gravedigger.start(Milliseconds(0));
    }

    void finish(std::uint64_t key, Outcome outcome, std::uint8_t instance) {
        const auto found = flights.find(key);
        Flight& flight = found->second;
        Client& client = client_of(flight);
        std::erase(client.waiting, key);
        Request& entry = log[flight.number];
        entry.latency_us = microseconds(machine_clock().steady() - flight.intended);
        entry.outcome = outcome;
        entry.instance = instance;
        flights.erase(found);
        look_whether_done();
    }

    void look_whether_done() {
        if (ended && flights.empty() && done) io::call(done);
    }

    io::Loop& loop;
    Setting setting;
    std::function<void(int)> on_dead;
    std::mt19937_64 dice;
    std::string request;
    std::deque<Client> clients;
    std::map<std::uint64_t, Flight> flights;
    std::uint64_t last_flight = 0;
    std::int64_t aged = 0;  // connections that were given an age to begin with
    std::vector<Request> log;
    std::array<std::atomic<std::int64_t>, 256> last_offered{};
    SteadyTime zero{};
    std::atomic<std::int64_t> end_ns = std::numeric_limits<std::int64_t>::max();
    bool ended = false;
    std::function<void()> done;
    std::vector<std::unique_ptr<ClientConnection>> graves;
    io::Timer gravedigger{loop, [this] { graves.clear(); }};
    io::Descriptor clock;
    io::Poll tick;
};

Generator::Generator(io::Loop& loop, const Setting& setting, std::vector<AddressSource*> sources,
                     std::uint64_t seed, std::function<void(int)> on_dead)
    : state_(std::make_unique<State>(loop, setting, std::move(sources), seed, std::move(on_dead))) {
}

Generator::~Generator() = default;

void Generator::start(SteadyTime zero) {
    state_->zero = zero;
    state_->tick.watch(io::Poll::Readable);
    state_->arm();
}

void Generator::end_at(SteadyTime end) noexcept { state_->end_ns = end.time_since_epoch().count(); }
void Generator::when_done(std::function<void()> done) { state_->done = std::move(done); }
const std::vector<Request>& Generator::log() const noexcept { return state_->log; }

std::optional<SteadyTime> Generator::last_offered(int instance) const noexcept {
    const std::int64_t value = state_->last_offered[static_cast<std::size_t>(instance)];
    if (value == 0) return std::nullopt;
    return SteadyTime(std::chrono::nanoseconds(value));
}

}  // namespace dnsd::lab
