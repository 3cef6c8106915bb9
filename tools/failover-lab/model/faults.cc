#include "tools/failover-lab/model/faults.h"

#include <algorithm>

namespace dnsd::lab {
namespace {

using Plan = std::vector<Action>;

// One of them, the first, is hit and stays so.
template <const char* Word>
Plan for_good(const Setting&) {
    return {{0, 0, Word}};
}

// The same, for the fault's length.
template <const char* Word>
Plan for_a_while(const Setting& setting) {
    return {{0, 0, Word}, {setting.fault_length, 0, "well"}};
}

template <const char* Down, const char* Up>
Plan discovery_for_a_while(const Setting& setting) {
    return {{0, -1, Down}, {setting.fault_length, -1, Up}};
}

// The words as constants with linkage, which templates want.
constexpr char refuse[] = "refuse", hang[] = "hang", drop[] = "drop", sick[] = "sick",
               gray[] = "gray", slow[] = "slow", dnsd_down[] = "dnsd_down", dnsd_up[] = "dnsd_up",
               proxy_down[] = "proxy_down", proxy_up[] = "proxy_up";

// The longest that `safe_after` can be: the last answer carried the TTL a moment ago, and an SRV
// record names the instance's own name, which has the same TTL; plus the second of rounding.
double safe_after(const Setting& setting) { return 2.0 * static_cast<double>(setting.ttl) + 1.0; }

double no_longer(const Setting&) { return 0; }

// Three times down, and up again, a fifth of the fault's length each.
Plan flaps(const Setting& setting) {
    Plan plan;
    for (int turn = 0; turn < 3; ++turn) {
        plan.push_back({2 * turn * setting.fault_length / 5, 0, refuse});
        plan.push_back({(2 * turn + 1) * setting.fault_length / 5, 0, "well"});
    }
    return plan;
}

Plan half_of_them(const Setting& setting) {
    Plan plan;
    const auto half = static_cast<int>((setting.instances + 1) / 2);
    for (int instance = 0; instance < half; ++instance) plan.push_back({0, instance, refuse});
    return plan;
}

// The agent dies, and then an instance: what was pushed must now lapse.
Plan unattended(const Setting&) { return {{0, -1, "agent_down"}, {0.5, 0, refuse}}; }

// dnsd dies, and then an instance: nobody is there to notice.
Plan blind(const Setting& setting) {
    return {{0, -1, dnsd_down}, {0.5, 0, refuse}, {setting.fault_length, -1, dnsd_up}};
}

const std::vector<Fault> table{
    {"kill", "An instance is killed",
     "The process gets SIGKILL; new connections are refused at once (RST).", false,
     for_good<refuse>, no_longer},
    {"stop", "An instance hangs",
     "The process gets SIGSTOP: connections are taken, and nothing comes back.", false,
     for_good<hang>, no_longer},
    {"drop", "Packets to an instance vanish",
     "The network drops whatever is sent to it: not even connections come about.", false,
     for_good<drop>, no_longer},
    {"sick", "An instance says it is sick, and serves",
     "Its health endpoint answers 503, requests are served: whoever fails, fails by overreacting.",
     false, for_a_while<sick>, no_longer},
    {"gray", "An instance fails requests, and says it is well",
     "Requests get 503, the health endpoint 200: no check can see it.", false, for_a_while<gray>,
     no_longer},
    {"slow", "An instance answers 0.4 s late",
     "Every answer is late, that of the health endpoint too.", false, for_a_while<slow>, no_longer},
    {"deregister", "An instance is deregistered and stopped at once",
     "What a deployment does that knows nothing of caches.", false,
     [](const Setting&) -> Plan { return {{0, 0, "deregister"}, {0, 0, refuse}}; }, no_longer},
    {"deregister_drained", "An instance is deregistered, and stopped at safe_after",
     "dnsd's reply says when no cache holds the instance any more; then it is stopped.", false,
     [](const Setting& setting) -> Plan {
         return {{0, 0, "deregister"}, {safe_after(setting), 0, refuse}};
     },
     no_longer},
    {"deregister_ttl", "An instance is deregistered, and stopped a TTL later",
     "What a deployment does that trusts TTLs.", false,
     [](const Setting& setting) -> Plan {
         return {{0, 0, "deregister"}, {static_cast<double>(setting.ttl), 0, refuse}};
     },
     no_longer},
    {"flap", "An instance dies and returns, three times",
     "It is down for a fifth of the time each.", false, flaps, no_longer},
    {"return", "An instance dies, and returns", "How soon does it get its share again?", false,
     for_a_while<refuse>, no_longer},
    {"half", "Half of the instances die at once",
     "The larger half of them gets SIGKILL: two of three.", false, half_of_them, no_longer},
    {"add", "An instance is added", "How soon does it get its share of the load?", false,
     [](const Setting& setting) -> Plan {
         return {{0, static_cast<int>(setting.instances), "register"}};
     },
     [](const Setting&) { return 3.0; }},
    {"born", "A service is born while clients already ask for it",
     "Clients ask for a name that does not exist; 1.3 s later its instances are registered.", false,
     [](const Setting&) -> Plan { return {{0, -1, "first_request"}, {1.3, -1, "register"}}; },
     [](const Setting&) { return 3.0; }},
    {"dnsd_down", "dnsd is killed",
     "Nothing else happens to anybody. Who goes on, and for how long?", true,
     discovery_for_a_while<dnsd_down, dnsd_up>, no_longer},
    {"blind", "dnsd is killed, then an instance",
     "Half a second after dnsd an instance dies: nobody is there to say so.", true, blind,
     no_longer},
    {"store_lost", "dnsd's database is lost",
     "The file is deleted, dnsd is killed and starts with an empty one; later all is registered "
     "again.",
     true,
     [](const Setting& setting) -> Plan {
         return {{0, -1, "store_lost"}, {setting.fault_length, -1, "register"}};
     },
     no_longer},
    {"proxy_down", "The proxy is killed",
     "Its requests are lost until it is back; who has none loses nothing.", true,
     discovery_for_a_while<proxy_down, proxy_up>, no_longer},
    {"agent_down", "dnsd-agent is killed, then an instance",
     "Caches are no longer emptied: the TTL decides again.", true, unattended, no_longer},
};

}  // namespace

std::span<const Fault> faults() { return table; }

const Fault* find_fault(std::string_view name) noexcept {
    const auto row = std::ranges::find(table, name, &Fault::name);
    return row == table.end() ? nullptr : &*row;
}

}  // namespace dnsd::lab
