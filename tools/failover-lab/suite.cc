#include "tools/failover-lab/suite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

std::string quoted_list(const Words& words) {
    Words quoted;
    for (const std::string& word : words) quoted.push_back('"' + word + '"');
    return fmt::format("{}", fmt::join(quoted, ", "));
}

template <class Rows>
Words names_of(const Rows& rows) {
    Words names;
    for (const auto& row : rows) names.emplace_back(row.name);
    return names;
}

// What stands under one name in a cell: a value, or a list of them.
struct Choice {
    std::string field;
    std::vector<Json> values;
    std::uint32_t line = 0;
};

// A table of a suite file: fields of a setting, and words of its own.
struct Table {
    std::vector<Choice> choices;  // in the order of the table of fields
    std::map<std::string, const toml::node*, std::less<>> words;
    std::uint32_t line = 0;
};

// One of the combinations of a table's choices.
using Assignments = std::vector<std::pair<std::string, Json>>;

std::vector<Assignments> combinations_of(const std::vector<Choice>& choices) {
    std::vector<Assignments> all{{}};
    for (const Choice& choice : choices) {
        std::vector<Assignments> longer;
        for (const Assignments& begun : all) {
            for (const Json& value : choice.values) {
                longer.push_back(begun);
                longer.back().emplace_back(choice.field, value);
            }
        }
        all = std::move(longer);
    }
    return all;
}

class Reader {
  public:
    explicit Reader(std::string_view file) : file_(file) {}

    Result<Suite> read(std::string_view text);

  private:
    std::unexpected<Error> fail_at(std::uint32_t line, std::string_view what) const {
        return fail(fmt::format("{}:{}: {}", file_, line, what));
    }
    static std::uint32_t line_of(const toml::node& node) { return node.source().begin.line; }

    // Reads the fields of a setting, and leaves the words to its caller. Other keys are errors.
    Result<Table> read_table(const toml::node& node, std::string_view what,
                             const Words& words) const;
    Result<Choice> read_choice(std::string_view name, const toml::node& node) const;
    Result<Json> read_value(std::string_view name, const toml::node& node) const;
    Result<> check_name(std::string_view field, const Json& value, const toml::node& node) const;

    Result<std::string> text_of(const Table& table, std::string_view word,
                                std::string otherwise) const;
    Result<int> number_of(const Table& table, std::string_view word, int least, int most,
                          int otherwise) const;

    Result<Setting> setting_of(const Assignments& assignments, std::uint32_t line) const;
    Result<> read_centre(const toml::table& root);
    Result<> read_cell(const toml::node& node);
    Result<> read_pair(const toml::node& node);
    Result<> read_measurements(const toml::table& root);
    template <class T>
    Result<std::vector<T>> list_of(const toml::node* node, std::string_view name) const;
    template <class Function>
    Result<> each_of(const toml::table& root, std::string_view name, Function read) const;

    std::string add(Cell cell);
    void even_out_pairs();

    std::string file_;
    Suite suite_;
    Setting centre_;
    int centre_runs_ = 4;
};

Result<Json> Reader::read_value(std::string_view name, const toml::node& node) const {
    if (const auto value = node.value_exact<std::string>()) return Json(*value);
    if (const auto value = node.value_exact<bool>()) return Json(*value);
    if (const auto value = node.value_exact<std::int64_t>()) return Json(*value);
    if (const auto value = node.value_exact<double>()) return Json(*value);
    return fail_at(line_of(node), fmt::format("{} takes a value, or a list of values", name));
}

// The names that only the lab's tables know; bounds and choices are the field's own.
Result<> Reader::check_name(std::string_view field, const Json& value,
                            const toml::node& node) const {
    Words names;
    if (field == "way") names = names_of(ways());
    if (field == "fault") names = names_of(faults());
    if (field == "preset") names = names_of(presets());
    if (names.empty() || std::ranges::find(names, value.get<std::string>()) != names.end())
        return {};
    return fail_at(line_of(node), fmt::format("{} = {} is not allowed: it takes one of {}", field,
                                              value.dump(), quoted_list(names)));
}

