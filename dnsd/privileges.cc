#include "dnsd/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace dnsd {

namespace {

Result<> outcome(int status, const std::string& what) {
    if (status == 0) return {};
    return fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

Result<Privileges> Privileges::find(const std::string& user) {
    Privileges privileges;
    if (user.empty()) return privileges;
    std::array<char, 4096> text{};
    passwd entry{};
    passwd* found = nullptr;
    getpwnam_r(user.c_str(), &entry, text.data(), text.size(), &found);
    if (!found) return fail(fmt::format("user: there is no user '{}' on this machine", user));
    if (geteuid() != 0) {
        if (geteuid() != found->pw_uid)
            log::warn("not root, user stays wanted={}", log::quoted(user));
        return privileges;
    }
    if (found->pw_uid != 0) privileges.user_ = User{user, found->pw_uid, found->pw_gid};
    return privileges;
}

Result<> Privileges::lower() {
    if (!user_) return {};
    const std::string what = fmt::format("become user '{}'", user_->name);
    if (auto done = outcome(setegid(user_->gid), what); !done) return done;
    return outcome(seteuid(user_->uid), what);
}

Result<> Privileges::raise() {
    if (!user_) return {};
    if (auto done = outcome(seteuid(0), "become root again"); !done) return done;
    return outcome(setegid(0), "become root again");
}

Result<> Privileges::drop() {
    if (!user_) return {};
    const std::string what = fmt::format("become user '{}'", user_->name);
    if (auto done = outcome(initgroups(user_->name.c_str(), user_->gid), what); !done) return done;
    if (auto done = outcome(setgid(user_->gid), what); !done) return done;
    if (auto done = outcome(setuid(user_->uid), what); !done) return done;
    if (setuid(0) == 0) return fail(what + ": root's rights came back");
    return {};
}

}  // namespace dnsd
