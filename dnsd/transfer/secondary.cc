#include "dnsd/transfer/secondary.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/io/mailbox.h"
#include "base/log.h"
#include "dnsd/transfer/primary_messages.h"
#include "dnsd/transfer/reply.h"
#include "dnsd/transfer/secondary_zone.h"

namespace dnsd::transfer {

namespace {

using wire::ExtendedError;
using wire::Rcode;

constexpr std::size_t letters_max = 10'000;     // requests for a refresh that wait
constexpr std::size_t changes_max = 1'000'000;  // two for each zone at most, at a time
// Changes that come together are looked at together.
constexpr Milliseconds look_delay(10);

// Which of the primaries sent a message: by its key, or by its address. RFC 1996 §3.10 has a NOTIFY
// come from any port.
std::optional<std::size_t> primary_of(const std::vector<model::Peer>& primaries,
                                      const Message& message) {
    const std::string key =
        message.session ? message.session->key_name().lower_cased().print() : std::string();
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < primaries.size(); ++i) {
        const bool is_by_address = primaries[i].address.ip == message.client.ip;
        const bool is_by_key = !key.empty() && primaries[i].key == key;
        if (is_by_address && is_by_key) return i;
        if ((is_by_address || is_by_key) && !found) found = i;
    }
    return found;
}

// What may make a secondary, or end one; and what may heal one that lacks a key.
bool concerns_secondaries(const model::Event& event) {
    return event.cause == "namespace_put" || event.cause == "namespace_deleted" ||
           event.cause == "key_put";
}

}  // namespace

struct Secondaries::State {
    SecondaryContext context;
    io::Mailbox mailbox;
    io::Timer look_soon;
    std::atomic<bool> has_news{false};  // a letter that says so is under way
    std::map<std::string, std::shared_ptr<SecondaryZone>, std::less<>> zones;

    State(io::Loop& loop, registry::Registry& registry, const Snapshot<wire::Keyring>& keyring,
          const Clock& clock, const Options& options)
        : context{.loop = loop,
                  .registry = registry,
                  .keyring = keyring,
                  .clock = clock,
                  .options = options,
                  .submitter{loop, registry, changes_max},
                  .random = seeded_by_machine(),
                  .queries = Turns(options.queries_max),
                  .transfers = Turns(options.transfers_max)},
          mailbox(loop, letters_max),
          look_soon(loop, [this] { look(); }) {
        look();
    }
    ~State() {
        context.queries.close();
        context.transfers.close();
    }

    void look();
    ShortReply notified(const Message& message);
};

// Zones that have primaries now are taken up, those that have none any more are let go.
void Secondaries::State::look() {
    const auto state = context.registry.state().load();
    std::erase_if(zones, [&](const auto& each) {
        const registry::Namespace* within = state->find_namespace(each.first);
        return within == nullptr || !within->spec.is_secondary();
    });
    state->namespaces.for_each([&](const std::string& name, const auto& within) {
        if (!within->spec.is_secondary()) return;
        auto& zone = zones[name];
        if (zone) return zone->look(within->spec.primaries);
        zone = std::make_shared<SecondaryZone>(context, name, within->spec.primaries);
        zone->refresh();
    });
}

ShortReply Secondaries::State::notified(const Message& message) {
    const auto notify = decode_notify(message.octets);
    if (!notify) return {Rcode::FormErr};
    const wire::Question& question = notify->question;
    if (question.type != wire::RrType::SOA) return {Rcode::NotImp};
    const std::string name = question.name.lower_cased().print();
    const auto state = context.registry.state().load();
    const registry::Namespace* within = state->find_namespace(name);
    if (within == nullptr || !within->spec.dns || question.rr_class != wire::RrClass::IN)
        return {Rcode::NotAuth, false, ExtendedError::NotAuthoritative,
                "this server has no such zone"};
    if (!within->spec.is_secondary())
        return {Rcode::Refused, false, ExtendedError::Prohibited,
                "this server is no secondary of the zone"};
    const auto primary = primary_of(within->spec.primaries, message);
    if (!primary)
        return {Rcode::Refused, false, ExtendedError::Prohibited, "this is no primary of the zone"};
    // A zone that has only just got its primaries is not taken up yet, and will then be asked for.
    const auto zone = zones.find(name);
    if (zone != zones.end() && *primary < zone->second->primaries().size())
        zone->second->notified(*primary, notify->serial);
    return {Rcode::NoError, true};
}

