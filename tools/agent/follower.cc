#include "tools/agent/follower.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "tools/agent/files.h"

namespace dnsd::agent {

namespace {

constexpr Milliseconds back_off_least(100), connect_timeout(3000), request_timeout(10'000);
// A liar makes us empty caches; not more often than this.
constexpr Milliseconds back_off_after_doubt(2000);
constexpr std::size_t head_octets_max = 512;

}  // namespace

Follower::Follower(io::Loop& loop, http::Client& client, Options options, Listener listener,
                   std::optional<std::uint64_t> revision, Random random)
    : loop_(loop),
      client_(client),
      options_(std::move(options)),
      listener_(std::move(listener)),
      random_(random),
      revision_(revision),
      back_off_(back_off_least),
      reconnect_(loop, [this] { connect(); }),
      silence_(loop, [this] {
          client_.cancel(request_);
          lost("silence");
      }) {
    reconnect_.start(Milliseconds(0));
}

// Read each time, so that a token may be changed without a restart.
std::string Follower::token() const {
    if (options_.token_file.empty()) return {};
    if (const auto token = read_whole(options_.token_file)) return std::string(trimmed(*token));
    log::warn("token cannot be read file={}", log::quoted(options_.token_file));
    return {};
}

http::Request Follower::request(std::string_view path) const {
    http::Request request;
    std::string_view centre = options_.centres[centre_];
    while (centre.ends_with('/')) centre.remove_suffix(1);
    request.url = fmt::format("{}{}", centre, path);
    request.token = token();
    request.ca_file = options_.ca_file;
    request.ca_option = "ca_file";
    request.timeout = request_timeout;
    request.connect_timeout = connect_timeout;
    return request;
}

void Follower::connect() {
    http::Request watch = request(
        options_.namespace_name.empty()
            ? "/v1/watch"
            : fmt::format("/v1/watch?namespace={}", percent_encoded(options_.namespace_name)));
    watch.timeout = Milliseconds(0);
    watch.headers.emplace_back("Accept: text/event-stream");
    if (revision_) watch.headers.push_back(fmt::format("Last-Event-ID: {}", *revision_));
    stream_ = std::make_unique<http::EventStream>(
        [this](const http::ServerSentEvent& event) { take(event); });
    greeted_ = doubted_ = false;
    head_.clear();
    watch.on_body = [this](std::string_view octets) { return read(octets); };
    ++counts_.connections;
    silence_.start(options_.silence_max);
    request_ = client_.send(std::move(watch), [this](const Result<http::Response>& reply) {
        if (!reply) return lost(reply.error().message);
        if (reply->status != 200)
            return lost(fmt::format("it answered {}: {}", reply->status, trimmed(head_)));
        lost(doubted_ ? "it contradicts itself" : "it closed the stream");
    });
}

bool Follower::read(std::string_view octets) {
    silence_.start(options_.silence_max);
    if (head_.size() < head_octets_max) head_ += octets.substr(0, head_octets_max - head_.size());
    // Dnsd resumes with a comment, and begins a snapshot with an event; a refusal is JSON.
    if (!greeted_ && head_.starts_with(':')) {
        heard();
        listener_.resumed();
    }
    if (!stream_->read(octets)) doubt("an event has no end");
    return !doubted_;
}

void Follower::heard() {
    greeted_ = true;
    back_off_ = back_off_least;
    last_loss_.clear();
    log::info("following centre={} revision={}", log::quoted(options_.centres[centre_]),
              revision_ ? std::to_string(*revision_) : "none");
}

void Follower::take(const http::ServerSentEvent& event) {
    if (doubted_) return;
    if (event.type == "change") {
        take_change(event.data);
    } else if (event.type == "snapshot") {
        take_snapshot(event.data);
    }
    // A reset is always followed by a snapshot, and that says enough.
}

void Follower::take_change(const std::string& data) {
    const auto change = parse_change(data);
    if (!change) return doubt(change.error().message);
    if (!revision_) return doubt("a change comes before a snapshot");
    // Every revision is one change; of a single namespace, others are missing.
    if (change->revision <= *revision_ ||
        (options_.namespace_name.empty() && change->revision != *revision_ + 1))
        return doubt(fmt::format("revision {} follows {}", change->revision, *revision_));
    revision_ = change->revision;
    ++counts_.changes;
    if (!greeted_) heard();
    listener_.changed(*change);
}

void Follower::take_snapshot(const std::string& data) {
    const auto snapshot = parse_snapshot(data);
    if (!snapshot) return doubt(snapshot.error().message);
    revision_ = snapshot->revision;
    ++counts_.snapshots;
    if (!greeted_) heard();
    listener_.start_over(*snapshot);
}

void Follower::doubt(const std::string& reason) {
    doubted_ = true;
    back_off_ = std::max(back_off_, back_off_after_doubt);
    ++counts_.doubts;
    revision_.reset();  // so that the next connection brings a snapshot
    log::warn("stream is not believed centre={} reason={}", log::quoted(options_.centres[centre_]),
              log::quoted(reason));
    listener_.doubted();
}

void Follower::lost(const std::string& reason) {
    request_ = 0;
    silence_.stop();
    const std::string loss = fmt::format(
        "centre={} reason={}", log::quoted(options_.centres[centre_]), log::quoted(reason));
    if (loss != last_loss_) log::warn("not following {}", loss);
    last_loss_ = loss;
    centre_ = (centre_ + 1) % options_.centres.size();
    // Between half and all of it, so that those who lost one centre together come back apart.
    const auto half = static_cast<std::uint32_t>(back_off_.count() / 2);
    reconnect_.start(Milliseconds(half + draw_below(random_, half + 1)));
    back_off_ = std::min(2 * back_off_, options_.reconnect_max);
}

}  // namespace dnsd::agent
