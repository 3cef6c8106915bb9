// JSON as it is read: objects whose fields are taken one by one, each error with its JSON pointer.
// It brings json.hpp with it: for the codecs' own files alone.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "dnsd/api/problem.h"
#include "zone/model/validate.h"

namespace dnsd::api {

using Json = nlohmann::ordered_json;

std::string pointer_token(std::string_view key);  // RFC 6901 §3

// A JSON text that is an object, without a key twice in one object (RFC 8259 §4 leaves open who
// wins: nobody here).
Result<Json, Problem> parse_object(std::string_view body);

// Text that is no UTF-8 comes out with U+FFFD in its place.
std::string dump(const Json& json);

Problem not_allowed(std::vector<model::FieldError> errors);

// The fields of one object, taken one by one; what is left in the end is unknown.
class Fields {
  public:
    Fields(const Json& object, std::string pointer, std::vector<model::FieldError>& errors)
        : object_(object), pointer_(std::move(pointer)), errors_(errors) {}

    // Null where the field is not there; JSON's null is not there either.
    const Json* take(const char* name) {
        known_.insert(name);
        const auto found = object_.find(name);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }
    void wrong(const std::string& name, std::string detail) {
        errors_.push_back({pointer_ + "/" + pointer_token(name), std::move(detail)});
    }

    template <class Number>
    void integer(const char* name, Number& into) {
        std::optional<Number> value;
        integer(name, value);
        if (value) into = *value;
    }
    template <class Number>
    void integer(const char* name, std::optional<Number>& into) {
        const Json* value = take(name);
        if (!value) return;
        constexpr auto most = std::numeric_limits<Number>::max();
        // Larger ones are doubles to the parser, smaller ones signed.
        if (!value->is_number_unsigned() || value->get<std::uint64_t>() > most) {
            wrong(name, fmt::format("must be a whole number from 0 to {}", most));
        } else {
            into = static_cast<Number>(value->get<std::uint64_t>());
        }
    }
    void number(const char* name, double& into) {
        const Json* value = take(name);
        if (!value) return;
        if (!value->is_number() || !std::isfinite(value->get<double>())) {
            wrong(name, "must be a number");
        } else {
            into = value->get<double>();
        }
    }
    void seconds(const char* name, Milliseconds& into) {
        std::optional<Milliseconds> value;
        seconds(name, value);
        if (value) into = *value;
    }
    void seconds(const char* name, std::optional<Milliseconds>& into) {
        double value = -1;
        if (!take(name)) return;
        const std::size_t before = errors_.size();
        number(name, value);
        if (errors_.size() != before) return;
        if (value < 0 || value > 1e9) {
            wrong(name, "must be a number of seconds, 0 or more");
        } else {
            into = std::chrono::round<Milliseconds>(std::chrono::duration<double>(value));
        }
    }
    void boolean(const char* name, bool& into) {
        const Json* value = take(name);
        if (!value) return;
        if (!value->is_boolean()) {
            wrong(name, "must be true or false");
        } else {
            into = value->get<bool>();
        }
    }
    void text(const char* name, std::string& into) {
        std::optional<std::string> value;
        text(name, value);
        if (value) into = std::move(*value);
    }
    void text(const char* name, std::optional<std::string>& into) {
        const Json* value = take(name);
        if (!value) return;
        if (!value->is_string()) {
            wrong(name, "must be a string");
        } else {
            into = value->get<std::string>();
        }
    }
    template <class Word, class Parse>
    void word(const char* name, Word& into, Parse parse, const char* allowed) {
        const Json* value = take(name);
        if (!value) return;
        const auto word = value->is_string() ? parse(value->get_ref<const std::string&>())
                                             : decltype(parse(std::string_view()))();
        if (!word) {
            wrong(name, std::string("must be one of ") + allowed);
        } else {
            into = *word;
        }
    }
    template <class Value, class Parse>
    void address(const char* name, std::optional<Value>& into, Parse parse, const char* what) {
        const Json* value = take(name);
        if (!value) return;
        if (value->is_string()) into = parse(value->get_ref<const std::string&>());
        if (!into) wrong(name, std::string("must be ") + what);
    }
    // A list of strings; `parse` says what is wrong with one.
    template <class Value, class Parse>
    void list(const char* name, std::vector<Value>& into, Parse parse) {
        const Json* value = take(name);
        if (!value) return;
        if (!value->is_array()) {
            wrong(name, "must be a list of strings");
            return;
        }
        for (std::size_t i = 0; i < value->size(); ++i) {
            const Json& one = (*value)[i];
            Result<Value> parsed = one.is_string() ? parse(one.get_ref<const std::string&>())
                                                   : Result<Value>(fail("must be a string"));
            if (parsed) {
                into.push_back(std::move(*parsed));
            } else {
                errors_.push_back({fmt::format("{}/{}/{}", pointer_, pointer_token(name), i),
                                   std::move(parsed.error().message)});
            }
        }
    }
    void same(const char* name, const std::string& as_in_path) {
        const Json* value = take(name);
        if (value && *value != as_in_path)
            wrong(name, fmt::format("must be '{}' as in the path, or be left out", as_in_path));
    }
    void ignore(std::initializer_list<const char*> shown) {
        for (const char* name : shown) known_.insert(name);
    }

    ~Fields() {
        for (const auto& [name, value] : object_.items()) {
            if (!known_.contains(name)) wrong(name, "is no field of this resource");
        }
    }
    Fields(const Fields&) = delete;
    Fields& operator=(const Fields&) = delete;

    const std::string& pointer() const noexcept { return pointer_; }
    std::vector<model::FieldError>& errors() noexcept { return errors_; }

  private:
    const Json& object_;
    std::string pointer_;
    std::vector<model::FieldError>& errors_;
    std::set<std::string, std::less<>> known_;
};

}  // namespace dnsd::api
