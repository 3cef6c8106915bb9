#include "tools/agent/services.h"

#include <fmt/format.h>

#include "base/log.h"

namespace dnsd::agent {

namespace {

constexpr Milliseconds retry_after(500);

}  // namespace

Services::Services(io::Loop& loop, http::Client& client, std::set<ServiceKey> keys,
                   MakeRequest make_request, OnMembers on_members)
    : client_(client),
      make_request_(std::move(make_request)),
      on_members_(std::move(on_members)),
      retry_(loop, [this] {
          for (auto& [key, reading] : readings_) {
              if (reading.again && !reading.under_way) begin(key, reading);
          }
      }) {
    for (const ServiceKey& key : keys) readings_[key];
}

void Services::read(const ServiceKey& key, bool deleted) {
    const auto found = readings_.find(key);
    if (found == readings_.end()) return;
    Reading& reading = found->second;
    reading.deleted = deleted;
    reading.again = true;
    if (!reading.under_way) begin(key, reading);
}

void Services::read_all() {
    for (const auto& [key, reading] : readings_) read(key, false);
}

void Services::begin(const ServiceKey& key, Reading& reading) {
    reading.under_way = true;
    reading.again = reading.absent = false;
    reading.failure.clear();
    reading.replies_due = 2;
    get(key, key.path(), &Reading::service);
    get(key, key.path() + "/instances?limit=10000", &Reading::instances);
}

void Services::get(const ServiceKey& key, const std::string& path, std::string Reading::* into) {
    client_.send(make_request_(path), [this, key, into](Result<http::Response> reply) {
        Reading& reading = readings_[key];
        if (!reply) {
            reading.failure = reply.error().message;
        } else if (reply->status == 404) {
            reading.absent = true;
        } else if (reply->status != 200) {
            reading.failure = fmt::format("it answered {}", reply->status);
        } else {
            reading.*into = std::move(reply->body);
        }
        if (--reading.replies_due == 0) finish(key, reading);
    });
}

void Services::finish(const ServiceKey& key, Reading& reading) {
    reading.under_way = false;
    if (!reading.failure.empty()) return fail_with(key, reading, reading.failure);
    Result<Members> members = Members();
    if (!reading.absent) {
        members = judge_members(reading.service, reading.instances, reading.members);
        if (!members) return fail_with(key, reading, members.error().message);
    } else if (!reading.deleted) {
        // An old answer beats none, unless the stream has told that this service was deleted.
        return fail_with(key, reading, "there is no such service");
    }
    reading.last_failure.clear();
    const bool is_news = !reading.known || *members != reading.members;
    reading.known = true;
    reading.members = std::move(*members);
    if (is_news) on_members_(key, reading.members);
    if (reading.again) begin(key, reading);
}

void Services::fail_with(const ServiceKey& key, Reading& reading, const std::string& reason) {
    ++failures_;
    if (reason != reading.last_failure)
        log::warn("service is not read service={} reason={}", log::quoted(key.print()),
                  log::quoted(reason));
    reading.last_failure = reason;
    reading.again = true;
    retry_.start(retry_after);
}

}  // namespace dnsd::agent
