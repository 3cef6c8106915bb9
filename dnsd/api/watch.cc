#include "dnsd/api/watch.h"

#include <fmt/format.h>

#include <deque>

#include "dnsd/api/codec.h"

namespace dnsd::api {

namespace {

constexpr Milliseconds pulse_every(15'000);
// A client that leaves more unread gets a snapshot instead.
constexpr std::size_t unread_octets_max = 4 * 1024 * 1024;
// History that is replayed; who missed more gets a snapshot, which is shorter.
constexpr std::size_t replayed_events_max = 10'000;
// A snapshot is written in pieces: of a large registry it must not stand in memory as one text.
constexpr std::size_t piece_octets = 64 * 1024;

}  // namespace

class Watch::Subscriber final : public Source {
  public:
    Subscriber(Watch& watch, std::shared_ptr<Exchange> exchange, Filter filter)
        : watch_(watch), exchange_(std::move(exchange)), filter_(std::move(filter)) {}

    bool wants(const model::Event& event) const {
        return (filter_.namespace_name.empty() || filter_.namespace_name == event.namespace_name) &&
               (filter_.service.empty() || filter_.service == event.service);
    }

    void begin_snapshot(std::shared_ptr<const registry::State> state, bool reset) {
        unread_.clear();
        unread_octets_ = 0;
        snapshot_.emplace(std::move(state), filter_);
        reset_ = reset;
        started_ = false;
    }

    void push(std::string text) {
        unread_octets_ += text.size();
        unread_.push_back(std::move(text));
        if (unread_octets_ > unread_octets_max) {
            overflown_ = true;
            unread_.clear();
            unread_octets_ = 0;
        }
    }
    void tell(const model::Event& event, const std::string& json) {
        if (!overflown_)
            push(fmt::format("event: change\nid: {}\ndata: {}\n\n", event.revision, json));
    }
    void wake() { exchange_->wake(); }
    bool is_idle() const { return unread_.empty() && !snapshot_; }
    void end() {
        ended_ = true;
        wake();
    }

    std::optional<std::string> next() override {
        if (overflown_) {
            overflown_ = false;
            begin_snapshot(watch_.told_, true);
        }
        if (snapshot_) return piece_of_snapshot();
        if (!unread_.empty()) return pop();
        if (ended_) return std::nullopt;
        return "";
    }

  private:
    std::string pop() {
        std::string text = std::move(unread_.front());
        unread_.pop_front();
        unread_octets_ -= text.size();
        return text;
    }

    // Events that come meanwhile stay unread until it is whole. JSON allows white space between
    // services, so each is a data line of its own.
    std::string piece_of_snapshot() {
        std::string piece;
        if (!started_) {
            started_ = true;
            first_ = true;
            if (reset_)
                piece = fmt::format("event: reset\nid: {0}\ndata: {{\"revision\": {0}}}\n\n",
                                    snapshot_->state().revision);
            piece += fmt::format(
                "event: snapshot\nid: {0}\ndata: {{\"revision\": {0}, "
                "\"services\": [\n",
                snapshot_->state().revision);
        }
        while (piece.size() < piece_octets) {
            const auto service = snapshot_->next();
            if (!service) {
                piece += "data: ]}\n\n";
                snapshot_.reset();
                break;
            }
            std::string instances;
            for (const auto& instance : service->instances) {
                if (!instances.empty()) instances += ',';
                instances += print(*instance);
            }
            piece += fmt::format(
                "data: {}{{\"namespace\":{},\"service\":{},\"revision\":{},"
                "\"health_revision\":{},\"instances\":[{}]}}\n",
                first_ ? "" : ",", quoted_json(service->spec.namespace_name),
                quoted_json(service->spec.name), service->revision, service->health_revision,
                instances);
            first_ = false;
        }
        return piece;
    }

    Watch& watch_;
    std::shared_ptr<Exchange> exchange_;
    Filter filter_;
    std::deque<std::string> unread_;
    std::size_t unread_octets_ = 0;
    bool overflown_ = false, ended_ = false;
    std::optional<ServiceWalk> snapshot_;  // nothing: it is sent
    bool reset_ = false, started_ = false, first_ = true;
};

Watch::Watch(io::Loop& loop, registry::Registry& registry, store::EventReader& events)
    : events_(events), told_(registry.state().load()), pulse_(loop, [this] { stay_alive(); }) {
    pulse_.repeat(pulse_every);
}

Watch::~Watch() = default;

void Watch::add(const Call& call, Filter filter, std::optional<model::Revision> last_seen) {
    const store::EventReader::Filter events_filter{filter.namespace_name, filter.service};
    auto subscriber = std::make_shared<Subscriber>(*this, call.exchange, std::move(filter));
    bool resumed = false;
    if (last_seen && *last_seen == told_->revision) {
        resumed = true;
        subscriber->push(": resumed\n\n");
    } else if (last_seen && *last_seen < told_->revision) {
        const auto oldest = events_.oldest();
        const auto missed = events_.after(*last_seen, replayed_events_max + 1, events_filter);
        if (oldest && *oldest > 0 && *oldest <= *last_seen + 1 && missed &&
            missed->size() <= replayed_events_max) {
            resumed = true;
            subscriber->push(": resumed\n\n");
            for (const model::Event& event : *missed) {
                if (event.revision <= told_->revision) subscriber->tell(event, print(event));
            }
        }
    }
    if (!resumed) subscriber->begin_snapshot(told_, last_seen.has_value());
    subscribers_.insert(subscriber);
    call.exchange->on_gone = [this, subscriber] { subscribers_.erase(subscriber); };
    call.exchange->stream("text/event-stream", subscriber);
}

void Watch::news(const registry::Published& published) {
    told_ = published.state;
    if (subscribers_.empty()) return;
    for (const auto& event : published.events) {
        std::string json;  // once for all
        for (const auto& subscriber : subscribers_) {
            if (!subscriber->wants(*event)) continue;
            if (json.empty()) json = print(*event);
            subscriber->tell(*event, json);
        }
    }
    for (const auto& subscriber : subscribers_) {
        if (!subscriber->is_idle()) subscriber->wake();
    }
}

void Watch::end_all() {
    for (const auto& subscriber : subscribers_) subscriber->end();
}

void Watch::stay_alive() {
    for (const auto& subscriber : subscribers_) {
        if (!subscriber->is_idle()) continue;
        subscriber->push(": alive\n\n");
        subscriber->wake();
    }
}

}  // namespace dnsd::api
