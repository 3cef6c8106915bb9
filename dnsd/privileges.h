// Whose rights the process has: dnsd is started as root where its ports want it, and stays root no
// longer than that.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace dnsd {

// The user that dnsd becomes. Calls concern all threads of the process, so they come before any
// that answers is started.
class Privileges {
  public:
    // Nothing to become where `user` is empty, or where the process is not root's.
    static Result<Privileges> find(const std::string& user);

    // What is made in between belongs to the user, and what it may not touch fails here already.
    Result<> lower();
    Result<> raise();
    Result<> drop();  // for good

  private:
    struct User {
        std::string name;
        uid_t uid;
        gid_t gid;
    };
    std::optional<User> user_;
};

}  // namespace dnsd
