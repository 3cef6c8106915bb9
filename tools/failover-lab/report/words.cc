#include "tools/failover-lab/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

bool has_ttl(const Setting& setting) {
    const Way* way = find_way(setting.way);
    // What is pushed has one too, and shows that it does not matter.
    if (!way || way->family == Family::Dns || way->family == Family::Push) return true;
    for (const ViewClock& view : way->clocks(setting).views) {
        if (view.kind == ViewClock::Kind::Ttl) return true;
    }
    return false;
}

std::string stub_title(const std::string& stub) {
    if (stub == "cares") return "c-ares";
    if (stub == "jvm") return "OpenJDK";
    return stub == "node" ? "Node" : stub;
}

std::string number(double value) { return fmt::format("{:g}", value); }

// What the title of a way does not say already.
void add_words(std::string& title, const SettingField& field, const Setting& setting) {
    const Setting usual;
    const auto add = [&](const std::string& words) { title += ", " + words; };
    const auto name = field.name;
    const auto retries = [](std::int64_t count) {
        return fmt::format("{} {}", count, count == 1 ? "retry" : "retries");
    };
    if (name == "stub") return add("by " + stub_title(setting.stub));
    if (name == "connections")
        return add(setting.connections == "maxage" ? "connections up to an age"
                                                   : "connections kept");
    if (name == "client_retries") return add("client: " + retries(setting.client_retries));
    if (name == "proxy_retries") return add(retries(setting.proxy_retries));
    if (name == "topology") return add("central");
    if (name == "reconfirm") return add("reconfirm");
    if (name == "poll") return add("every " + number(setting.poll) + " s");
    if (name == "interval" || name == "fall") {
        const bool said = name == "fall" && setting.interval != usual.interval;
        if (!said) add(fmt::format("checks {} s x {}", number(setting.interval), setting.fall));
        return;
    }
    const std::string label = name == "fault_length" ? "fault" : std::string(name);
    std::visit([&](auto member) { add(fmt::format("{} {}", label, setting.*member)); },
               field.member);
}

bool differs(const SettingField& field, const Setting& setting) {
    static const Setting usual;
    return std::visit([&](auto member) { return !(setting.*member == usual.*member); },
                      field.member);
}

}  // namespace

std::string_view family_of(const Setting& setting) noexcept {
    const Way* way = find_way(setting.way);
    if (!way || way->family == Family::Dns) return "dns";
    if (way->family == Family::Push) return "push";
    if (way->family == Family::Polling) return "polling";
    return setting.topology == "central" ? "central" : "sidecar";
}

std::string way_title(const Setting& setting) {
    const Way* way = find_way(setting.way);
    if (!way) return setting.way;
    if (setting.way == "dns") return "direct DNS";
    // What goes without saying where the family is known.
    std::string_view title = way->title;
    for (const std::string_view prefix :
         {"DNS with push: ", "DNS by ", "DNS with ", "A client that polls ", "a ", "the "}) {
        if (title.starts_with(prefix)) title.remove_prefix(prefix.size());
    }
    return way->family == Family::Polling ? "polling " + std::string(title) : std::string(title);
}

std::string fault_title(const Setting& setting) {
    const Fault* fault = find_fault(setting.fault);
    return fault ? std::string(fault->title) : setting.fault;
}

std::string title_of(const Setting& setting) {
    std::string title = way_title(setting);
    if (!setting.preset.empty()) title = fmt::format("{} (preset {})", title, setting.preset);
    if (has_ttl(setting)) title += fmt::format(", TTL {}", setting.ttl);
    for (const SettingField& field : setting_fields()) {
        if (field.name == "way" || field.name == "fault" || field.name == "preset" ||
            field.name == "ttl") {
            continue;
        }
        // A preset's name stands for all that it sets.
        if (setting.preset.empty() && differs(field, setting)) add_words(title, field, setting);
    }
    return title;
}

bool is_plain(const Setting& setting) {
    Setting plain;
    plain.way = setting.way;
    plain.fault = setting.fault;
    plain.ttl = setting.ttl;
    plain.topology = setting.topology;
    plain.reconfirm = setting.reconfirm;
    plain.fault_length = setting.fault_length;
    plain.stub = setting.stub;
    return plain == setting;
}

std::string seconds_text(double seconds) {
    const double size = std::abs(seconds);
    return size >= 99.95   ? fmt::format("{:.0f}", seconds)
           : size >= 9.995 ? fmt::format("{:.1f}", seconds)
                           : fmt::format("{:.2f}", seconds);
}

std::string interval_text(double mean, Interval interval) {
    // Student's t knows not that there is less than nothing.
    return fmt::format("{} ({} to {})", seconds_text(mean),
                       seconds_text(std::max(0.0, interval.low)), seconds_text(interval.high));
}

}  // namespace dnsd::lab
