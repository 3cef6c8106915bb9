// The caches that the agent empties, and what each has to be told. Text alone: nothing is asked and
// nothing is run here.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "tools/agent/stale.h"

namespace dnsd::agent {

struct Ask {  // a control socket; the reply must be "ok"
    std::string socket, question;
    bool operator==(const Ask&) const = default;
};
struct Run {
    std::vector<std::string> command;
    bool operator==(const Run&) const = default;
};
struct Kill {
    std::string pid_file;
    int signal;
    bool operator==(const Kill&) const = default;
};
using Step = std::variant<Ask, Run, Kill>;

struct CacheKind;  // a row of the table in cache.cc

// A value.
struct Cache {
    const CacheKind* kind = nullptr;
    std::string where;  // the socket, the file or the command
    std::string word() const;

    // "unbound=/run/unbound.ctl"; what follows the '=' may be left out.
    static Result<Cache> parse(std::string_view text);
    // What makes it forget; in order.
    std::vector<Step> steps(const Stale& stale) const;
};

}  // namespace dnsd::agent
