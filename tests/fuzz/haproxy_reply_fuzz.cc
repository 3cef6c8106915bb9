// What HAProxy, or whoever has its socket, answers; and the commands that are made of it.
#include <cstdlib>

#include "tools/agent/haproxy_plan.h"

using namespace dnsd::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view reply(reinterpret_cast<const char*>(data), size);
    const auto servers = parse_servers_state(reply);
    if (!servers) return 0;
    Members members;
    members.used = {{"i-1", "192.0.2.1", 80, 1}};
    members.dead = {"i-2"};
    members.draining = {"i-3"};
    for (const HaCommand& command : plan_servers("web", *servers, members, {"i-2"}, "check")) {
        // One line is one command.
        if (command.text.find('\n') != command.text.npos) std::abort();
    }
    return 0;
}
