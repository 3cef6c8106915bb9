#include "dnsd/transfer/transfers.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "base/io/mailbox.h"
#include "base/log.h"
#include "dnsd/transfer/notifier.h"
#include "dnsd/transfer/outgoing.h"
#include "dnsd/transfer/reply.h"
#include "dnsd/transfer/request.h"

namespace dnsd::transfer {

namespace {

// At the start all zones are told of, one after the other: a thousand zones are not to arrive at a
// secondary as one burst (BIND's startup-notify-rate is 20 a second).
constexpr std::int64_t startup_notifies_per_second = 100;

wire::Opcode opcode_of(std::span<const std::uint8_t> message) noexcept {
    return static_cast<wire::Opcode>((message[2] >> 3) & 0x0f);
}

// The way to something for those who may come after its end.
template <class T>
class Gate {
  public:
    explicit Gate(T& inside) : inside_(&inside) {}
    // Nothing happens where there is nobody left.
    template <class Visit>
    void enter(Visit visit) {
        const std::lock_guard lock(mutex_);
        if (inside_ != nullptr) visit(*inside_);
    }
    void close() {
        const std::lock_guard lock(mutex_);
        inside_ = nullptr;
    }

  private:
    std::mutex mutex_;  // guards inside_, which must not end during a visit
    T* inside_;
};

class RealTransfers final : public Transfers {
  public:
    RealTransfers(Options options, registry::Registry& registry,
                  std::unique_ptr<store::HistoryReader> history, const Clock& clock)
        : registry_(registry),
          clock_(clock),
          waiting_max_(options.messages_waiting_max),
          file_keys_(std::move(options.keys)),
          // A transfer under way posts one letter at a time. The rest are news and what stops us.
          mailbox_(loop_, options.messages_waiting_max + options.transfers_max + 64),
          to_mailbox_(std::make_shared<Gate<io::Mailbox>>(mailbox_)),
          to_news_(std::make_shared<Gate<RealTransfers>>(*this)),
          notify_(std::move(options.notify)),
          notify_delay_(options.notify_delay),
          outgoing_(
              loop_,
              {.allow = std::move(options.allow),
               .transfers_max = options.transfers_max,
               .transfers_per_client_max = options.transfers_per_client_max},
              registry, std::move(history),
              [gate = to_mailbox_](std::function<void()> letter) {
                  gate->enter(
                      [&](io::Mailbox& mailbox) { std::ignore = mailbox.post(std::move(letter)); });
              },
              clock),
          notifier_(loop_, keyring_, clock) {
        if (!options.is_replica) {
            secondaries_.emplace(loop_, registry, keyring_, clock, options.secondaries);
            updates_.emplace(loop_, registry, clock, options.updates);
        }
        // The registry ends after us, and may publish in between.
        registry.on_published([gate = to_news_](const registry::Published& published) {
            gate->enter([&](RealTransfers& self) { self.news(published); });
        });
        keys_seen_ = registry.state().load();
        publish_keys(*keys_seen_);
        mailbox_.after_batch([this] { look_at_news(); });
    }
    ~RealTransfers() override {
        to_news_->close();
        if (thread_.joinable()) {
            while (!mailbox_.post([this] { loop_.stop(); })) std::this_thread::yield();
            thread_.join();
        }
        to_mailbox_->close();
    }

    void start() override {
        tell_of_all();
        thread_ = std::thread([this] { loop_.run(); });
    }

    void take(Message message) override;
    const Snapshot<wire::Keyring>& keyring() const noexcept override { return keyring_; }
    void reload(Options options) override;
    void refresh_now(std::string_view zone, bool everything) override {
        if (secondaries_) secondaries_->refresh_now(zone, everything);
    }
    std::vector<Metric> metrics() const override;

  private:
    void news(const registry::Published& published);
    void dispatch(Message message);
    void look_at_news();
    void tell_of(const tree::ZoneSet& zones, const registry::State& state, const std::string& name,
                 Milliseconds delay);
    void tell_of_all();
    void publish_keys(const registry::State& state);

    registry::Registry& registry_;
    const Clock& clock_;
    const std::size_t waiting_max_;
    std::atomic<std::size_t> waiting_{0};
    std::atomic<std::uint64_t> turned_away_{0};

    // The writer's thread publishes keys when they change, the daemon's when it reloads.
    std::mutex keys_mutex_;  // guards file_keys_, keys_seen_ and the publication
    std::vector<wire::TsigKey> file_keys_;
    std::shared_ptr<const registry::State> keys_seen_;
    Snapshot<wire::Keyring> keyring_{std::make_shared<const wire::Keyring>()};

    std::mutex news_mutex_;  // guards changed_: a full mailbox must not lose it
    std::set<std::string> changed_;

