#include "dnsd/replica/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/assert.h"
#include "base/counters.h"
#include "base/http/client.h"
#include "base/http/event_stream.h"
#include "base/io/mailbox.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"

namespace dnsd::replica {

namespace {

using registry::Delta;

constexpr std::size_t letters_max = 100'000;  // outcomes of changes that were submitted
constexpr Milliseconds look_every(250);

// What a small event says; empty where it does not.
std::string text_in(const std::string& json, const char* key) {
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (!parsed.is_object() || !parsed.contains(key) || !parsed[key].is_string()) return {};
    return parsed[key];
}
std::optional<std::uint64_t> number_in(const std::string& json, const char* key) {
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (!parsed.is_object() || !parsed.contains(key) || !parsed[key].is_number_unsigned())
        return std::nullopt;
    return parsed[key].get<std::uint64_t>();
}

class RealFollower final : public Follower {
  public:
    RealFollower(Options options, registry::Registry& registry, const Clock& clock)
        : options_(std::move(options)),
          registry_(registry),
          clock_(clock),
          random_(seeded_by_machine()),
          mailbox_(loop_, letters_max),
          client_(std::make_unique<http::Client>(loop_)),
          reconnect_(loop_, [this] { connect(); }),
          watchdog_(loop_, [this] { look(); }) {
        heard_ = clock_.steady().time_since_epoch().count();
        revision_ = registry_.state().load()->revision;
        identity_ = registry_.identity();
        // Whom to follow first is drawn too: the load is shared.
        centre_ = draw_below(random_, static_cast<std::uint32_t>(options_.centres.size()));
        connect();
        watchdog_.repeat(look_every);
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~RealFollower() override {
        while (!mailbox_.post([this] {
            is_stopping_ = true;
            client_.reset();
            stop_if_done();
        }))
            std::this_thread::yield();
        thread_.join();
    }

    Status status() const override {
        const std::lock_guard lock(status_mutex_);
        return status_;
    }
    Milliseconds silent_for() const noexcept override {
        const SteadyTime heard{std::chrono::nanoseconds(heard_.load(std::memory_order_relaxed))};
        return std::chrono::duration_cast<Milliseconds>(clock_.steady() - heard);
    }
    std::vector<Metric> metrics() const override;

  private:
    void connect();
    void ended(const Result<http::Response>& outcome);
    void reconnect_later(const std::string& trouble, bool is_next_centre);
    void look();
    bool take(const http::ServerSentEvent& event);
    void submit(Delta delta);
    void resynchronise(const std::string& reason);
    void set_status(bool is_connected, std::string trouble);
    void hear() {
        last_sign_ = loop_.now();
        if (is_caught_up_ && submitted_ == 0)
            heard_.store(clock_.steady().time_since_epoch().count(), std::memory_order_relaxed);
    }
    void stop_if_done() {
        if (is_stopping_ && submitted_ == 0) loop_.stop();
    }

    const Options options_;
    registry::Registry& registry_;
    const Clock& clock_;

    // The loop's thread's.
    Random random_;
    io::Loop loop_;
    io::Mailbox mailbox_;
    std::unique_ptr<http::Client> client_;
    std::unique_ptr<http::EventStream> stream_;
    std::optional<std::uint64_t> request_;  // under way
    std::size_t centre_ = 0;
    unsigned failures_ = 0;            // in a row
    model::Revision revision_ = 0;     // of the last change that was submitted
    std::string identity_;             // of the store that is followed
    bool wants_all_ = false;           // what is known cannot be gone on from
    std::unique_ptr<Delta> snapshot_;  // while it comes
    std::string snapshot_identity_;
    bool is_caught_up_ = false;  // nothing is missing, on this connection
    std::size_t submitted_ = 0;  // changes that the registry has not yet answered
    std::string broken_;         // why this connection is to end
    SteadyTime last_sign_{};
    bool is_stopping_ = false;
    io::Timer reconnect_, watchdog_;
    Counter connections_, snapshots_, changes_, refused_;

    std::atomic<std::int64_t> heard_{0};
    mutable std::mutex status_mutex_;  // guards status_
    Status status_;
    std::thread thread_;
};

void RealFollower::connect() {
    connections_.add();
    snapshot_.reset();
    is_caught_up_ = false;
    broken_.clear();
    last_sign_ = loop_.now();
    http::Request request;
    request.url = options_.centres[centre_] + "/v1/changes?heartbeat=1";
    request.timeout = Milliseconds(0);
    request.connect_timeout = options_.silence_max;
    request.headers = {"Accept: text/event-stream"};
    request.token = options_.token;
    request.ca_file = options_.ca_file;
    request.ca_option = "replica.ca_file";
    if (!wants_all_) {
        request.url += "&identity=" + percent_encoded(identity_);
        request.headers.push_back(fmt::format("Last-Event-ID: {}", revision_));
    }
    stream_ = std::make_unique<http::EventStream>([this](const http::ServerSentEvent& event) {
        if (broken_.empty() && !take(event) && broken_.empty()) broken_ = "an event is malformed";
    });
    request.on_body = [this](std::string_view octets) {
        hear();
        if (!stream_->read(octets)) broken_ = "an event is too long";
        return broken_.empty();
    };
    request_ = client_->send(std::move(request),
                             [this](const Result<http::Response>& outcome) { ended(outcome); });
}

void RealFollower::ended(const Result<http::Response>& outcome) {
    request_.reset();
    if (!broken_.empty()) return resynchronise(broken_);
    if (!outcome) return reconnect_later(outcome.error().message, true);
    if (outcome->status != 200)
        return reconnect_later(fmt::format("it answers {}", outcome->status), true);
    reconnect_later("the stream ended", true);
}

void RealFollower::reconnect_later(const std::string& trouble, bool is_next_centre) {
    set_status(false, trouble);
    if (failures_ == 0)
        log::warn("replica disconnected centre={} reason={}",
                  log::quoted(options_.centres[centre_]), log::quoted(trouble));
    if (is_next_centre) centre_ = (centre_ + 1) % options_.centres.size();
    const auto most = std::min(options_.reconnect_max,
                               options_.reconnect_first * (1 << std::min(failures_, 10U)));
    ++failures_;
    reconnect_.start(
        Milliseconds(draw_below(random_, static_cast<std::uint32_t>(most.count()) + 1)));
}

// What is here does not lead on: everything is asked for, from the same centre.
void RealFollower::resynchronise(const std::string& reason) {
    refused_.add();
    wants_all_ = true;
    log::warn("replica asks for everything centre={} reason={}",
              log::quoted(options_.centres[centre_]), log::quoted(reason));
    reconnect_later(reason, false);
}

void RealFollower::look() {
    if (!request_ || loop_.now() - last_sign_ < options_.silence_max) return;
    client_->cancel(*std::exchange(request_, std::nullopt));
    reconnect_later(fmt::format("silent for {} s", options_.silence_max.count() / 1000), true);
}

// False: it is none of ours, or broken_ says more.
bool RealFollower::take(const http::ServerSentEvent& event) {
    if (event.type == "heartbeat") {
        const auto revision = number_in(event.data, "revision");
        if (!revision) return false;
        // Whoever heard all that was said is where the centre is.
        if (!snapshot_ && *revision == revision_) is_caught_up_ = true;
        if (is_caught_up_ && !status().is_connected) {
            failures_ = 0;
            set_status(true, {});
            log::info("replica follows centre={} revision={}",
                      log::quoted(options_.centres[centre_]), revision_);
        }
        return true;
    }
    if (event.type == "begin") {
        snapshot_ = std::make_unique<Delta>();
        snapshot_->is_whole = true;
        snapshot_identity_ = text_in(event.data, "identity");
        return !snapshot_identity_.empty();
    }
    if (event.type == "namespace" && snapshot_) {
        auto within = registry::parse_namespace_delta(event.data);
        if (!within) return broken_ = within.error().message, false;
        snapshot_->namespaces.push_back(std::move(*within));
        return true;
    }
    if (event.type == "service" && snapshot_) {
        auto service = registry::parse_service_delta(event.data);
        if (!service) return broken_ = service.error().message, false;
        auto& services = snapshot_->services;
        if (service->is_whole) {
            services.push_back(std::move(*service));
        } else {  // more instances of the one before
            if (services.empty() || services.back().spec != service->spec) return false;
            std::ranges::move(service->instances, std::back_inserter(services.back().instances));
        }
        return true;
    }
    if (event.type == "end" && snapshot_) {
        const auto revision = number_in(event.data, "revision");
        const auto now = parse_time(text_in(event.data, "now"));
        if (!revision || !now) return false;
        snapshot_->revision = *revision;
        snapshot_->now = *now;
        identity_ = snapshot_identity_;
        wants_all_ = false;
        snapshots_.add();
        is_caught_up_ = true;
        submit(std::move(*std::exchange(snapshot_, nullptr)));
        return true;
    }
    if (event.type == "change" && !snapshot_) {
        auto delta = registry::parse_delta(event.data);
        if (!delta) return broken_ = delta.error().message, false;
        if (delta->revision < delta->from) return false;
        if (delta->revision <= revision_ && delta->revision != delta->from)
            return true;  // a repeat
        if (delta->from != revision_) {
            broken_ = fmt::format("a change begins with revision {}, and this is {}", delta->from,
                                  revision_);
            return false;
        }
        changes_.add();
        is_caught_up_ = true;
        submit(std::move(*delta));
        return true;
    }
    return false;
}

void RealFollower::submit(Delta delta) {
    revision_ = delta.revision;
    ++submitted_;
    registry::Change change{
        registry::Follow{std::make_shared<const Delta>(std::move(delta)), identity_}, {}, false};
    registry_.submit(std::move(change), [this](const registry::Outcome& outcome) {
        const std::string refusal = outcome ? "" : outcome.error().detail;
        const bool taken = mailbox_.post([this, refusal] {
            --submitted_;
            hear();
            if (!refusal.empty() && !wants_all_ && !is_stopping_) {
                if (request_) client_->cancel(*std::exchange(request_, std::nullopt));
                resynchronise(refusal);
            }
            stop_if_done();
        });
        DNSD_ASSERT(taken);
    });
}

void RealFollower::set_status(bool is_connected, std::string trouble) {
    const std::lock_guard lock(status_mutex_);
    status_ = {is_connected, options_.centres[centre_], std::move(trouble)};
}

std::vector<Metric> RealFollower::metrics() const {
    const auto one = [](const char* name, const char* help, Metric::Kind kind, double value) {
        return Metric{name, help, kind, {{{}, value, {}}}, {}};
    };
    const auto count = [&](const char* name, const char* help, const Counter& counter) {
        return one(name, help, Metric::Kind::Counter, static_cast<double>(counter.value()));
    };
    return {one("dnsd_replica_connected", "Whether the centre is followed.", Metric::Kind::Gauge,
                status().is_connected ? 1 : 0),
            one("dnsd_replica_silent_seconds", "Since the centre was last heard.",
                Metric::Kind::Gauge, static_cast<double>(silent_for().count()) / 1000),
            count("dnsd_replica_connections_total", "Connections begun.", connections_),
            count("dnsd_replica_snapshots_total", "Snapshots taken over.", snapshots_),
            count("dnsd_replica_changes_total", "Changes taken over.", changes_),
            count("dnsd_replica_resyncs_total",
                  "Times that what came did not lead on from what was here.", refused_)};
}

}  // namespace

std::unique_ptr<Follower> Follower::make(Options options, registry::Registry& registry,
                                         const Clock& clock) {
    return std::make_unique<RealFollower>(std::move(options), registry, clock);
}

}  // namespace dnsd::replica
