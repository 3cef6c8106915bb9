// Whom this registry follows, if it follows one: it is a replica then, and changes are made there.
// The daemon brings it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace dnsd::api {

struct FollowingStatus {
    bool is_connected = false;
    bool has_state = false;  // it has been told everything once, by this process or one before
    std::string centre;      // the one that is followed now
    Milliseconds silent_for{0};
    std::string trouble;  // why it is not connected, or the last thing that went wrong
};

struct Following {
    std::vector<std::string> centres;         // empty: this is a centre itself
    std::function<FollowingStatus()> status;  // any thread
};

}  // namespace dnsd::api
