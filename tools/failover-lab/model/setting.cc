#include "tools/failover-lab/model/setting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

const std::vector<SettingField> fields{
    {"way", &Setting::way, 0, 0, {}, "What stands between the client and the instances."},
    {"fault", &Setting::fault, 0, 0, {}, "What happens."},
    {"preset", &Setting::preset, 0, 0, {}, "Named settings to begin from."},
    {"ttl", &Setting::ttl, 0, 86400, {}, "The TTL of the service's records, in seconds."},
    {"negative_ttl", &Setting::negative_ttl, 0, 86400, {}, "The zone's negative TTL."},
    {"check", &Setting::check, 0, 0, {"http", "tcp"}, "How instances are probed."},
    {"interval", &Setting::interval, 0.1, 3600, {}, "Seconds between two probes of an instance."},
    {"timeout", &Setting::timeout, 0, 3600, {}, "Of a probe; 0: 0.9 of the interval."},
    {"rise", &Setting::rise, 1, 100, {}, "Successes in a row that make an instance healthy."},
    {"fall", &Setting::fall, 1, 100, {}, "Failures in a row that make it unhealthy."},
    {"publish_delay", &Setting::publish_delay, 0, 3600, {}, "Between commit and answers."},
    {"instances", &Setting::instances, 1, 50, {}, "Instances of the service."},
    {"stub",
     &Setting::stub,
     0,
     0,
     {"", "cache", "glibc", "cares", "jvm", "node"},
     "The client's own resolver; empty: the way's."},
    {"clients", &Setting::clients, 1, 16, {}, "Clients that share the rate."},
    {"connections",
     &Setting::connections,
     0,
     0,
     {"new", "keepalive", "maxage"},
     "Of the hop from the client."},
    {"pool", &Setting::pool, 1, 256, {}, "Connections of a client that keeps them."},
    {"max_age", &Setting::max_age, 0.1, 3600, {}, "Of a connection, with maxage."},
    {"balance", &Setting::balance, 0, 0, {"roundrobin", "random", "first"}, "Among instances."},
    {"client_retries", &Setting::client_retries, 0, 5, {}, "On another address."},
    {"try_timeout", &Setting::try_timeout, 0, 60, {}, "0: 1 s without retries, 0.3 s with them."},
    {"deadline", &Setting::deadline, 0, 60, {}, "Of a request; 0: 1 s, or 1.5 s with retries."},
    {"reconfirm", &Setting::reconfirm, 0, 0, {}, "Clients have what failed them probed at once."},
    {"poll", &Setting::poll, 0, 3600, {}, "Seconds between polls of what polls; 0: its own."},
    {"topology", &Setting::topology, 0, 0, {"sidecar", "central"}, "Of proxies."},
    {"proxy_retries", &Setting::proxy_retries, 0, 5, {}, "On another instance."},
    {"rate", &Setting::rate, 1, 2000, {}, "Requests a second, of all clients together."},
    {"fault_length", &Setting::fault_length, 0.1, 3600, {}, "Of faults that end by themselves."},
};

template <class Choices>
std::string listed(const Choices& choices) {
    std::vector<std::string> quoted;
    for (const auto choice : choices) quoted.push_back(fmt::format("\"{}\"", choice));
    return fmt::format("{}", fmt::join(quoted, ", "));
}

Json value_of(const Setting& setting, const SettingField& field) {
    return std::visit([&](auto member) { return Json(setting.*member); }, field.member);
}

struct Assign {
    Setting& setting;
    const SettingField& field;
    const Json& json;

    Result<> operator()(std::string Setting::* member) const {
        if (!json.is_string()) return refuse("text");
        const auto text = json.get<std::string>();
        const auto& choices = field.choices;
        if (!choices.empty() && std::ranges::find(choices, text) == choices.end()) {
            return refuse("one of " + listed(choices));
        }
        setting.*member = text;
        return {};
    }
    Result<> operator()(bool Setting::* member) const {
        if (!json.is_boolean()) return refuse("true or false");
        setting.*member = json.get<bool>();
        return {};
    }
    Result<> operator()(std::int64_t Setting::* member) const {
        if (!json.is_number_integer()) return refuse_number("a whole number");
        return number("a whole number", json.get<double>(), setting.*member);
    }
    Result<> operator()(double Setting::* member) const {
        if (!json.is_number()) return refuse_number("a number");
        return number("a number", json.get<double>(), setting.*member);
    }

    template <class Number>
    Result<> number(std::string_view kind, double value, Number& place) const {
        if (!(value >= field.least && value <= field.most)) return refuse_number(kind);
        place = static_cast<Number>(value);
        return {};
    }
    std::unexpected<Error> refuse_number(std::string_view kind) const {
        return refuse(fmt::format("{} from {} to {}", kind, field.least, field.most));
    }
    std::unexpected<Error> refuse(std::string_view allowed) const {
        return fail(
            fmt::format("{} = {} is not allowed: it takes {}", field.name, json.dump(), allowed));
    }
};

}  // namespace

std::span<const SettingField> setting_fields() { return fields; }

Json to_json(const Setting& setting) {
    static const Setting defaults;
    Json json = {{"way", setting.way}, {"fault", setting.fault}};
    for (const SettingField& field : fields) {
        Json value = value_of(setting, field);
        if (value != value_of(defaults, field)) json[std::string(field.name)] = std::move(value);
    }
    return json;
}

Result<> assign(Setting& setting, std::string_view name, const Json& value) {
    const auto field = std::ranges::find(fields, name, &SettingField::name);
    if (field == fields.end()) {
        std::vector<std::string_view> names;
        for (const SettingField& each : fields) names.push_back(each.name);
        return fail(
            fmt::format("there is no field '{}'; there are {}", name, fmt::join(names, ", ")));
    }
    return std::visit(Assign{setting, *field, value}, field->member);
}

Result<Setting> setting_from_json(const Json& json) {
    if (!json.is_object()) return fail("a setting is an object");
    Setting setting;
    for (const auto& [name, value] : json.items()) {
        if (auto assigned = assign(setting, name, value); !assigned) {
            return std::unexpected(assigned.error());
        }
    }
    return setting;
}

std::string name_of(const Setting& setting) {
    const Json json = to_json(setting);
    std::vector<std::string> words;
    for (const SettingField& field : fields) {
        const auto value = json.find(std::string(field.name));
        if (value == json.end()) continue;
        words.push_back(fmt::format(
            "{}={}", field.name, value->is_string() ? value->get<std::string>() : value->dump()));
    }
    return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace dnsd::lab