Secondaries::Secondaries(io::Loop& loop, registry::Registry& registry,
                         const Snapshot<wire::Keyring>& keyring, const Clock& clock,
                         Options options)
    : state_(std::make_unique<State>(loop, registry, keyring, clock, options)) {}
Secondaries::~Secondaries() = default;

void Secondaries::news(const registry::Published& published) {
    if (std::ranges::none_of(published.events,
                             [](const auto& event) { return concerns_secondaries(*event); }))
        return;
    if (state_->has_news.exchange(true)) return;
    const bool taken = state_->mailbox.post([state = state_.get()] {
        state->has_news = false;
        state->look_soon.start(look_delay);
    });
    if (!taken) state_->has_news = false;  // with so many letters there will be news again
}

void Secondaries::take_notify(Message message) {
    const ShortReply reply = state_->notified(message);
    auto& counters = state_->context.counters;
    (reply.rcode == Rcode::NoError ? counters.notified : counters.notify_refused).add();
    answer(message, reply, state_->context.clock.wall());
}

bool Secondaries::refresh_now(std::string_view zone, bool everything) {
    return state_->mailbox.post([state = state_.get(), name = std::string(zone), everything] {
        const auto found = state->zones.find(name);
        if (found != state->zones.end()) found->second->refresh(everything);
    });
}

std::vector<Metric> Secondaries::metrics() const {
    const SecondaryContext& context = state_->context;
    const WallTime now = context.clock.wall();
    double fresh = 0, expired = 0, empty = 0, oldest = 0;
    context.registry.state().load()->namespaces.for_each(
        [&](const std::string&, const auto& within) {
            if (!within->spec.is_secondary()) return;
            const registry::Following& following = within->following;
            const bool has_come = within->records != nullptr && following.refreshed != WallTime{};
            (!has_come ? empty : following.expired ? expired : fresh) += 1;
            if (!has_come) return;
            const auto age = std::chrono::duration<double>(now - following.refreshed).count();
            oldest = std::max(oldest, age);
        });
    const auto sample = [](std::vector<std::pair<std::string, std::string>> labels, double value) {
        return Metric::Sample{std::move(labels), value, {}};
    };
    const auto counted = [&](std::vector<std::pair<std::string, std::string>> labels,
                             const Counter& counter) {
        return sample(std::move(labels), static_cast<double>(counter.value()));
    };
    const auto& counters = context.counters;
    return {{"dnsd_secondary_zones",
             "Zones that primaries are followed for, by what is here of them.",
             Metric::Kind::Gauge,
             {sample({{"state", "current"}}, fresh), sample({{"state", "expired"}}, expired),
              sample({{"state", "empty"}}, empty)},
             {}},
            {"dnsd_secondary_oldest_refresh_seconds",
             "Since a primary last confirmed the zone for which that is longest ago.",
             Metric::Kind::Gauge,
             {sample({}, oldest)},
             {}},
            {"dnsd_secondary_refreshes_total",
             "Rounds of a zone's primaries, by result.",
             Metric::Kind::Counter,
             {counted({{"result", "ok"}}, counters.refreshed),
              counted({{"result", "failed"}}, counters.failed)},
             {}},
            {"dnsd_transfers_in_total",
             "Zone transfers from primaries, by kind and result.",
             Metric::Kind::Counter,
             {counted({{"kind", "axfr"}, {"result", "ok"}}, counters.axfr),
              counted({{"kind", "axfr"}, {"result", "failed"}}, counters.axfr_failed),
              counted({{"kind", "ixfr"}, {"result", "ok"}}, counters.ixfr),
              counted({{"kind", "ixfr"}, {"result", "failed"}}, counters.ixfr_failed)},
             {}},
            {"dnsd_notifies_in_total",
             "NOTIFY messages, by result.",
             Metric::Kind::Counter,
             {counted({{"result", "ok"}}, counters.notified),
              counted({{"result", "refused"}}, counters.notify_refused)},
             {}}};
}

}  // namespace dnsd::transfer