Result<Choice> Reader::read_choice(std::string_view name, const toml::node& node) const {
    Choice choice{std::string(name), {}, line_of(node)};
    const auto read_one = [&](const toml::node& one) -> Result<> {
        auto value = read_value(name, one);
        if (!value) return std::unexpected(value.error());
        Setting scratch;
        if (auto assigned = assign(scratch, name, *value); !assigned) {
            return fail_at(line_of(one), assigned.error().message);
        }
        if (auto known = check_name(name, *value, one); !known) return known;
        choice.values.push_back(*std::move(value));
        return {};
    };
    const toml::array* list = node.as_array();
    if (list == nullptr) {
        if (auto done = read_one(node); !done) return std::unexpected(done.error());
        return choice;
    }
    if (list->empty()) return fail_at(choice.line, fmt::format("{} is an empty list", name));
    for (const toml::node& one : *list) {
        if (auto done = read_one(one); !done) return std::unexpected(done.error());
    }
    return choice;
}

Result<Table> Reader::read_table(const toml::node& node, std::string_view what,
                                 const Words& words) const {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
        return fail_at(line_of(node),
                       fmt::format("{} is a table: {{way = \"dns\", ttl = 5}}", what));
    }
    Table read;
    read.line = line_of(node);
    const Words fields = names_of(setting_fields());
    for (const auto& [key, inner] : *table) {
        const std::string name(key.str());
        if (std::ranges::find(words, name) != words.end()) {
            read.words.emplace(name, &inner);
        } else if (std::ranges::find(fields, name) == fields.end()) {
            return fail_at(key.source().begin.line,
                           fmt::format("{} takes no '{}'; it takes {}, and of a setting {}", what,
                                       name, fmt::join(words, ", "), fmt::join(fields, ", ")));
        }
    }
    for (const std::string& field : fields) {
        const toml::node* inner = table->get(field);
        if (inner == nullptr) continue;
        auto choice = read_choice(field, *inner);
        if (!choice) return std::unexpected(choice.error());
        read.choices.push_back(*std::move(choice));
    }
    return read;
}

Result<std::string> Reader::text_of(const Table& table, std::string_view word,
                                    std::string otherwise) const {
    const auto found = table.words.find(word);
    if (found == table.words.end()) return otherwise;
    auto text = found->second->value_exact<std::string>();
    if (!text) return fail_at(line_of(*found->second), fmt::format("{} takes text", word));
    return *std::move(text);
}

Result<int> Reader::number_of(const Table& table, std::string_view word, int least, int most,
                              int otherwise) const {
    const auto found = table.words.find(word);
    if (found == table.words.end()) return otherwise;
    const auto number = found->second->value_exact<std::int64_t>();
    if (!number || *number < least || *number > most) {
        return fail_at(line_of(*found->second),
                       fmt::format("{} takes a whole number from {} to {}", word, least, most));
    }
    return static_cast<int>(*number);
}

// A setting begins with the preset that it names, or with the centre.
Result<Setting> Reader::setting_of(const Assignments& assignments, std::uint32_t line) const {
    Setting setting = centre_;
    for (const auto& [field, value] : assignments) {
        if (field != "preset") continue;
        setting = std::ranges::find(presets(), value.get<std::string>(), &Preset::name)->setting;
    }
    for (const auto& [field, value] : assignments) {
        if (auto done = assign(setting, field, value); !done) {
            return fail_at(line, done.error().message);
        }
    }
    const Way* way = find_way(setting.way);
    const Json said = to_json(setting);
    for (const std::string_view refused : way->refuses) {
        if (!said.contains(refused)) continue;
        Words able;
        for (const Way& other : ways()) {
            if (std::ranges::find(other.refuses, refused) == other.refuses.end()) {
                able.emplace_back(other.name);
            }
        }
        return fail_at(line, fmt::format("way \"{}\" has no {}; these have: {}", way->name, refused,
                                         quoted_list(able)));
    }
    return setting;
}

