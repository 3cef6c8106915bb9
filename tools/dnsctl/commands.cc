#include "tools/dnsctl/commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/text.h"
#include "tools/dnsctl/table.h"

namespace dnsd::ctl {

int complain(const std::string& message) {
    std::fprintf(stderr, "dnsctl: %s\n", message.c_str());
    return 1;
}
int complain(const Refusal& refusal) { return complain(refusal.message); }

std::string text_of(const Json& value) {
    if (value.is_null()) return "-";
    if (value.is_string()) return value;
    return value.dump();
}

std::string table_of(const Json& items, const std::vector<std::string>& columns) {
    std::vector<std::vector<std::string>> rows(1);
    for (const std::string& column : columns) {
        std::string head;
        for (const char c : column) head += c == '/' ? ' ' : static_cast<char>(std::toupper(c));
        rows[0].push_back(head);
    }
    for (const Json& item : items) {
        auto& row = rows.emplace_back();
        for (const std::string& column : columns) {
            const Json::json_pointer pointer('/' + column);
            row.push_back(item.contains(pointer) ? text_of(item.at(pointer)) : "-");
        }
    }
    return print_table(rows);
}

std::string table_of_fields(const Json& resource) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [key, value] : resource.items()) rows.push_back({key, text_of(value)});
    return print_table(rows);
}

void show(const Given& given, const Json& body, const std::string& table) {
    std::fputs(given.json ? (body.dump(2) + '\n').c_str() : table.c_str(), stdout);
}

int show_reply(const Given& given, const Result<Reply, Refusal>& reply) {
    if (!reply) return complain(reply.error());
    show(given, reply->body, table_of_fields(reply->body));
    return 0;
}

Result<Json> read_fields(const std::vector<std::string>& fields) {
    Json body = Json::object();
    for (const std::string& field : fields) {
        const auto equals = field.find('=');
        if (equals == field.npos || equals == 0)
            return fail(fmt::format("'{}' is not FIELD=VALUE", field));
        const std::string text = field.substr(equals + 1);
        Json value = Json::parse(text, nullptr, false);
        if (value.is_discarded()) value = text;
        std::string pointer;
        for (const std::string_view part : split(std::string_view(field).substr(0, equals), '.'))
            pointer += '/' + std::string(part);
        try {
            body[Json::json_pointer(pointer)] = std::move(value);
        } catch (const Json::exception&) {
            return fail(fmt::format("'{}' does not go with the fields before it", field));
        }
    }
    return body;
}

Result<Json, Refusal> list_all(const Api& api, const std::string& path, const char* under) {
    Json all = Json::array();
    std::string token;
    do {
        const char* joint = path.find('?') == path.npos ? "?" : "&";
        const auto reply =
            api.get(token.empty() ? path : path + joint + "page_token=" + percent_encoded(token));
        if (!reply) return std::unexpected(reply.error());
        for (const Json& one : reply->body.value(under, Json::array())) all.push_back(one);
        token = reply->body.value("next_page_token", "");
    } while (!token.empty());
    return all;
}

int list(const Given& given, const Api& api, const std::string& path, const char* under,
         const std::vector<std::string>& columns) {
    const auto items = list_all(api, path, under);
    if (!items) return complain(items.error());
    show(given, *items, table_of(*items, columns));
    return 0;
}

int put(const Given& given, const Api& api, const std::string& path) {
    const auto body = read_fields(given.fields);
    if (!body) return complain(body.error().message);
    return show_reply(given, api.send("PUT", path, *body));
}

}  // namespace dnsd::ctl
