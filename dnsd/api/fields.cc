#include "dnsd/api/fields.h"

namespace dnsd::api {

namespace {

constexpr int depth_max = 16;

}  // namespace

std::string pointer_token(std::string_view key) {
    std::string token;
    for (const char c : key) {
        if (c == '~') {
            token += "~0";
        } else if (c == '/') {
            token += "~1";
        } else {
            token += c;
        }
    }
    return token;
}

Result<Json, Problem> parse_object(std::string_view body) {
    std::vector<std::set<std::string>> keys;
    std::string twice;
    bool too_deep = false;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        too_deep = too_deep || depth > depth_max;
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) twice = key;
        }
        return !too_deep;
    };
    Json json;
    try {
        json = Json::parse(body, watch);
    } catch (const Json::exception& error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
        std::string_view what = error.what();
        if (const auto end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
        return std::unexpected(Problem{400, fmt::format("the body is not JSON: {}", what)});
    }
    if (too_deep)
        return std::unexpected(
            Problem{400, fmt::format("the body nests deeper than {} levels", depth_max)});
    if (!twice.empty())
        return std::unexpected(
            Problem{400, fmt::format("the body names '{}' twice in one object", twice)});
    if (!json.is_object()) return std::unexpected(Problem{400, "the body is not a JSON object"});
    return json;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Problem not_allowed(std::vector<model::FieldError> errors) {
    return {422, "the body says what is not allowed", std::move(errors)};
}

}  // namespace dnsd::api
