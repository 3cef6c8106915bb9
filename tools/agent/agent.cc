#include "tools/agent/agent.h"

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/io/loop.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "tools/agent/config.h"
#include "tools/agent/files.h"
#include "tools/agent/flusher.h"
#include "tools/agent/follower.h"
#include "tools/agent/haproxy.h"
#include "tools/agent/output.h"
#include "tools/agent/position.h"
#include "tools/agent/services.h"

namespace dnsd::agent {

namespace {

// The position may be a little old: what it misses is emptied once more.
constexpr Milliseconds save_after(500);
constexpr Milliseconds reconfirm_interval(1000);  // of one instance
constexpr Milliseconds haproxy_timeout(2000);     // of one command; each takes 0.1 ms

HaProxy::Options haproxy_options(const Options& options) {
    return {.socket = options.text("haproxy.socket"),
            .file = options.text("haproxy.file"),
            .bindings = bindings_of(options),
            .backend_lines = options.list("haproxy.backend_lines"),
            .server_options = options.text("haproxy.server_options"),
            .interval = milliseconds_of(options, "haproxy.interval"),
            .timeout = haproxy_timeout,
            .shutdown_after = milliseconds_of(options, "haproxy.shutdown_after")};
}

std::set<ServiceKey> services_in(const Options& options) {
    std::set<ServiceKey> keys;
    for (const Binding& binding : bindings_of(options)) keys.insert(binding.service);
    for (const OutputRule& rule : outputs_of(options)) keys.insert(rule.service);
    return keys;
}

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
    void tell(const ServiceKey& service, const Members& members);
    void reconfirm(const ServiceKey& service, const std::string& id);
    void save();
    void report() const;

    const std::string state_file_;
    bool can_save_ = true;
    Position position_;  // as it is saved: what all caches have been told of

    io::Loop loop_;
    http::Client client_;
    Flusher flusher_;
    std::unique_ptr<HaProxy> haproxy_;  // null: it is not driven
    std::vector<std::unique_ptr<Output>> outputs_;
    const bool reconfirms_;
    std::map<std::pair<ServiceKey, std::string>, SteadyTime> reconfirmed_;  // when it was asked for
    Services services_;
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
      reconfirms_(options.boolean("haproxy.reconfirm")),
      services_(
          loop_, client_, services_in(options),
          [this](std::string_view path) { return follower_->request(path); },
          [this](const ServiceKey& key, const Members& members) { tell(key, members); }),
      save_(loop_, [this] { save(); }) {
    if (!options.list("haproxy.backends").empty()) {
        haproxy_ = std::make_unique<HaProxy>(
            loop_, haproxy_options(options),
            [this](const ServiceKey& service, const std::string& id) { reconfirm(service, id); });
    }
    for (OutputRule& rule : outputs_of(options))
        outputs_.push_back(std::make_unique<Output>(loop_, std::move(rule),
                                                    milliseconds_of(options, "command_timeout")));
    follower_.emplace(
        loop_, client_,
        Follower::Options{.centres = options.list("follow"),
                          .namespace_name = options.text("namespace"),
                          .token_file = options.text("token_file"),
                          .ca_file = options.text("ca_file"),
                          .reconnect_max = milliseconds_of(options, "reconnect_max"),
                          .silence_max = milliseconds_of(options, "silence_max")},
        Follower::Listener{.changed = [this](const Change& change) { changed(change); },
                           .start_over = [this](const Snapshot& snapshot) { start_over(snapshot); },
                           .doubted = [this] { forget_everything(); },
                           .resumed = [this] { services_.read_all(); }},
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
    if (change.service.empty()) {
        services_.read_all();
    } else {
        services_.read({change.namespace_name, change.service}, change.cause == "service_deleted");
    }
    if (!save_waits_) save_.start(save_after);
    save_waits_ = true;
}

void RealAgent::start_over(const Snapshot& snapshot) {
    position_.namespaces.insert(snapshot.namespaces.begin(), snapshot.namespaces.end());
    forget_everything();
    services_.read_all();
}

void RealAgent::forget_everything() {
    Stale everything;
    for (const std::string& name : position_.namespaces) everything.add_zone(name);
    flusher_.forget(everything);
    if (!save_waits_) save_.start(save_after);
    save_waits_ = true;
}

void RealAgent::tell(const ServiceKey& service, const Members& members) {
    log::info("members service={} used={} draining={}", log::quoted(service.print()),
              members.used.size(), members.draining.size());
    if (haproxy_) haproxy_->set_members(service, members);
    for (const auto& output : outputs_) {
        if (output->rule().service == service) output->set_members(members);
    }
}

void RealAgent::reconfirm(const ServiceKey& service, const std::string& id) {
    if (!reconfirms_) return;
    const SteadyTime now = machine_clock().steady();
    std::erase_if(reconfirmed_,
                  [&](const auto& one) { return now >= one.second + reconfirm_interval; });
    if (!reconfirmed_.try_emplace({service, id}, now).second) return;
    log::info("HAProxy sees it down service={} id={}", log::quoted(service.print()),
              log::quoted(id));
    http::Request request =
        follower_->request(service.path() + "/instances/" + percent_encoded(id) + "/reconfirm");
    request.method = "POST";
    client_.send(std::move(request), [](const Result<http::Response>& reply) {
        // It is asked again as long as HAProxy sees it down.
        if (!reply || reply->status >= 300)
            log::debug("reconfirm is refused reason={}",
                       log::quoted(reply ? reply->body : reply.error().message));
    });
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
    if (haproxy_)
        log::info("status haproxy well={} looks={} commands={} failures={}", haproxy_->is_well(),
                  haproxy_->counts().looks, haproxy_->counts().commands,
                  haproxy_->counts().failures);
    for (const auto& output : outputs_) {
        log::info("status output={} writes={} commands={} failures={}",
                  log::quoted(output->rule().file), output->counts().writes,
                  output->counts().commands, output->counts().failures);
    }
}

}  // namespace

std::unique_ptr<Agent> Agent::make(const Options& options) {
    return std::make_unique<RealAgent>(options);
}

}  // namespace dnsd::agent