    io::Loop loop_;
    io::Mailbox mailbox_;
    const std::shared_ptr<Gate<io::Mailbox>> to_mailbox_;
    const std::shared_ptr<Gate<RealTransfers>> to_news_;
    // The loop's thread's from here on.
    std::vector<model::Peer> notify_;
    Milliseconds notify_delay_;
    Outgoing outgoing_;
    Notifier notifier_;
    std::optional<Secondaries> secondaries_;  // nothing: we are a replica
    std::optional<Updates> updates_;          // the same
    std::thread thread_;
};

void RealTransfers::take(Message message) {
    const auto shared = std::make_shared<Message>(std::move(message));
    if (waiting_.fetch_add(1, std::memory_order_relaxed) < waiting_max_ &&
        mailbox_.post([this, shared] {
            waiting_.fetch_sub(1, std::memory_order_relaxed);
            dispatch(std::move(*shared));
        }))
        return;
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    turned_away_.fetch_add(1, std::memory_order_relaxed);
    answer(*shared,
           {.rcode = wire::Rcode::ServFail,
            .code = wire::ExtendedError::NotReady,
            .text = "too many messages of other name servers wait"},
           clock_.wall());
}

void RealTransfers::dispatch(Message message) {
    const wire::Opcode opcode = opcode_of(message.octets);
    if (opcode == wire::Opcode::Notify && secondaries_)
        return secondaries_->take_notify(std::move(message));
    if (opcode == wire::Opcode::Update && updates_) return updates_->take(std::move(message));
    if (opcode == wire::Opcode::Notify || opcode == wire::Opcode::Update) {
        answer(message,
               {.rcode = wire::Rcode::Refused,
                .code = wire::ExtendedError::Prohibited,
                .text = "this is a replica: ask the dnsd that it follows"},
               clock_.wall());
        return;
    }
    if (is_transfer_request(message.octets)) return outgoing_.take(std::move(message));
    const bool is_query = opcode == wire::Opcode::Query;
    answer(message, {.rcode = is_query ? wire::Rcode::FormErr : wire::Rcode::NotImp},
           clock_.wall());
}

// Durable, visible, acknowledged: whoever put a key may use it as soon as they are told so. The
// others are told on the loop.
void RealTransfers::news(const registry::Published& published) {
    {
        const std::lock_guard lock(keys_mutex_);
        const bool are_same = keys_seen_->keys.is_same(published.state->keys);
        keys_seen_ = published.state;
        if (!are_same) publish_keys(*published.state);
    }
    if (secondaries_) secondaries_->news(published);
    if (published.zones.empty()) return;
    bool is_told = false;
    {
        const std::lock_guard lock(news_mutex_);
        is_told = !changed_.empty();
        changed_.insert(published.zones.begin(), published.zones.end());
    }
    // After any letter it is looked at: where the mailbox is full, there are some.
    if (!is_told) std::ignore = mailbox_.post([] {});
}

void RealTransfers::look_at_news() {
    std::set<std::string> changed;
    {
        const std::lock_guard lock(news_mutex_);
        changed.swap(changed_);
    }
    if (changed.empty()) return;
    const auto zones = registry_.zones().load();
    const auto state = registry_.state().load();
    for (const std::string& name : changed) tell_of(*zones, *state, name, notify_delay_);
}

void RealTransfers::tell_of(const tree::ZoneSet& zones, const registry::State& state,
                            const std::string& name, Milliseconds delay) {
    const auto apex = wire::Name::parse(name);
    if (!apex) return;  // a namespace without DNS need not be a name
    const auto zone = zones.find_apex(*apex);
    const registry::Namespace* within = state.find_namespace(name);
    if (!zone || !within || zone->soa() == nullptr) return notifier_.forget(*apex);
    std::vector<model::Peer> peers;
    if (secondaries_) peers = within->spec.notify;
    peers.insert(peers.end(), notify_.begin(), notify_.end());
    for (const auto& rrset : zone->apex_node().rrsets()) {
        if (rrset->type() == wire::RrType::SOA)
            notifier_.changed(zone->apex(), rrset, peers, delay);
    }
}

void RealTransfers::tell_of_all() {
    const auto zones = registry_.zones().load();
    const auto state = registry_.state().load();
    std::int64_t told = 0;
    for (const auto& zone : zones->zones()) {
        tell_of(*zones, *state, zone->apex().lower_cased().print(),
                notify_delay_ + Milliseconds(1000 * told++ / startup_notifies_per_second));
    }
}

// REQUIRES: keys_mutex_ is held, or nobody else is there yet.
void RealTransfers::publish_keys(const registry::State& state) {
    std::vector<wire::TsigKey> keys = file_keys_;
    state.keys.for_each([&](const std::string&, const std::shared_ptr<const registry::Key>& key) {
        keys.push_back(key->tsig);
    });
    keyring_.publish(std::make_shared<const wire::Keyring>(std::move(keys)));
}

void RealTransfers::reload(Options options) {
    {
        const std::lock_guard lock(keys_mutex_);
        file_keys_ = std::move(options.keys);
        publish_keys(*keys_seen_);
    }
    // It is asked for by a person, and seldom: it may wait a moment for room.
    const auto shared = std::make_shared<Options>(std::move(options));
    while (!mailbox_.post([this, shared] {
        notify_delay_ = shared->notify_delay;
        outgoing_.allow(std::move(shared->allow));
        if (notify_ == shared->notify) return;
        notify_ = std::move(shared->notify);
        tell_of_all();  // those who are new have heard nothing yet
    }))
        std::this_thread::yield();
}

std::vector<Metric> RealTransfers::metrics() const {
    std::vector<Metric> all = outgoing_.metrics();
    const auto take = [&](std::vector<Metric> more) {
        std::ranges::move(more, std::back_inserter(all));
    };
    take(notifier_.metrics());
    if (secondaries_) take(secondaries_->metrics());
    if (updates_) take(updates_->metrics());
    all.push_back({"dnsd_transfer_messages_turned_away_total",
                   "Messages of other name servers that were answered SERVFAIL: too many waited",
                   Metric::Kind::Counter,
                   {{{}, static_cast<double>(turned_away_.load(std::memory_order_relaxed)), {}}},
                   {}});
    return all;
}

}  // namespace

std::unique_ptr<Transfers> Transfers::make(Options options, registry::Registry& registry,
                                           std::unique_ptr<store::HistoryReader> history,
                                           const Clock& clock) {
    return std::make_unique<RealTransfers>(std::move(options), registry, std::move(history), clock);
}

}  // namespace dnsd::transfer
