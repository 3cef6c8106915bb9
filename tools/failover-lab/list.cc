#include "tools/failover-lab/list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/failover-lab/catalogue.h"
#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/rig/ways.h"
#include "tools/failover-lab/suite.h"

namespace dnsd::lab {
namespace {

std::string_view words_of(Family family) {
    switch (family) {
        case Family::Dns:
            return "DNS";
        case Family::Push:
            return "DNS with push";
        case Family::Proxy:
            return "proxies";
        case Family::Polling:
            return "client-side balancing";
    }
    return "";
}

std::string what_it_takes(const SettingField& field) {
    if (!field.choices.empty()) {
        std::vector<std::string_view> choices;
        for (const std::string_view choice : field.choices) {
            choices.push_back(choice.empty() ? "\"\"" : choice);
        }
        return fmt::format("{}", fmt::join(choices, ", "));
    }
    if (std::holds_alternative<bool Setting::*>(field.member)) return "true, false";
    if (std::holds_alternative<std::string Setting::*>(field.member)) return "see above";
    return fmt::format("{} to {}", field.least, field.most);
}

std::string initial(const SettingField& field) {
    static const Setting defaults;
    return std::visit([](auto member) { return nlohmann::json(defaults.*member).dump(); },
                      field.member);
}

void print_ways(std::string& text) {
    for (const Family family : {Family::Dns, Family::Push, Family::Proxy, Family::Polling}) {
        text += fmt::format("Ways: {}\n", words_of(family));
        for (const Way& way : ways()) {
            if (way.family != family) continue;
            text += fmt::format("  {:<22} {}", way.name, way.title);
            if (!way.needs.empty()) text += fmt::format(" (needs {})", fmt::join(way.needs, ", "));
            text += '\n';
        }
        text += '\n';
    }
}

}  // namespace

std::string print_list() {
    std::string text;
    print_ways(text);
    text += "Faults\n";
    for (const Fault& fault : faults()) {
        text += fmt::format("  {:<22} {}. {}\n", fault.name, fault.title, fault.about);
    }
    text += "\nPresets\n";
    for (const Preset& preset : presets()) {
        text += fmt::format("  {:<22} {}\n  {:<22} {}\n", preset.name, preset.about, "",
                            name_of(preset.setting));
    }
    text += "\nSuites\n";
    for (const std::string& name : suite_names()) {
        const auto suite = find_suite(name);
        text += fmt::format("  {:<22} {}\n", name, suite ? suite->about : suite.error().message);
    }
    text += "\nFields of a setting: what they take, what they are at first\n";
    for (const SettingField& field : setting_fields()) {
        text += fmt::format("  {:<22} {:<40} {:<10} {}\n", field.name, what_it_takes(field),
                            initial(field), field.help);
    }
    return text;
}

}  // namespace dnsd::lab
