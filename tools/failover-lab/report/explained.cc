#include "tools/failover-lab/report/explained.h"

#include <array>

namespace dnsd::lab {
namespace {

struct Row {
    bool (*is_about)(const Setting& setting);
    std::string_view why;
};

bool is_any(std::string_view word, std::initializer_list<std::string_view> words) {
    for (const std::string_view each : words) {
        if (word == each) return true;
    }
    return false;
}

constexpr std::array<Row, 11> table{{
    {[](const Setting& s) { return s.balance == "first"; },
     "For a TTL all requests go to whichever address came first: a run loses all or nothing, and "
     "the "
     "model their mean."},
    {[](const Setting& s) { return s.way == "envoy-xds-polled"; },
     "Envoy draws each wait between its polls, from the period to twice that, and nobody outside "
     "sees "
     "what it drew."},
    {[](const Setting& s) { return s.fault == "blind"; },
     "dnsd's checks begin at a new phase after its restart, and followers come back after waits "
     "that "
     "double, at random: both are drawn during the run."},
    {[](const Setting& s) {
         return s.fault == "dnsd_down" && is_any(s.way, {"unbound", "agent-unbound"});
     },
     "unbound hesitates, about a second, before it asks a server again that was silent."},
    {[](const Setting& s) { return s.fault == "store_lost"; },
     "Whether a client asks in the milliseconds in which the zone is back and nobody is in it yet "
     "is "
     "chance; who does, keeps the denial for the negative TTL."},
    {[](const Setting& s) { return s.way == "haproxy-agent" && s.proxy_retries > 0; },
     "The agent ends the sessions of a server that leaves, so requests that waited for it are "
     "tried "
     "again, or lost, at once."},
    {[](const Setting& s) {
         return s.way.starts_with("envoy") && s.fault == "drop" && s.proxy_retries > 0;
     },
     "In Envoy one connection that times out takes all requests with it that waited for that "
     "instance: "
     "most are tried again before they are late."},
    {[](const Setting& s) { return s.way.starts_with("envoy") && s.fault == "half"; },
     "The second of two changes that come close together waits for Envoy's pause between two "
     "requests, 0.2 to 0.4 s, which it draws."},
    {[](const Setting& s) { return s.publish_delay > 0; },
     "dnsd starts anew with its delay before the run, and probes at once: when the ticks of a long "
     "interval are is not seen before the fault."},
    {[](const Setting& s) { return s.way == "envoy-outlier"; },
     "Requests end in another order than they were sent, and the row of failures that puts an "
     "instance "
     "aside is counted at their ends."},
    {[](const Setting& s) { return s.connections != "new"; },
     "A handful of connections are kept: how many of them led to the instance, and which requests "
     "waited "
     "behind them, is chance."},
}};

}  // namespace

std::string_view explanation_of(const Setting& setting) noexcept {
    for (const Row& row : table) {
        if (row.is_about(setting)) return row.why;
    }
    return {};
}

}  // namespace dnsd::lab
