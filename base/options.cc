#include "base/options.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "base/assert.h"
#include "base/text.h"

namespace dnsd {

namespace {

std::string number(double value) { return fmt::format("{:g}", value); }

// What the option takes, in words: "a whole number from 0 to 256".
std::string allowed(const Option& option) {
    switch (option.type) {
        case Option::Type::Bool:
            return "true or false";
        case Option::Type::Integer:
            return fmt::format("a whole number from {} to {}",
                               static_cast<std::int64_t>(option.least),
                               static_cast<std::int64_t>(option.most));
        case Option::Type::Seconds:
            return fmt::format("seconds from {} to {}", number(option.least), number(option.most));
        case Option::Type::Percent:
            return fmt::format("percent from {} to {}", number(option.least), number(option.most));
        case Option::Type::Text:
            return option.choices.empty()
                       ? "a string"
                       : fmt::format("one of \"{}\"", fmt::join(option.choices, "\", \""));
        case Option::Type::TextList:
            return "a list of strings";
    }
    return {};
}

std::optional<OptionValue> value_of(const Option& option, const toml::node& node) {
    const auto within = [&](double value) {
        return std::isfinite(value) && value >= option.least && value <= option.most;
    };
    switch (option.type) {
        case Option::Type::Bool:
            if (const auto value = node.value_exact<bool>()) return *value;
            break;
        case Option::Type::Integer:
            if (const auto value = node.value_exact<std::int64_t>();
                value && within(static_cast<double>(*value))) {
                return *value;
            }
            break;
        case Option::Type::Seconds:
        case Option::Type::Percent:
            if (node.is_number()) {
                if (const auto value = node.value<double>(); value && within(*value)) return *value;
            }
            break;
        case Option::Type::Text:
            if (const auto value = node.value_exact<std::string>()) {
                bool known = option.choices.empty();
                for (const std::string_view choice : option.choices) known |= choice == *value;
                if (known) return *value;
            }
            break;
        case Option::Type::TextList:
            if (const toml::array* array = node.as_array()) {
                std::vector<std::string> texts;
                for (const toml::node& element : *array) {
                    const auto text = element.value_exact<std::string>();
                    if (!text) return std::nullopt;
                    texts.push_back(*text);
                }
                return texts;
            }
            break;
    }
    return std::nullopt;
}

std::string printed(const toml::node& node) {
    std::ostringstream out;
    node.visit([&](const auto& inner) { out << inner; });
    return out.str();
}

std::string quoted(std::string_view text) {
    std::ostringstream out;
    out << toml::value<std::string>(std::string(text));
    return out.str();
}

std::string printed(const OptionValue& value) {
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
    if (const auto* seconds = std::get_if<double>(&value)) return number(*seconds);
    if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
    std::string out = "[";
    for (const std::string& text : std::get<std::vector<std::string>>(value)) {
        if (out.size() > 1) out += ", ";
        out += quoted(text);
    }
    return out + "]";
}

std::string_view table_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

// `text` in lines of comments, at most 96 octets wide.
std::string commented(std::string_view text) {
    std::string out, line = "#";
    for (const std::string_view word : split(text, ' ')) {
        if (line.size() + 1 + word.size() > 96) {
            out += line + "\n";
            line = "#";
        }
        line += ' ';
        line += word;
    }
    return out + line + "\n";
}

struct Finding {
    const Option* option;
    OptionValue value;
};

}  // namespace

Options::Options(std::span<const Option> table) : table_(table) {
    for (const Option& option : table_) {
        if (!option.removed.empty()) continue;
        const toml::table parsed = toml::parse(fmt::format("v = {}", option.initial));
        auto value = value_of(option, *parsed.get("v"));
        DNSD_ASSERT(value.has_value());
        values_[option.name] = {*std::move(value), false};
    }
}

const Option* Options::find(std::string_view name) const noexcept {
    for (const Option& option : table_) {
        if (option.name == name) return &option;
    }
    return nullptr;
}

const OptionValue& Options::at(std::string_view name) const {
    const auto found = values_.find(name);
    DNSD_ASSERT(found != values_.end());
    return found->second.value;
}

bool Options::is_set(std::string_view name) const {
    const auto found = values_.find(name);
    DNSD_ASSERT(found != values_.end());
    return found->second.set;
}

Result<> Options::read_toml(std::string_view text, std::string_view file) {
    toml::table root;
    try {
        root = toml::parse(text, file);
    } catch (const toml::parse_error& error) {
        return fail(fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
    }

    std::vector<Finding> findings;
    std::string problem;
    const auto read = [&](const auto& self, const toml::table& table,
                          const std::string& prefix) -> void {
        for (const auto& [key, node] : table) {
            if (!problem.empty()) return;
            const std::string name =
                prefix.empty() ? std::string(key.str()) : prefix + '.' + std::string(key.str());
            const auto say = [&](std::string_view what) {
                problem = fmt::format("{}:{}: {}: {}", file, node.source().begin.line, name, what);
            };
            const Option* option = find(name);
            if (option == nullptr) {
                const toml::table* inner = node.as_table();
                bool known_table = false;
                for (const Option& row : table_) known_table |= row.name.starts_with(name + '.');
                if (inner != nullptr && known_table) {
                    self(self, *inner, name);
                } else if (known_table) {
                    say("this is a table of options, not an option");
                } else {
                    say("there is no such option; `--print-config` lists them all");
                }
            } else if (!option->removed.empty()) {
                say(option->removed);
            } else if (auto value = value_of(*option, node)) {
                findings.push_back({option, *std::move(value)});
            } else {
                say(fmt::format("{} is not allowed here: it takes {}", printed(node),
                                allowed(*option)));
            }
        }
    };
    read(read, root, "");
    if (!problem.empty()) return fail(std::move(problem));
    for (Finding& finding : findings)
        values_[finding.option->name] = {std::move(finding.value), true};
    return {};
}

Result<> Options::read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(fmt::format("{}: cannot be read", path));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) return fail(fmt::format("{}: cannot be read", path));
    return read_toml(text, path);
}

