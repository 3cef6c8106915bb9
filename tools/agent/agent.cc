#include "tools/agent/agent.h"

#include <csignal>
#include <optional>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/io/loop.h"
#include "base/log.h"
#include "base/random.h"
#include "tools/agent/config.h"
#include "tools/agent/files.h"
#include "tools/agent/flusher.h"
#include "tools/agent/follower.h"
#include "tools/agent/position.h"

namespace dnsd::agent {

namespace {

// The position may be a little old: what it misses is emptied once more.
constexpr Milliseconds save_after(500);

Position position_in(const std::string& file) {
    const auto text = file.empty() ? std::nullopt : read_whole(file);
    if (!text) return {};
    if (const auto position = Position::parse(*text)) return *position;
    log::warn("state file is not believed file={}", log::quoted(file));
    return {};
}

class RealAgent final : public Agent {
  public:
    explicit RealAgent(const Options& options);
    void run() override;

  private:
    void changed(const Change& change);
    void start_over(const Snapshot& snapshot);
    void forget_everything();
    void save();
    void report() const;

    const std::string state_file_;
    bool can_save_ = true;
    Position position_;  // as it is saved: what all caches have been told of

    io::Loop loop_;
    http::Client client_;
    Flusher flusher_;
    std::optional<Follower> follower_;
    io::Timer save_;
    bool save_waits_ = false;
};

RealAgent::RealAgent(const Options& options)
    : state_file_(options.text("state_file")),
      position_(position_in(state_file_)),
      client_(loop_),
      flusher_(loop_, machine_clock(),
               {.interval = milliseconds_of(options, "flush_interval"),
                .repeat = milliseconds_of(options, "flush_repeat"),
                .timeout = milliseconds_of(options, "flush_timeout")},
               caches_of(options)),
      save_(loop_, [this] { save(); }) {
    follower_.emplace(
        loop_, client_,
        Follower::Options{.centres = options.list("follow"),
                          .namespace_name = options.text("namespace"),
                          .token_file = options.text("token_file"),
                          .reconnect_max = milliseconds_of(options, "reconnect_max"),
                          .silence_max = milliseconds_of(options, "silence_max")},
        Follower::Listener{.changed = [this](const Change& change) { changed(change); },
                           .start_over = [this](const Snapshot& snapshot) { start_over(snapshot); },
                           .doubted = [this] { forget_everything(); },
                           .resumed = [] {}},
        position_.revision, seeded_by_machine());
}

void RealAgent::run() {
    std::signal(SIGPIPE, SIG_IGN);
    const io::Signal term(loop_, SIGTERM, [this] { loop_.stop(); });
    const io::Signal interrupt(loop_, SIGINT, [this] { loop_.stop(); });
    const io::Signal usr1(loop_, SIGUSR1, [this] { report(); });
    loop_.run();
    save();
}

void RealAgent::changed(const Change& change) {
    log::debug("change revision={} cause={} namespace={} service={}", change.revision, change.cause,
               change.namespace_name, change.service);
    if (!change.namespace_name.empty()) position_.namespaces.insert(change.namespace_name);
    flusher_.forget(change.stale);
    if (!save_waits_) save_.start(save_after);
    save_waits_ = true;
}

void RealAgent::start_over(const Snapshot& snapshot) {
    position_.namespaces.insert(snapshot.namespaces.begin(), snapshot.namespaces.end());
    forget_everything();
}

void RealAgent::forget_everything() {
    Stale everything;
    for (const std::string& name : position_.namespaces) everything.add_zone(name);
    flusher_.forget(everything);
    if (!save_waits_) save_.start(save_after);
    save_waits_ = true;
}

void RealAgent::save() {
    save_waits_ = false;
    if (state_file_.empty()) return;
    // A revision is kept once the caches have been told of it, never before.
    if (!flusher_.has_told_all()) {
        save_waits_ = true;
        return save_.start(save_after);
    }
    position_.revision = follower_->revision();
    const auto saved = replace_file(state_file_, position_.print());
    if (!saved && can_save_)
        log::warn("state is not saved reason={}", log::quoted(saved.error().message));
    if (saved && !can_save_) log::info("state is saved again file={}", log::quoted(state_file_));
    can_save_ = saved.has_value();
}

void RealAgent::report() const {
    const auto revision = follower_->revision();
    const Follower::Counts& counts = follower_->counts();
    log::info("status revision={} changes={} connections={} snapshots={} doubts={}",
              revision ? std::to_string(*revision) : "none", counts.changes, counts.connections,
              counts.snapshots, counts.doubts);
    for (const auto& emptier : flusher_.emptiers()) {
        log::info("status cache={} well={} flushes={} failures={}", emptier->cache().word(),
                  emptier->is_well(), emptier->counts().flushes, emptier->counts().failures);
    }
}

}  // namespace

std::unique_ptr<Agent> Agent::make(const Options& options) {
    return std::make_unique<RealAgent>(options);
}

}  // namespace dnsd::agent
