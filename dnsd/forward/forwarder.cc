#include "dnsd/forward/forwarder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/assert.h"
#include "base/counters.h"
#include "base/histogram.h"
#include "base/io/mailbox.h"
#include "base/log.h"

namespace dnsd::forward {

namespace {

using wire::ExtendedError;
using wire::RecursiveQuestion;
using wire::Response;

struct QuestionHash {
    std::size_t operator()(const RecursiveQuestion& asked) const noexcept {
        return asked.question.name.hash() ^ static_cast<std::size_t>(asked.question.type) << 2 ^
               static_cast<std::size_t>(asked.dnssec_ok) << 1 ^
               static_cast<std::size_t>(asked.checking_disabled);
    }
};

// One question under way.
struct Fetch {
    RecursiveQuestion question;
    std::vector<Forwarder::Done> waiting;
    std::vector<const Upstream*> tried;
    unsigned tries = 0, open = 0;  // begun, and not yet ended
    std::uint64_t epoch = 0;       // of the cache, when it began
    std::string last_failure;
    bool was_refused = false;               // an upstream answered, but not the question
    std::unique_ptr<io::Timer> impatience;  // the upstream takes long: ask another as well
    std::unique_ptr<io::Timer> staleness;   // waiting clients get what is stale
    std::optional<AgedResponse> stale;
};

struct Counters {
    Counter asked, coalesced, answered, failed, refused_full, refused_client, stale_answers;
};

class RealForwarder final : public Forwarder {
  public:
    RealForwarder(Options options, const Clock& clock)
        : options_(std::move(options)),
          clock_(clock),
          cache_(options_.cache),
          mailbox_(loop_, 2 * options_.in_flight_max + 16) {
        take_routes(options_.routes);
        publish_states();
        publishing_.repeat(Milliseconds(250));
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~RealForwarder() override {
        while (!mailbox_.post([this] { loop_.stop(); })) std::this_thread::yield();
        thread_.join();
        is_ending_ = true;
        upstreams_.clear();
        for (const auto& fetch : all_fetches()) finish_failed(fetch, "stopping");
    }

    std::optional<AgedResponse> find(const RecursiveQuestion& question) override;
    void resolve(const RecursiveQuestion& question, const IpAddress& client, Done done) override;
    void set_routes(std::vector<Route> routes) override;
    bool has_upstreams() const noexcept override {
        return has_upstreams_.load(std::memory_order_relaxed);
    }
    Cache& cache() noexcept override { return cache_; }
    std::vector<Listed> upstreams() const override {
        const std::lock_guard lock(states_mutex_);
        return states_;
    }
    std::vector<Metric> metrics() const override;

  private:
    using FetchPointer = std::shared_ptr<Fetch>;

    void start(const RecursiveQuestion& question, const std::optional<IpAddress>& client,
               Done done);
    void try_next(const FetchPointer& fetch);
    void finish(const FetchPointer& fetch, const AgedResponse& aged);
    void finish_failed(const FetchPointer& fetch, const std::string& why);
    void give_stale(const FetchPointer& fetch);
    bool is_under_way(const FetchPointer& fetch) const;
    std::vector<FetchPointer> all_fetches() const;
    const Route* route_for(const wire::Name& name) const;
    Upstream* choose(const Fetch& fetch, const Route& route);
    void take_routes(std::vector<Route> routes);
    void publish_states();

    const Options options_;
    const Clock& clock_;
    Cache cache_;
    Counters counters_;  // the loop's thread's
    std::atomic<std::uint64_t> refused_at_the_door_{0};
    std::atomic<bool> has_upstreams_{false};

    io::Loop loop_;
    io::Mailbox mailbox_;
    // The loop's thread's from here on.
    Secrets secrets_;
    std::vector<Route> routes_;
    std::map<SocketAddress, std::unique_ptr<Upstream>> upstreams_;
    std::unordered_map<RecursiveQuestion, FetchPointer, QuestionHash> fetches_;
    std::map<IpAddress, std::size_t> per_client_;
    std::size_t waiting_ = 0;
    bool is_ending_ = false;
    io::Timer publishing_{loop_, [this] { publish_states(); }};

    mutable std::mutex states_mutex_;  // guards states_, which others read
    std::vector<Listed> states_;
    std::thread thread_;
};

std::optional<AgedResponse> RealForwarder::find(const RecursiveQuestion& question) {
    Cache::Found found = cache_.find(question, clock_.steady());
    if (found.prefetch) {
        // A full mailbox loses nothing but this: the next one asks when it has ended.
        std::ignore = mailbox_.post([this, question] { start(question, std::nullopt, nullptr); });
    }
    return found.aged;
}

void RealForwarder::resolve(const RecursiveQuestion& question, const IpAddress& client, Done done) {
    const auto shared = std::make_shared<Done>(std::move(done));
    const bool is_taken = mailbox_.post(
        [this, question, client, shared] { start(question, client, std::move(*shared)); });
    if (is_taken) return;
    refused_at_the_door_.fetch_add(1, std::memory_order_relaxed);
    (*shared)({.response = std::make_shared<const Response>(Response::failure(
                   question.question, wire::Rcode::ServFail, ExtendedError::NotReady,
                   "too many questions are under way", 0))});
}

void RealForwarder::start(const RecursiveQuestion& question, const std::optional<IpAddress>& client,
                          Done done) {
    const SteadyTime now = clock_.steady();
    if (client) {
        // It may have come while the letter was on its way.
        if (const auto found = cache_.find_stale(question, now); found && !found->is_stale)
            return done(*found);
        std::size_t& of_client = per_client_[*client];
        const bool is_client_full = of_client >= options_.in_flight_per_client_max;
        if (is_client_full || waiting_ >= options_.in_flight_max) {
            (is_client_full ? counters_.refused_client : counters_.refused_full).add();
            if (of_client == 0) per_client_.erase(*client);
            return done({.response = std::make_shared<const Response>(Response::failure(
                             question.question, wire::Rcode::ServFail, ExtendedError::NotReady,
                             is_client_full ? "too many questions of this client are under way"
                                            : "too many questions are under way",
                             0))});
        }
        ++of_client;
        ++waiting_;
        done = [this, client = *client, done = std::move(done)](const AgedResponse& aged) {
            --waiting_;
            const auto at = per_client_.find(client);
            if (--at->second == 0) per_client_.erase(at);
            done(aged);
        };
    }
    auto& under_way = fetches_[question];
    if (under_way) {
        if (client) {
            counters_.coalesced.add();
            under_way->waiting.push_back(std::move(done));
        }
        return;
    }
    under_way = std::make_shared<Fetch>();
    const FetchPointer fetch = under_way;
    fetch->question = question;
    fetch->epoch = cache_.epoch();
    fetch->stale = cache_.find_stale(question, now);
    if (client) fetch->waiting.push_back(std::move(done));
    if (client && fetch->stale) {
        fetch->staleness = std::make_unique<io::Timer>(loop_, [this, fetch = std::weak_ptr(fetch)] {
            if (const auto alive = fetch.lock()) give_stale(alive);
        });
        fetch->staleness->start(options_.stale_after);
    }
    fetch->impatience = std::make_unique<io::Timer>(loop_, [this, fetch = std::weak_ptr(fetch)] {
        if (const auto alive = fetch.lock()) try_next(alive);
    });
    try_next(fetch);
}

bool RealForwarder::is_under_way(const FetchPointer& fetch) const {
    const auto at = fetches_.find(fetch->question);
    return at != fetches_.end() && at->second == fetch;
}

std::vector<RealForwarder::FetchPointer> RealForwarder::all_fetches() const {
    std::vector<FetchPointer> all;
    for (const auto& [question, fetch] : fetches_) all.push_back(fetch);
    return all;
}

const Forwarder::Route* RealForwarder::route_for(const wire::Name& name) const {
    const Route* best = nullptr;
    for (const Route& route : routes_) {
        if (!name.is_at_or_below(route.domain)) continue;
        if (best == nullptr || route.domain.size() > best->domain.size()) best = &route;
    }
    return best;
}

// The fastest of those that are well and not yet tried; then any; then from the start.
Upstream* RealForwarder::choose(const Fetch& fetch, const Route& route) {
    const auto rank = [&](const Upstream& upstream) {
        const auto tries = std::ranges::count(fetch.tried, &upstream);
        return std::tuple(tries, !upstream.state().is_well, upstream.cost());
    };
    Upstream* best = nullptr;
    for (const SocketAddress& address : route.upstreams) {
        Upstream* upstream = upstreams_.at(address).get();
        if (best == nullptr || rank(*upstream) < rank(*best)) best = upstream;
    }
    for (const SocketAddress& address : route.upstreams) {
        Upstream* upstream = upstreams_.at(address).get();
        if (upstream != best && fetch.tried.empty()) upstream->was_passed_over();
    }
    return best;
}

void RealForwarder::try_next(const FetchPointer& fetch) {
    if (!is_under_way(fetch)) return;
    const Route* route = route_for(fetch->question.question.name);
    if (route == nullptr) {  // RFC 8914 §4.21
        return finish(fetch,
                      {.response = std::make_shared<const Response>(Response::failure(
                           fetch->question.question, wire::Rcode::Refused,
                           ExtendedError::NotAuthoritative, "no upstream has this name", 0))});
    }
    Upstream* upstream =
        is_ending_ || fetch->tries >= options_.tries ? nullptr : choose(*fetch, *route);
    if (upstream == nullptr) {
        if (fetch->open == 0) finish_failed(fetch, fetch->last_failure);
        return;
    }
    ++fetch->tries;
    ++fetch->open;
    fetch->tried.push_back(upstream);
    // Doubled with each try: a name that takes long everywhere is not worth a flood.
    fetch->impatience->start(upstream->patience() * (1 << std::min(fetch->tries - 1, 10U)));
    counters_.asked.add();
    const std::string address = upstream->state().address.print();
    upstream->ask(fetch->question, [this, fetch, address](std::optional<Response> response,
                                                          const std::string& failure) {
        --fetch->open;
        if (!is_under_way(fetch)) return;
        if (response) {
            counters_.answered.add();
            if (!options_.trust_ad) response->clear_authentic_data();
            return finish(fetch, cache_.put(fetch->question, *std::move(response), clock_.steady(),
                                            fetch->epoch));
        }
        fetch->last_failure = fmt::format("{}: {}", address, failure);
        try_next(fetch);
    });
}

// Whoever waits is called when nothing here is in the middle of anything.
void RealForwarder::finish(const FetchPointer& fetch, const AgedResponse& aged) {
    fetch->impatience.reset();
    fetch->staleness.reset();
    fetches_.erase(fetch->question);
    const auto waiting = std::exchange(fetch->waiting, {});
    for (const Done& done : waiting) done(aged);
}

void RealForwarder::finish_failed(const FetchPointer& fetch, const std::string& why) {
    counters_.failed.add();
    if (fetch->stale) {
        cache_.retry_later(fetch->question, clock_.steady());
        counters_.stale_answers.add(fetch->waiting.size());
        return finish(fetch, *fetch->stale);
    }
    const auto failure =
        Response::failure(fetch->question.question, wire::Rcode::ServFail,
                          ExtendedError::NoReachableAuthority, why, options_.failure_ttl);
    finish(fetch, cache_.put(fetch->question, failure, clock_.steady(), fetch->epoch));
}

// The upstreams go on being asked, for the cache.
void RealForwarder::give_stale(const FetchPointer& fetch) {
    const auto waiting = std::exchange(fetch->waiting, {});
    counters_.stale_answers.add(waiting.size());
    for (const Done& done : waiting) done(*fetch->stale);
}

void RealForwarder::take_routes(std::vector<Route> routes) {
    routes_ = std::move(routes);
    std::map<SocketAddress, std::unique_ptr<Upstream>> kept;
    kept.swap(upstreams_);
    for (const Route& route : routes_) {
        for (const SocketAddress& address : route.upstreams) {
            if (upstreams_.contains(address)) continue;
            if (const auto known = kept.find(address); known != kept.end()) {
                upstreams_.insert(kept.extract(known));
            } else {
                upstreams_.emplace(
                    address, std::make_unique<Upstream>(loop_, address, options_.upstream, secrets_,
                                                        clock_));
            }
        }
    }
    // What they were asked fails now, and goes on with the new ones.
    for (const auto& fetch : all_fetches())
        std::erase_if(fetch->tried, [&](const Upstream* one) {
            return std::ranges::any_of(kept,
                                       [&](const auto& gone) { return gone.second.get() == one; });
        });
    kept.clear();
    has_upstreams_.store(!routes_.empty(), std::memory_order_relaxed);
    publish_states();
}

void RealForwarder::set_routes(std::vector<Route> routes) {
    const auto shared = std::make_shared<std::vector<Route>>(std::move(routes));
    while (!mailbox_.post([this, shared] { take_routes(std::move(*shared)); }))
        std::this_thread::yield();
}

void RealForwarder::publish_states() {
    std::vector<Listed> states;
    for (const Route& route : routes_) {
        for (const SocketAddress& address : route.upstreams)
            states.push_back({route.domain, upstreams_.at(address)->state()});
    }
    const std::lock_guard lock(states_mutex_);
    states_.swap(states);
}

std::vector<Metric> RealForwarder::metrics() const {
    using Kind = Metric::Kind;
    const auto number = [](auto value) { return static_cast<double>(value); };
    const Cache::Totals cache = cache_.totals();
    const auto one = [&](const char* name, const char* help, Kind kind, auto value) {
        return Metric{name, help, kind, {{{}, number(value), {}}}, {}};
    };
    std::vector<Metric> metrics;
    metrics.push_back(
        {"dnsd_cache_lookups_total",
         "Names outside our zones that were asked for, by what the cache held.",
         Kind::Counter,
         {{{{"result", "hit"}}, number(cache.hits - cache.negative_hits - cache.stale_hits), {}},
          {{{"result", "negative_hit"}}, number(cache.negative_hits), {}},
          {{{"result", "stale_hit"}}, number(cache.stale_hits), {}},
          {{{"result", "miss"}}, number(cache.misses), {}}},
         {}});
    metrics.push_back(one("dnsd_cache_entries", "Responses kept.", Kind::Gauge, cache.entries));
    metrics.push_back(
        one("dnsd_cache_octets", "Memory that they take.", Kind::Gauge, cache.octets));
    metrics.push_back(one("dnsd_cache_evictions_total", "Responses forgotten for want of room.",
                          Kind::Counter, cache.evictions));
    metrics.push_back(one("dnsd_cache_flushed_total", "Responses forgotten because someone asked.",
                          Kind::Counter, cache.flushed));
    metrics.push_back(one("dnsd_cache_prefetches_total",
                          "Responses asked for again shortly before their end.", Kind::Counter,
                          cache.prefetches));
    metrics.push_back(one("dnsd_forward_queries_total", "Queries sent to upstreams.", Kind::Counter,
                          counters_.asked.value()));
    metrics.push_back(one("dnsd_forward_coalesced_total",
                          "Questions that joined an equal one under way.", Kind::Counter,
                          counters_.coalesced.value()));
    metrics.push_back(one("dnsd_forward_failed_total", "Questions that no upstream answered.",
                          Kind::Counter, counters_.failed.value()));
    metrics.push_back(one("dnsd_forward_stale_answers_total",
                          "Clients that got a stale answer because upstreams failed or were slow.",
                          Kind::Counter, counters_.stale_answers.value()));
    metrics.push_back({"dnsd_forward_refused_total",
                       "Questions that were not asked because of a limit.",
                       Kind::Counter,
                       {{{{"limit", "in_flight"}},
                         number(counters_.refused_full.value() +
                                refused_at_the_door_.load(std::memory_order_relaxed)),
                         {}},
                        {{{"limit", "per_client"}}, number(counters_.refused_client.value()), {}}},
                       {}});
    Metric well{"dnsd_upstream_well", "Whether an upstream answers.", Kind::Gauge, {}, {}};
    Metric latency{"dnsd_upstream_latency_seconds", "Its smoothed latency.", Kind::Gauge, {}, {}};
    Metric queries{
        "dnsd_upstream_queries_total", "Queries that it was sent.", Kind::Counter, {}, {}};
    Metric failures{
        "dnsd_upstream_failures_total", "Queries that it left unanswered.", Kind::Counter, {}, {}};
    std::vector<SocketAddress> seen;
    for (const Listed& listed : upstreams()) {
        const UpstreamState& state = listed.upstream;
        if (std::ranges::find(seen, state.address) != seen.end()) continue;
        seen.push_back(state.address);
        const std::vector<std::pair<std::string, std::string>> labels = {
            {"upstream", state.address.print()}};
        well.samples.push_back({labels, state.is_well ? 1.0 : 0.0, {}});
        latency.samples.push_back({labels, number(state.latency.count()) / 1000, {}});
        queries.samples.push_back({labels, number(state.queries), {}});
        failures.samples.push_back({labels, number(state.failures), {}});
    }
    for (Metric* metric : {&well, &latency, &queries, &failures})
        metrics.push_back(std::move(*metric));
    return metrics;
}

}  // namespace

std::unique_ptr<Forwarder> Forwarder::make(Options options, const Clock& clock) {
    return std::make_unique<RealForwarder>(std::move(options), clock);
}

}  // namespace dnsd::forward