Result<> Options::set(std::string_view assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string_view::npos) {
        return fail(fmt::format("--set {}: it takes table.key=value", assignment));
    }
    const std::string_view name = trimmed(assignment.substr(0, equals));
    const std::string_view value = trimmed(assignment.substr(equals + 1));
    const Option* option = find(name);
    if (option == nullptr) {
        return fail(fmt::format(
            "--set {}: there is no such option; `--print-config` lists them all", name));
    }
    // Strings need no quotes on a command line, nor does a list of one.
    std::string literal(value);
    const bool bare =
        value.empty() || (value.front() != '"' && value.front() != '\'' && value.front() != '[');
    if (bare && option->type == Option::Type::Text) literal = quoted(value);
    if (bare && option->type == Option::Type::TextList) {
        literal = "[";
        for (const std::string_view element : split(value, ','))
            literal += quoted(trimmed(element)) + ",";
        literal += "]";
    }
    auto done = read_toml(fmt::format("{} = {}", name, literal), "--set");
    if (!done) return fail(std::move(done.error().message));
    return {};
}

std::vector<std::string> Options::fixed_differences(const Options& other) const {
    std::vector<std::string> names;
    for (const Option& option : table_) {
        if (!option.removed.empty() || option.reloadable) continue;
        if (at(option.name) != other.at(option.name)) names.emplace_back(option.name);
    }
    return names;
}

std::string Options::print() const {
    std::string out;
    std::string_view table;
    for (const Option& option : table_) {
        if (!option.removed.empty()) continue;
        if (table_of(option.name) != table) {
            table = table_of(option.name);
            out += fmt::format("\n[{}]\n", table);
        }
        const std::string_view key =
            table.empty() ? option.name : option.name.substr(table.size() + 1);
        const Value& value = values_.at(option.name);
        out += fmt::format("\n{}# Takes {}.{}\n{}{} = {}\n", commented(option.help),
                           allowed(option), option.reloadable ? " SIGHUP applies it." : "",
                           option.by_profile && !value.set ? "# " : "", key, printed(value.value));
    }
    return out;
}

}  // namespace dnsd
