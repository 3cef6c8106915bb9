#include "zone/store/cells.h"

#include <nlohmann/json.hpp>

namespace dnsd::store {

namespace {

using nlohmann::json;

void put_json(Statement& statement, int at, const json& value) {
    // An octet that is no UTF-8 (a check's outcome may quote a peer) is replaced, not thrown at us.
    statement.bind(at,
                   std::string_view(value.dump(-1, ' ', false, json::error_handler_t::replace)));
}

// Reads with `read`, which may take it that everything has the type it wants.
template <class Read>
bool take_json(const Statement& statement, int column, Read read) {
    try {
        read(json::parse(statement.text(column)));
        return true;
    } catch (const json::exception&) {
        return false;
    }
}

// A list of values that have a text form, as a list of texts.
template <class T>
void put_words(Statement& statement, int at, const std::vector<T>& value) {
    json list = json::array();
    for (const T& one : value) list.push_back(print(one));
    put_json(statement, at, list);
}
template <class T, class Parse>
bool take_words(const Statement& statement, int column, std::vector<T>& value, Parse parse) {
    std::vector<std::string> words;
    if (!take(statement, column, words)) return false;
    value.clear();
    for (const std::string& word : words) {
        auto one = parse(word);
        if (!one) return false;
        value.push_back(std::move(*one));
    }
    return true;
}

WallTime time_of(const json& value) { return WallTime(Milliseconds(value.get<std::int64_t>())); }

}  // namespace

bool take(const Statement& statement, int column, Ipv4& value) {
    const auto parsed = parse_ipv4(statement.text(column));
    if (parsed) value = *parsed;
    return parsed.has_value();
}

bool take(const Statement& statement, int column, Ipv6& value) {
    const auto parsed = parse_ipv6(statement.text(column));
    if (parsed) value = *parsed;
    return parsed.has_value();
}

void put(Statement& statement, int at, const Attributes& value) {
    if (value.empty()) return statement.bind(at, std::string_view("{}"));
    put_json(statement, at, value);
}
bool take(const Statement& statement, int column, Attributes& value) {
    return take_json(statement, column, [&](const json& map) { map.get_to(value); });
}

void put(Statement& statement, int at, const std::vector<model::RecordType>& value) {
    put_words(statement, at, value);
}
bool take(const Statement& statement, int column, std::vector<model::RecordType>& value) {
    return take_words(statement, column, value, model::parse_record_type);
}

void put(Statement& statement, int at, const std::vector<std::string>& value) {
    if (value.empty()) return statement.bind(at, std::string_view("[]"));
    put_json(statement, at, value);
}
bool take(const Statement& statement, int column, std::vector<std::string>& value) {
    return take_json(statement, column, [&](const json& list) { list.get_to(value); });
}

void put(Statement& statement, int at, const std::vector<model::Peer>& value) {
    put_words(statement, at, value);
}
bool take(const Statement& statement, int column, std::vector<model::Peer>& value) {
    return take_words(statement, column, value, model::parse_peer);
}
void put(Statement& statement, int at, const std::vector<model::Admission>& value) {
    put_words(statement, at, value);
}
bool take(const Statement& statement, int column, std::vector<model::Admission>& value) {
    return take_words(statement, column, value, model::parse_admission);
}

void put(Statement& statement, int at, const std::vector<model::InstanceEvent>& value) {
    json list = json::array();
    for (const auto& instance : value)
        list.push_back({{"id", instance.id}, {"status", instance.status}, {"was", instance.was}});
    put_json(statement, at, list);
}
bool take(const Statement& statement, int column, std::vector<model::InstanceEvent>& value) {
    return take_json(statement, column, [&](const json& list) {
        value.clear();
        for (const json& one : list)
            value.push_back({.id = one.at("id"), .status = one.at("status"), .was = one.at("was")});
    });
}

void put(Statement& statement, int at, const std::vector<model::ProbeRecord>& value) {
    if (value.empty()) return statement.bind(at, std::string_view("[]"));
    json list = json::array();
    for (const auto& probe : value)
        list.push_back({{"tick", probe.tick.time_since_epoch().count()},
                        {"ended", probe.ended.time_since_epoch().count()},
                        {"success", probe.success},
                        {"outcome", probe.outcome}});
    put_json(statement, at, list);
}
bool take(const Statement& statement, int column, std::vector<model::ProbeRecord>& value) {
    return take_json(statement, column, [&](const json& list) {
        value.clear();
        for (const json& one : list)
            value.push_back({.tick = time_of(one.at("tick")),
                             .ended = time_of(one.at("ended")),
                             .success = one.at("success"),
                             .outcome = one.at("outcome")});
    });
}

}  // namespace dnsd::store
