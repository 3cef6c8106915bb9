#include "dnsd/api/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "dnsd/api/codec.h"
#include "dnsd/api/service_walk.h"
#include "zone/registry/delta.h"

namespace dnsd::api {

namespace {

constexpr Milliseconds beat_every(1'000);
constexpr unsigned beats_between_comments = 15;  // for those that want no heartbeat
// A follower that leaves more unread gets a snapshot instead.
constexpr std::size_t unread_octets_max = 16 * 1024 * 1024;
// History that is looked through; who missed more gets a snapshot.
constexpr std::size_t missed_events_max = 10'000;
constexpr std::size_t piece_octets = 64 * 1024;
constexpr std::size_t instances_in_piece = 500;

using Text = std::shared_ptr<const std::string>;

Text text_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

std::string event_text(std::string_view type, model::Revision revision, std::string_view data) {
    return fmt::format("event: {}\nid: {}\ndata: {}\n\n", type, revision, data);
}

}  // namespace

class Changes::Follower final : public Source {
  public:
    Follower(Changes& changes, std::shared_ptr<Exchange> exchange, bool heartbeat)
        : wants_heartbeat(heartbeat), changes_(changes), exchange_(std::move(exchange)) {}

    const bool wants_heartbeat;

    void begin_snapshot(std::shared_ptr<const registry::State> state) {
        unread_.clear();
        unread_octets_ = 0;
        overflown_ = false;
        namespaces_.clear();
        parts_.reset();
        snapshot_ = std::move(state);
        walk_.emplace(snapshot_, ServiceFilter{});
        begun_ = false;
    }
    void push(const Text& text) {
        if (overflown_) return;
        unread_octets_ += text->size();
        unread_.push_back(text);
        overflown_ = unread_octets_ > unread_octets_max;
    }
    void wake() { exchange_->wake(); }
    void end() {
        ended_ = true;
        wake();
    }

    std::optional<std::string> next() override {
        if (overflown_) begin_snapshot(changes_.told_);
        if (snapshot_) return piece_of_snapshot();
        if (!unread_.empty()) {
            const Text text = std::move(unread_.front());
            unread_.pop_front();
            unread_octets_ -= text->size();
            return *text;
        }
        if (ended_) return std::nullopt;
        return "";
    }

  private:
    // Changes that come meanwhile stay unread until it is whole.
    std::string piece_of_snapshot() {
        const model::Revision revision = snapshot_->revision;
        std::string piece;
        if (!begun_) {
            begun_ = true;
            piece = fmt::format("event: begin\ndata: {{\"revision\":{},\"identity\":{}}}\n\n",
                                revision, quoted_json(changes_.registry_.identity()));
            snapshot_->namespaces.for_each([&](const std::string&, const auto& within) {
                namespaces_.push_back(within.get());
            });
        }
        while (piece.size() < piece_octets) {
            if (const auto part = next_namespace()) {
                piece += fmt::format("event: namespace\ndata: {}\n\n", registry::print(*part));
                continue;
            }
            const auto service = walk_->next();
            if (!service) {
                piece += event_text("end", revision,
                                    fmt::format("{{\"revision\":{},\"now\":\"{}\"}}", revision,
                                                print_time(changes_.clock_.wall())));
                walk_.reset();
                snapshot_.reset();
                break;
            }
            add(piece, *service);
        }
        return piece;
    }

    std::optional<registry::NamespaceDelta> next_namespace() {
        for (;;) {
            if (parts_) {
                if (auto part = parts_->next()) return part;
                parts_.reset();
            }
            if (namespaces_.empty()) return std::nullopt;
            parts_.emplace(*namespaces_.front());
            namespaces_.pop_front();
        }
    }

    static void add(std::string& piece, const registry::Service& service) {
        std::size_t at = 0;
        do {
            registry::ServiceDelta part{
                service.spec, service.revision, service.health_revision, at == 0, {}, {}};
            const std::size_t end = std::min(at + instances_in_piece, service.instances.size());
            for (; at < end; ++at) part.instances.push_back(*service.instances[at]);
            piece += fmt::format("event: service\ndata: {}\n\n", registry::print(part));
        } while (at < service.instances.size());
    }

    Changes& changes_;
    std::shared_ptr<Exchange> exchange_;
    std::deque<Text> unread_;
    std::size_t unread_octets_ = 0;
    bool overflown_ = false, ended_ = false, begun_ = false;
    std::shared_ptr<const registry::State> snapshot_;    // null: it is sent
    std::deque<const registry::Namespace*> namespaces_;  // of it, that are still to be sent
    std::optional<registry::NamespaceParts> parts_;      // of the one under way
    std::optional<ServiceWalk> walk_;
};

Changes::Changes(io::Loop& loop, registry::Registry& registry, store::EventReader& events,
                 const Clock& clock)
    : registry_(registry),
      events_(events),
      clock_(clock),
      told_(registry.state().load()),
      pulse_(loop, [this] { beat(); }) {
    pulse_.repeat(beat_every);
}

Changes::~Changes() = default;

void Changes::add(const Call& call, Wishes wishes) {
    auto follower = std::make_shared<Follower>(*this, call.exchange, wishes.heartbeat);
    bool is_resumed = false;
    if (wishes.last_seen && wishes.identity == registry_.identity() &&
        *wishes.last_seen <= told_->revision) {
        const model::Revision seen = *wishes.last_seen;
        const auto oldest = events_.oldest();
        auto missed = events_.after(seen, missed_events_max + 1, {});
        if (seen == told_->revision) {
            is_resumed = true;
            follower->push(text_of(": resumed\n\n"));
        } else if (oldest && *oldest > 0 && *oldest <= seen + 1 && missed &&
                   missed->size() <= missed_events_max) {
            is_resumed = true;
            std::erase_if(*missed, [&](const model::Event& event) {
                return event.revision > told_->revision;
            });
            follower->push(text_of(event_text(
                "change", told_->revision,
                registry::print(registry::refresh(seen, *told_, *missed, clock_.wall())))));
        }
    }
    if (!is_resumed) follower->begin_snapshot(told_);
    followers_.insert(follower);
    registry_.set_followers(followers_.size());
    call.exchange->on_gone = [this, follower] { leave(follower); };
    call.exchange->stream("text/event-stream", follower);
}

void Changes::leave(const std::shared_ptr<Follower>& follower) {
    followers_.erase(follower);
    registry_.set_followers(followers_.size());
}

void Changes::news(const registry::Published& published) {
    const auto before = std::exchange(told_, published.state);
    if (followers_.empty()) return;
    const registry::Delta delta = registry::difference(
        *before, *told_, published.touched, published.zones, published.events, clock_.wall());
    const Text text = text_of(event_text("change", told_->revision, registry::print(delta)));
    for (const auto& follower : followers_) {
        follower->push(text);
        follower->wake();
    }
}

void Changes::end_all() {
    for (const auto& follower : followers_) follower->end();
}

void Changes::beat() {
    if (followers_.empty()) return;
    const Text text =
        text_of(fmt::format("event: heartbeat\ndata: {{\"revision\":{},\"now\":\"{}\"}}\n\n",
                            told_->revision, print_time(clock_.wall())));
    for (const auto& follower : followers_) {
        if (!follower->wants_heartbeat) continue;
        follower->push(text);
        follower->wake();
    }
    static const Text alive = text_of(": alive\n\n");
    if (++beats_ % beats_between_comments != 0) return;
    for (const auto& follower : followers_) {
        if (follower->wants_heartbeat) continue;
        follower->push(alive);
        follower->wake();
    }
}

}  // namespace dnsd::api