// Each name once: what several axes have in common is run as often as the most demanding says.
std::string Reader::add(Cell cell) {
    const std::string name = name_of(cell.setting);
    const auto there = std::ranges::find_if(
        suite_.cells, [&](const Cell& other) { return other.setting == cell.setting; });
    if (there == suite_.cells.end()) {
        suite_.cells.push_back(std::move(cell));
    } else {
        there->runs = std::max(there->runs, cell.runs);
        there->value = std::max(there->value, cell.value);
        there->measured = there->measured || cell.measured;
    }
    return name;
}

Result<> Reader::read_centre(const toml::table& root) {
    const toml::node* node = root.get("centre");
    if (node == nullptr) return {};
    auto table = read_table(*node, "[centre]", {"runs"});
    if (!table) return std::unexpected(table.error());
    auto runs = number_of(*table, "runs", 1, 1000, centre_runs_);
    if (!runs) return std::unexpected(runs.error());
    centre_runs_ = *runs;
    const auto all = combinations_of(table->choices);
    if (all.size() != 1) return fail_at(table->line, "[centre] takes one value each, no lists");
    auto setting = setting_of(all.front(), table->line);
    if (!setting) return std::unexpected(setting.error());
    centre_ = *std::move(setting);
    return {};
}

Result<> Reader::read_cell(const toml::node& node) {
    auto table = read_table(node, "[[cell]]", {"runs", "value", "group", "measured"});
    if (!table) return std::unexpected(table.error());
    auto runs = number_of(*table, "runs", 1, 1000, centre_runs_);
    if (!runs) return std::unexpected(runs.error());
    auto value = number_of(*table, "value", 0, 100, 50);
    if (!value) return std::unexpected(value.error());
    auto group = text_of(*table, "group", "cells");
    if (!group) return std::unexpected(group.error());
    bool measured = true;
    if (const auto word = table->words.find("measured"); word != table->words.end()) {
        const auto said = word->second->value_exact<bool>();
        if (!said) return fail_at(line_of(*word->second), "measured takes true or false");
        measured = *said;
    }
    for (const Assignments& assignments : combinations_of(table->choices)) {
        auto setting = setting_of(assignments, table->line);
        if (!setting) return std::unexpected(setting.error());
        add({*std::move(setting), *runs, *value, *group, measured});
    }
    return {};
}

// What varies among the pairs of one table, for its title.
void append_varying(const std::vector<Choice>& choices, const Assignments& assignments,
                    Words& words) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (choices[i].values.size() < 2) continue;
        const Json& value = assignments[i].second;
        if (choices[i].field == "way") {
            words.emplace_back(find_way(value.get<std::string>())->title);
        } else if (value.is_string()) {
            words.push_back(value.get<std::string>());
        } else {
            words.push_back(fmt::format("{} {}", choices[i].field, value.dump()));
        }
    }
}

Assignments joined(Assignments first, const Assignments& then) {
    first.insert(first.end(), then.begin(), then.end());
    return first;
}

