#include "tools/failover-lab/model_command.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/fleet.h"

namespace dnsd::lab {
namespace {

std::string print_view(const ViewClock& view) {
    switch (view.kind) {
        case ViewClock::Kind::Poll:
            if (view.spread > 0)
                return fmt::format("a poll every {:g} to {:g} s", view.period,
                                   view.period + view.spread);
            return fmt::format("a poll every {:g} s", view.period);
        case ViewClock::Kind::Push:
            return view.cache.empty() ? fmt::format("a push of about {:g} s", view.period)
                                      : fmt::format("{}, emptied about {:g} s after news",
                                                    view.cache, view.period);
        case ViewClock::Kind::Ttl:
            break;
    }
    return fmt::format("the cache {}", view.cache == "cache" ? "in the process" : view.cache);
}

std::string print_clocks(const Setting& setting, const Clocks& clocks) {
    std::string text;
    const auto out = std::back_inserter(text);
    const std::string checks =
        fmt::format("{} checks every {:g} s, given up after {:g} s, {} failures in a row",
                    setting.check, setting.interval, setting.check_timeout(), setting.fall);
    switch (clocks.checker) {
        case Clocks::Checker::Dnsd:
            fmt::format_to(out, "  detection    dnsd's: {}\n", checks);
            break;
        case Clocks::Checker::Own:
            fmt::format_to(out, "  detection    its own: {}\n", checks);
            break;
        case Clocks::Checker::Nobody:
            fmt::format_to(out, "  detection    no checks\n");
            break;
    }
    if (clocks.ejects_after > 0)
        fmt::format_to(out, "  passive      {} failures in a row: put aside for {:g} s\n",
                       clocks.ejects_after, clocks.ejected_for);
    for (const ViewClock& view : clocks.views)
        fmt::format_to(out, "  follows by   {}\n", print_view(view));
    return text;
}

std::string print_expectation(const Expectation& expected) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "One run, over all phases of the clocks:\n");
    fmt::format_to(out, "                    mean      max\n");
    fmt::format_to(out, "  window        {:7.3f} s {:7.3f} s{}\n", expected.window_mean,
                   expected.window_max,
                   expected.open_ended ? "   until the fault, or the load, ends" : "");
    const std::array parts{std::pair("detection", expected.detection),
                           std::pair("publication", expected.publication),
                           std::pair("cache", expected.cache_residual),
                           std::pair("connections", expected.connection_residual)};
    for (const auto& [name, seconds] : parts)
        fmt::format_to(out, "    {:<12}{:7.3f} s\n", name, seconds);
    fmt::format_to(out, "  bad-seconds   {:7.3f} s {:7.3f} s   failed, or slower than 250 ms\n",
                   expected.bad_seconds_mean, expected.bad_seconds_max);
    fmt::format_to(out, "  error-seconds {:7.3f} s\n", expected.error_seconds_mean);
    return text;
}

std::string print_fleets(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(
        out,
        "Fleets, of which one backend of one service is hit (requests: of a node, for all "
        "its services):\n");
    fmt::format_to(out, "{:>7} {:>8} {:>8} {:>10} | {:>9} {:>9} | {:>10} {:>10} {:>10} {:>10}\n",
                   "nodes", "services", "backends", "requests/s", "error-s", "last node",
                   "queries/s", "probes/s", "messages/s", "per change");
    constexpr std::array fleets{Fleet{10, 5, 3, 50}, Fleet{100, 20, 5, 200},
                                Fleet{1000, 50, 10, 50}, Fleet{1000, 50, 10, 1000},
                                Fleet{5000, 200, 20, 1000}};
    for (const Fleet& fleet : fleets) {
        const FleetResult result = extrapolate(fleet, setting, clocks, ttls, {}, 1);
        fmt::format_to(out,
                       "{:>7} {:>8} {:>8} {:>10g} | {:>9.3f} {:>7.1f} s | {:>10.0f} {:>10.0f} "
                       "{:>10.0f} {:>10.0f}\n",
                       fleet.nodes, fleet.services, fleet.backends, fleet.requests_per_node,
                       result.error_seconds, result.last_node, result.queries_per_second,
                       result.probes_per_second, result.messages_per_second,
                       result.messages_per_change);
    }
    return text;
}

}  // namespace

std::string print_model(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls) {
    const Fault* fault = find_fault(setting.fault);
    const Expectation expected = expect(setting, clocks, ttls, {});
    std::string text = fmt::format("{}\n", name_of(setting));
    if (fault) text += fmt::format("{}. {}\n", fault->title, fault->about);
    text += print_clocks(setting, clocks);
    text += "\n" + print_expectation(expected);
    // A fleet is asked about its backends alone.
    if (fault && !fault->of_discovery && setting.fault != "born" && setting.fault != "add")
        text += "\n" + print_fleets(setting, clocks, ttls);
    return text;
}

}  // namespace dnsd::lab
