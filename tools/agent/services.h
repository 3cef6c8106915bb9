// Reads from dnsd who the members of a service are, whenever it may have changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/http/client.h"
#include "base/io/loop.h"
#include "tools/agent/service.h"

namespace dnsd::agent {

// Belongs to its loop's thread.
class Services {
  public:
    using MakeRequest = std::function<http::Request(std::string_view path)>;
    using OnMembers = std::function<void(const ServiceKey& key, const Members& members)>;

    // `keys`: those that somebody wants to know.
    Services(io::Loop& loop, http::Client& client, std::set<ServiceKey> keys,
             MakeRequest make_request, OnMembers on_members);

    // It may have changed: it is read, and again if it changes while it is read. `deleted`: that it
    // is not there is true, and not the mark of a lost store.
    void read(const ServiceKey& key, bool deleted);
    void read_all();

    std::uint64_t failures() const noexcept { return failures_; }

  private:
    struct Reading {
        Members members;  // the last that were read
        bool known = false, under_way = false, again = false, deleted = false;
        std::string service, instances;  // what has come of this read
        unsigned replies_due = 0;
        std::string failure, last_failure;
        bool absent = false;
    };
    void begin(const ServiceKey& key, Reading& reading);
    void get(const ServiceKey& key, const std::string& path, std::string Reading::* into);
    void finish(const ServiceKey& key, Reading& reading);
    void fail_with(const ServiceKey& key, Reading& reading, const std::string& reason);

    http::Client& client_;
    const MakeRequest make_request_;
    const OnMembers on_members_;
    std::map<ServiceKey, Reading> readings_;
    std::uint64_t failures_ = 0;
    io::Timer retry_;
};

}  // namespace dnsd::agent