Result<> Reader::read_pair(const toml::node& node) {
    auto table =
        read_table(node, "[[pair]]", {"title", "a", "b", "runs", "value", "goal", "ratio_max"});
    if (!table) return std::unexpected(table.error());
    for (const char* side : {"title", "a", "b"}) {
        if (!table->words.contains(side)) {
            return fail_at(table->line, fmt::format("[[pair]] wants a {}", side));
        }
    }
    auto title = text_of(*table, "title", "");
    if (!title) return std::unexpected(title.error());
    auto runs = number_of(*table, "runs", 1, 1000, 16);
    if (!runs) return std::unexpected(runs.error());
    auto value = number_of(*table, "value", 0, 100, 90);
    if (!value) return std::unexpected(value.error());
    auto goal = text_of(*table, "goal", "ratio");
    if (!goal) return std::unexpected(goal.error());
    if (*goal != "ratio" && *goal != "no failures") {
        return fail_at(line_of(*table->words.find("goal")->second),
                       "goal takes \"ratio\" or \"no failures\"");
    }
    Pair pair;
    pair.goal = *goal == "ratio" ? Pair::Goal::Ratio : Pair::Goal::NoFailures;
    if (const auto word = table->words.find("ratio_max"); word != table->words.end()) {
        const auto most = word->second->value<double>();
        if (!most || *most <= 0 || *most > 100) {
            return fail_at(line_of(*word->second), "ratio_max takes a number from 0 to 100");
        }
        pair.ratio_max = *most;
    }
    auto a = read_table(*table->words.find("a")->second, "a", {});
    if (!a) return std::unexpected(a.error());
    auto b = read_table(*table->words.find("b")->second, "b", {});
    if (!b) return std::unexpected(b.error());

    for (const Assignments& common : combinations_of(table->choices)) {
        for (const Assignments& ours : combinations_of(a->choices)) {
            for (const Assignments& theirs : combinations_of(b->choices)) {
                auto first = setting_of(joined(common, ours), a->line);
                if (!first) return std::unexpected(first.error());
                auto second = setting_of(joined(common, theirs), b->line);
                if (!second) return std::unexpected(second.error());
                if (*first == *second)
                    return fail_at(table->line, "a and b of a pair are the same");
                Words varying;
                append_varying(a->choices, ours, varying);
                append_varying(b->choices, theirs, varying);
                append_varying(table->choices, common, varying);
                pair.title = varying.empty()
                                 ? *title
                                 : fmt::format("{} ({})", *title, fmt::join(varying, ", "));
                pair.a = add({*std::move(first), *runs, *value, "pairs", true});
                pair.b = add({*std::move(second), *runs, *value, "pairs", true});
                suite_.pairs.push_back(pair);
            }
        }
    }
    return {};
}

// Both cells of a pair have the same phases, and so as many runs; a cell may be in several pairs.
void Reader::even_out_pairs() {
    for (bool changed = true; changed;) {
        changed = false;
        for (const Pair& pair : suite_.pairs) {
            Cell* cells[2] = {};
            for (Cell& cell : suite_.cells) {
                const std::string name = name_of(cell.setting);
                if (name == pair.a) cells[0] = &cell;
                if (name == pair.b) cells[1] = &cell;
            }
            if (cells[0]->runs == cells[1]->runs) continue;
            cells[0]->runs = cells[1]->runs = std::max(cells[0]->runs, cells[1]->runs);
            changed = true;
        }
    }
}

template <class T>
Result<std::vector<T>> Reader::list_of(const toml::node* node, std::string_view name) const {
    std::vector<T> all;
    if (node == nullptr) return all;
    constexpr std::string_view kind = std::is_same_v<T, std::string> ? "texts" : "whole numbers";
    const toml::array* list = node->as_array();
    if (list == nullptr)
        return fail_at(line_of(*node), fmt::format("{} takes a list of {}", name, kind));
    for (const toml::node& one : *list) {
        const auto value = one.value_exact<T>();
        if (!value) return fail_at(line_of(one), fmt::format("{} takes a list of {}", name, kind));
        all.push_back(*value);
    }
    return all;
}

