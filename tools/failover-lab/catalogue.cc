#include "tools/failover-lab/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "tools/failover-lab/equipment.h"
#include "tools/failover-lab/model/files.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;

std::string folder() {
    const std::string source = source_folder();
    return source.empty() ? "" : source + "/suites";
}

}  // namespace

std::vector<std::string> suite_names() {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder(), ignored)) {
        if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
    std::ranges::sort(names);
    return names;
}

Result<Suite> find_suite(const std::string& name_or_file) {
    std::string path = name_or_file;
    const auto names = suite_names();
    if (std::ranges::find(names, name_or_file) != names.end()) {
        path = fmt::format("{}/{}.toml", folder(), name_or_file);
    } else if (!name_or_file.ends_with(".toml")) {
        return fail(fmt::format("there is no suite '{}'; there are {}, and files that end in .toml",
                                name_or_file, fmt::join(names, ", ")));
    }
    const auto text = read_file(path);
    if (!text) return in_context("suite", text.error());
    return read_suite(*text, path);
}

void select(Suite& suite, const std::string& pattern) {
    if (pattern.empty()) return;
    const auto named = [&](const std::string& text) {
        return text.find(pattern) != std::string::npos ||
               ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
    };
    std::erase_if(suite.cells, [&](const Cell& cell) {
        return !named(name_of(cell.setting)) && !named(cell.group);
    });
    const auto is_left = [&](const std::string& name) {
        return std::ranges::any_of(suite.cells,
                                   [&](const Cell& cell) { return name_of(cell.setting) == name; });
    };
    std::erase_if(suite.pairs,
                  [&](const Pair& pair) { return !is_left(pair.a) || !is_left(pair.b); });
    std::erase_if(suite.effective_ttls,
                  [&](const std::string& cache) { return !named("effective TTL of " + cache); });
    std::erase_if(suite.costs, [&](const std::string& way) { return !named("cost of " + way); });
}

}  // namespace dnsd::lab
