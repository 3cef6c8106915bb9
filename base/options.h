// The option table: every program has one, and everything about an option comes from its row:
// parsing of the TOML file and of --set, bounds, --print-config, the shipped dnsd.toml and the
// documentation. A retired option stays as a removed row, so that old files get a kind message.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace dnsd {

struct Option {
    enum class Type { Bool, Integer, Seconds, Percent, Text, TextList };
    std::string_view name;  // "dns.listen": table, dot, key; a bare key is a top-level one
    Type type;
    std::string_view initial;  // the default, as TOML writes it
    double least = 0;          // Integer, Seconds and Percent: the bounds
    double most = 0;
    std::vector<std::string_view> choices;  // Text: what is allowed; empty for anything
    bool reloadable = false;                // SIGHUP applies it
    bool by_profile =
        false;              // the profile decides unless it is set: printed as a comment until then
    std::string_view help;  // sentences, for dnsd.toml
    std::string_view removed = {};  // not empty: the option is gone; this says what to do
};

using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// The values of one table's options. A value; no threads.
class Options {
  public:
    // Every option at its default. REQUIRES: `table` outlives this, and its defaults parse.
    explicit Options(std::span<const Option> table);

    // Reads TOML. On an error nothing has changed; the message names file, line and what is
    // allowed.
    Result<> read_toml(std::string_view text, std::string_view file);
    Result<> read_file(const std::string& path);
    // "dns.workers=2": the value as TOML writes it; a bare word is a string.
    Result<> set(std::string_view assignment);

    bool boolean(std::string_view name) const { return std::get<bool>(at(name)); }
    std::int64_t integer(std::string_view name) const { return std::get<std::int64_t>(at(name)); }
    double seconds(std::string_view name) const { return std::get<double>(at(name)); }
    double percent(std::string_view name) const { return std::get<double>(at(name)); }
    const std::string& text(std::string_view name) const { return std::get<std::string>(at(name)); }
    const std::vector<std::string>& list(std::string_view name) const {
        return std::get<std::vector<std::string>>(at(name));
    }
    bool is_set(std::string_view name) const;  // by a file or --set, even to its default

    // Names of options that differ and cannot be reloaded.
    std::vector<std::string> fixed_differences(const Options& other) const;

    // TOML with every option, its help as comments.
    std::string print() const;

  private:
    struct Value {
        OptionValue value;
        bool set = false;
    };
    const OptionValue& at(std::string_view name) const;  // REQUIRES: a row of the table
    const Option* find(std::string_view name) const noexcept;

    std::span<const Option> table_;
    std::map<std::string_view, Value> values_;
};

}  // namespace dnsd
