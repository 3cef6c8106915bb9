// Reading the lab's own records: fields by name, errors that name the field. For .cc files of this
// room, since it includes nlohmann/json.
#pragma once

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace dnsd::lab {

// JSON has no number for "unknown": it is null there, and NaN or nothing here.
inline nlohmann::json json_of(double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}
inline nlohmann::json json_of(const std::optional<double>& value) {
    return value ? json_of(*value) : nlohmann::json(nullptr);
}
inline nlohmann::json json_of(const std::vector<double>& values) {
    nlohmann::json list = nlohmann::json::array();
    for (const double value : values) list.push_back(json_of(value));
    return list;
}

// JsonFields that are missing leave what is there: older records lack newer fields. The first one
// of the wrong kind is the error, and stays it.
class JsonFields {
  public:
    explicit JsonFields(const nlohmann::json& json) : json_(json) {
        if (!json.is_object()) complain("it", "an object");
    }

    template <class T>
    void read(const char* name, T& place) {
        const nlohmann::json* found = find(name);
        if (!found) return;
        try {
            place = found->get<T>();
        } catch (const nlohmann::json::exception&) {
            complain(name, "another kind of value");
        }
    }
    void read(const char* name, double& place) {
        const nlohmann::json* found = find(name);
        if (found) take(name, *found, place);
    }
    void read(const char* name, std::optional<double>& place) {
        const nlohmann::json* found = find(name);
        if (!found || found->is_null()) return;
        double value = 0;
        take(name, *found, value);
        place = value;
    }
    void read(const char* name, std::vector<double>& place) {
        const nlohmann::json* found = find(name);
        if (!found) return;
        if (!found->is_array()) return complain(name, "a list");
        for (const nlohmann::json& each : *found) take(name, each, place.emplace_back());
    }

    // Null: it is missing.
    const nlohmann::json* find(const char* name) const {
        if (!json_.is_object()) return nullptr;
        const auto found = json_.find(name);
        return found == json_.end() ? nullptr : &*found;
    }
    void complain(const std::string& name, const std::string& wanted) {
        if (error_.empty()) error_ = name + " is not as it should be (" + wanted + ")";
    }
    Result<> finish() const {
        if (!error_.empty()) return fail(error_);
        return {};
    }

  private:
    void take(const char* name, const nlohmann::json& json, double& place) {
        if (json.is_null()) {
            place = std::numeric_limits<double>::quiet_NaN();
        } else if (json.is_number()) {
            place = json.get<double>();
        } else {
            complain(name, "numbers");
        }
    }

    const nlohmann::json& json_;
    std::string error_;
};

}  // namespace dnsd::lab
