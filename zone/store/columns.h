// The columns of each row, written once: the statement's text, binding and reading are visitors of
// them. For this room alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zone/store/cells.h"
#include "zone/store/store.h"

namespace dnsd::store {

// visit(name, cell) for each column. The first key_columns are the primary key.
template <class Row>
struct Table;

template <>
struct Table<NamespaceRow> {
    static constexpr std::string_view name = "namespaces";
    static constexpr std::size_t key_columns = 1;
    static void columns(auto& row, auto& visit) {
        visit("name", row.spec.name);
        visit("dns", row.spec.dns);
        visit("ttl", row.spec.ttl);
        visit("negative_ttl", row.spec.negative_ttl);
        visit("description", row.spec.description);
        visit("revision", row.revision);
        visit("serial", row.serial);
        visit("content", Bits{row.content});
        visit("reverse", row.spec.reverse);
        visit("primaries", row.spec.primaries);
        visit("notify", row.spec.notify);
        visit("transfer", row.spec.transfer);
        visit("updaters", row.spec.updaters);
        visit("refreshed", row.refreshed);
        visit("expired", row.expired);
    }
};

template <>
struct Table<RecordsRow> {
    static constexpr std::string_view name = "records";
    static constexpr std::size_t key_columns = 3;
    static void columns(auto& row, auto& visit) {
        visit("namespace", row.namespace_name);
        visit("owner", row.owner);
        visit("type", row.type);
        visit("ttl", row.ttl);
        visit("rdata", row.rdata);
    }
};

template <>
struct Table<DifferenceRow> {
    static constexpr std::string_view name = "differences";
    static constexpr std::size_t key_columns = 2;
    static void columns(auto& row, auto& visit) {
        visit("namespace", row.namespace_name);
        visit("serial_from", row.from);
        visit("serial_to", row.to);
        visit("committed", row.committed);
        visit("removed", row.removed);
        visit("added", row.added);
    }
};

template <>
struct Table<KeyRow> {
    static constexpr std::string_view name = "keys";
    static constexpr std::size_t key_columns = 1;
    static void columns(auto& row, auto& visit) {
        visit("name", row.name);
        visit("algorithm", row.algorithm);
        visit("secret", row.secret);
        visit("revision", row.revision);
    }
};

template <>
struct Table<ServiceRow> {
    static constexpr std::string_view name = "services";
    static constexpr std::size_t key_columns = 2;
    static void columns(auto& row, auto& visit) {
        auto& spec = row.spec;
        visit("namespace", spec.namespace_name);
        visit("name", spec.name);
        visit("description", spec.description);
        visit("routing_policy", spec.routing_policy);
        visit("failure_policy", spec.failure_policy);
        visit("ttl_a", spec.ttl.a);
        visit("ttl_aaaa", spec.ttl.aaaa);
        visit("ttl_srv", spec.ttl.srv);
        visit("record_types", spec.record_types);
        visit("protocol", spec.protocol);
        visit("max_answers", spec.max_answers);
        visit("panic_threshold", spec.panic_threshold);
        visit("min_healthy", spec.min_healthy);
        visit("max_age_ms", spec.max_age);
        visit("flap_limit", spec.flap_limit);
        visit("flap_window_ms", spec.flap_window);
        visit("custom_health_delay_ms", spec.custom_health_delay);
        visit("report_threshold", spec.report_threshold);
        visit("report_window_ms", spec.report_window);
        auto& check = spec.check;
        visit("check_type", check.type);
        visit("check_interval_ms", check.interval);
        visit("check_timeout_ms", check.timeout);
        visit("check_connect_timeout_ms", check.connect_timeout);
        visit("check_rise", check.rise);
        visit("check_fall", check.fall);
        visit("check_path", check.path);
        visit("check_host", check.host);
        visit("check_port", check.port);
        visit("check_expected_status_least", check.expected_status_least);
        visit("check_expected_status_most", check.expected_status_most);
        visit("check_body_substring", check.body_substring);
        visit("check_verify_tls", check.verify_tls);
        visit("check_grpc_service", check.grpc_service);
        visit("check_lease_ttl_ms", check.lease_ttl);
        visit("check_initial_status", check.initial_status);
        visit("revision", row.revision);
        visit("health_revision", row.health_revision);
        visit("address_lapses", row.address_lapses);
        visit("srv_lapses", row.srv_lapses);
    }
};

template <>
struct Table<InstanceRow> {
    static constexpr std::string_view name = "instances";
    static constexpr std::size_t key_columns = 3;
    static void columns(auto& row, auto& visit) {
        auto& instance = row.instance;
        auto& spec = instance.spec;
        visit("namespace", row.namespace_name);
        visit("service", row.service);
        visit("id", spec.id);
        visit("ipv4", spec.ipv4);
        visit("ipv6", spec.ipv6);
        visit("port", spec.port);
        visit("weight", spec.weight);
        visit("priority", spec.priority);
        visit("disabled", spec.disabled);
        visit("attributes", spec.attributes);
        visit("dns_name", instance.dns_name);
        visit("status", instance.status);
        visit("awaits_verdict", instance.awaits_verdict);
        visit("status_since", instance.status_since);
        visit("healthy_last", instance.healthy_last);
        visit("registered", instance.registered);
        visit("revision", instance.revision);
        visit("health_revision", instance.health_revision);
        visit("drain_since", Within{instance.drain, &model::Drain::since});
        visit("drain_safe_after", Within{instance.drain, &model::Drain::safe_after});
        visit("drain_revision", Within{instance.drain, &model::Drain::revision});
    }
};

template <>
struct Table<model::Event> {
    static constexpr std::string_view name = "events";
    static constexpr std::size_t key_columns = 1;
    static void columns(auto& event, auto& visit) {
        visit("revision", event.revision);
        visit("cause", event.cause);
        visit("namespace", event.namespace_name);
        visit("service", event.service);
        visit("instances", event.instances);
        visit("dns_names", event.dns_names);
        visit("serial", event.serial);
        times(event.times, visit);
        visit("probes", event.probes);
    }
    static void times(auto& times, auto& visit) {
        visit("detected", times.detected);
        visit("submitted", times.submitted);
        visit("committed", times.committed);
        visit("published", times.published);
        visit("first_answered", times.first_answered);
    }
};

struct Putting {
    Statement& statement;
    int at = 0;
    void operator()(std::string_view, const auto& cell) { put(statement, ++at, cell); }
};

template <class Row>
void put_row(Statement& statement, const Row& row) {
    Putting putting{statement};
    Table<Row>::columns(row, putting);
}

struct Taking {
    const Statement& statement;
    int column = 0;
    std::string_view bad{};  // the first column that holds no value of its kind
    void operator()(std::string_view name, auto&& cell) {
        if (!take(statement, column++, cell) && bad.empty()) bad = name;
    }
};

template <class Row>
Result<Row> take_row(const Statement& statement) {
    Row row;
    Taking taking{statement};
    Table<Row>::columns(row, taking);
    if (taking.bad.empty()) return row;
    return fail("damaged: table " + std::string(Table<Row>::name) + ", column " +
                std::string(taking.bad) +
                " holds what dnsd did not write; put a backup in its place");
}

// Every row that `statement`, which is bound, finds.
template <class Row>
Result<std::vector<Row>> take_rows(Statement& statement) {
    std::vector<Row> rows;
    for (;;) {
        const auto found = statement.step();
        if (!found) return std::unexpected(found.error());
        if (!*found) break;
        auto row = take_row<Row>(statement);
        if (!row) {
            statement.reset();
            return std::unexpected(row.error());
        }
        rows.push_back(std::move(*row));
    }
    statement.reset();
    return rows;
}

template <class Row>
std::vector<std::string> column_names() {
    std::vector<std::string> names;
    const Row row{};
    const auto name_it = [&](std::string_view name, const auto&) { names.emplace_back(name); };
    Table<Row>::columns(row, name_it);
    return names;
}

// SELECT the columns in their order; the caller adds WHERE and the like.
template <class Row>
std::string select_text() {
    std::string text = "SELECT ";
    for (const std::string& name : column_names<Row>()) {
        if (!text.ends_with(' ')) text += ',';
        text += name;
    }
    return text + " FROM " + std::string(Table<Row>::name) + ' ';
}

// INSERT a row, or, where its key is there, change all the rest.
template <class Row>
std::string upsert_text() {
    std::string columns, parameters, keys, changes;
    const auto add = [](std::string& list, const std::string& item) {
        if (!list.empty()) list += ',';
        list += item;
    };
    const std::vector<std::string> names = column_names<Row>();
    for (std::size_t i = 0; i < names.size(); ++i) {
        add(columns, names[i]);
        add(parameters, "?");
        if (i < Table<Row>::key_columns)
            add(keys, names[i]);
        else
            add(changes, names[i] + "=excluded." + names[i]);
    }
    return "INSERT INTO " + std::string(Table<Row>::name) + " (" + columns + ") VALUES (" +
           parameters + ") ON CONFLICT (" + keys + ") DO UPDATE SET " + changes;
}

}  // namespace dnsd::store