Result<> Reader::read_measurements(const toml::table& root) {
    const auto inner = [&](std::string_view table, std::string_view name) -> const toml::node* {
        return root[table][name].node();
    };
    const auto known_keys = [&](std::string_view name, const Words& words) -> Result<> {
        const toml::node* node = root.get(name);
        if (node == nullptr) return {};
        if (!node->is_table()) return fail_at(line_of(*node), fmt::format("[{}] is a table", name));
        for (const auto& [key, value] : *node->as_table()) {
            if (std::ranges::find(words, key.str()) != words.end()) continue;
            return fail_at(key.source().begin.line,
                           fmt::format("[{}] takes no '{}'; it takes {}", name, key.str(),
                                       fmt::join(words, ", ")));
        }
        return {};
    };
    const auto known_names = [&](const toml::node* list, std::string_view what, const Words& names,
                                 Words& place) -> Result<> {
        auto all = list_of<std::string>(list, what);
        if (!all) return std::unexpected(all.error());
        for (std::size_t i = 0; i < all->size(); ++i) {
            if (std::ranges::find(names, (*all)[i]) != names.end()) continue;
            return fail_at(line_of(*list->as_array()->get(i)),
                           fmt::format("{} takes no \"{}\"; it takes {}", what, (*all)[i],
                                       quoted_list(names)));
        }
        place = *std::move(all);
        return {};
    };

    if (auto known = known_keys("effective_ttl", {"caches", "ttls"}); !known) return known;
    if (auto known = known_keys("cost", {"ways"}); !known) return known;
    if (auto read = known_names(inner("effective_ttl", "caches"), "caches", measurable_caches(),
                                suite_.effective_ttls);
        !read) {
        return read;
    }
    if (auto read = known_names(inner("cost", "ways"), "ways", names_of(ways()), suite_.costs);
        !read) {
        return read;
    }
    const toml::node* list = inner("effective_ttl", "ttls");
    auto ttls = list_of<std::int64_t>(list, "ttls");
    if (!ttls) return std::unexpected(ttls.error());
    for (const std::int64_t ttl : *ttls) {
        if (ttl < 0 || ttl > 3600)
            return fail_at(line_of(*list), "ttls takes whole numbers from 0 to 3600");
        suite_.effective_ttl_seconds.push_back(static_cast<int>(ttl));
    }
    if (!suite_.effective_ttls.empty() && ttls->empty()) {
        return fail_at(line_of(*root.get("effective_ttl")),
                       "[effective_ttl] wants ttls beside caches");
    }
    return {};
}

template <class Function>
Result<> Reader::each_of(const toml::table& root, std::string_view name, Function read) const {
    const toml::node* node = root.get(name);
    if (node == nullptr) return {};
    const toml::array* list = node->as_array();
    if (list == nullptr) {
        return fail_at(line_of(*node),
                       fmt::format("write [[{0}]], in two pairs of brackets, not [{0}]", name));
    }
    for (const toml::node& one : *list) {
        if (auto done = read(one); !done) return done;
    }
    return {};
}

Result<Suite> Reader::read(std::string_view text) {
    toml::table root;
    try {
        root = toml::parse(text, file_);
    } catch (const toml::parse_error& error) {
        return fail_at(error.source().begin.line, error.description());
    }
    suite_.name = std::filesystem::path(file_).stem().string();
    const Words known{"about", "centre", "cell", "pair", "effective_ttl", "cost"};
    for (const auto& [key, node] : root) {
        if (std::ranges::find(known, key.str()) != known.end()) continue;
        return fail_at(key.source().begin.line, fmt::format("a suite takes no '{}'; it takes {}",
                                                            key.str(), fmt::join(known, ", ")));
    }
    if (const toml::node* about = root.get("about")) {
        const auto said = about->value_exact<std::string>();
        if (!said) return fail_at(line_of(*about), "about takes text");
        suite_.about = *said;
    }
    if (auto done = read_centre(root); !done) return std::unexpected(done.error());
    if (auto done = each_of(root, "cell", [this](const toml::node& n) { return read_cell(n); });
        !done) {
        return std::unexpected(done.error());
    }
    if (auto done = each_of(root, "pair", [this](const toml::node& n) { return read_pair(n); });
        !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_measurements(root); !done) return std::unexpected(done.error());
    if (suite_.cells.empty() && suite_.effective_ttls.empty() && suite_.costs.empty()) {
        return fail(
            fmt::format("{}: there is nothing to run in it: no [[cell]], no [[pair]], no "
                        "[effective_ttl], no [cost]",
                        file_));
    }
    even_out_pairs();
    return std::move(suite_);
}

}  // namespace

std::vector<std::string> measurable_caches() {
    Words names;
    for (const Way& way : ways()) {
        if (way.family == Family::Dns && way.start != nullptr) names.emplace_back(way.name);
    }
    const auto stubs = std::ranges::find(setting_fields(), "stub", &SettingField::name);
    for (const std::string_view stub : stubs->choices) {
        if (!stub.empty()) names.emplace_back(stub);
    }
    return names;
}

Result<Suite> read_suite(std::string_view text, std::string_view file) {
    return Reader(file).read(text);
}

}  // namespace dnsd::lab
