#include <fmt/format.h>

#include <algorithm>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/report/digest.h"
#include "tools/failover-lab/report/explained.h"
#include "tools/failover-lab/report/words.h"

namespace dnsd::lab {
namespace {

constexpr std::size_t lines_of_faults_max = 6, lines_of_pairs_max = 2, surprises_max = 3;

// Those that people ask for first; the report has all.
std::vector<FaultDigest> foremost(std::vector<FaultDigest> digests) {
    constexpr std::string_view order[] = {"kill",       "stop", "drop",     "gray",
                                          "deregister", "half", "dnsd_down"};
    std::vector<FaultDigest> chosen;
    for (const std::string_view name : order) {
        for (const FaultDigest& digest : digests) {
            if (digest.fault->name == name) chosen.push_back(digest);
        }
    }
    for (const FaultDigest& digest : digests) {
        if (chosen.size() < lines_of_faults_max &&
            std::ranges::find(order, digest.fault->name) == std::end(order)) {
            chosen.push_back(digest);
        }
    }
    return chosen;
}

// "0.78 (0.60 to 0.97)  replica": columns that fit beside each other.
std::string figure(const CellResult* cell, bool named) {
    if (!cell) return fmt::format("{:<21}{:<{}}", "-", "", named ? 16 : 0);
    const auto numbers = (cell->modelled ? "model " : "") +
                         interval_text(cell->bad_seconds, cell->bad_seconds_interval);
    if (!named) return fmt::format("{:<21}", numbers);
    return fmt::format("{:<21}{:<16}", numbers, cell->cell.setting.way);
}

std::string line_of(const FaultDigest& digest) {
    auto line = fmt::format("{:<20}{}{}{}", digest.fault->name, figure(digest.centre, false),
                            figure(digest.push, true), figure(digest.sidecar, true));
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

void add_pairs(const Results& results, std::vector<std::string>& lines) {
    if (results.pairs.empty()) return;
    const auto met = std::ranges::count_if(results.pairs, &PairResult::met);
    lines.push_back(fmt::format("Goals: {} of {} met.", met, results.pairs.size()));
    // What was not shown goes first: it must not be what is cut.
    std::vector<const PairResult*> order;
    for (const bool wanted : {false, true}) {
        for (const PairResult& pair : results.pairs) {
            if (pair.met == wanted) order.push_back(&pair);
        }
    }
    // All that are not met, and some that are.
    const auto missed =
        static_cast<std::size_t>(std::ranges::count(results.pairs, false, &PairResult::met));
    const std::size_t lines_max = std::max(lines_of_pairs_max, missed);
    for (std::size_t n = 0; n < std::min(order.size(), lines_max); ++n) {
        lines.push_back(fmt::format("  {}: {} [{} pairs]", order[n]->pair.title, order[n]->words,
                                    order[n]->pairs));
    }
    if (order.size() > lines_max) {
        lines.push_back(fmt::format("  and {} more, met.", order.size() - lines_max));
    }
}

std::string marks_line(const Results& results) {
    const auto& cells = results.cells;
    const auto residual = std::ranges::count_if(cells, &CellResult::residual_marked);
    const auto explained = std::ranges::count_if(cells, [](const CellResult& cell) {
        return cell.residual_marked && !explanation_of(cell.cell.setting).empty();
    });
    const auto invalid = std::ranges::count_if(cells, &CellResult::invalid_marked);
    const auto modelled = std::ranges::count_if(cells, &CellResult::modelled);
    return fmt::format(
        "{} cells, {} runs: {} miss the model by over 100 ms ({} for known reasons), {} lost over "
        "10 % "
        "of their runs, {} are the model's alone.",
        cells.size(), results.runs.size(), residual, explained, invalid, modelled);
}

std::string surprises_line(const Results& results) {
    std::string line;
    std::size_t shown = 0, all = 0;
    for (const auto& record : results.effective_ttls) {
        for (const TtlDigest& digest : digest_ttls(record)) {
            if (!digest.surprising() || ++all > surprises_max) continue;
            line += fmt::format("{}{} keeps TTL {:g} for {} s", shown++ ? ", " : "", record.title,
                                digest.ttl, seconds_text(digest.mean));
        }
    }
    if (all == 0) return "";
    if (all > shown) line += fmt::format(", and {} more", all - shown);
    return "TTL is not what caches do: " + line + ".";
}

}  // namespace

std::vector<std::string> verdict(const Results& results) {
    std::vector<std::string> lines;
    const auto all = digest_faults(results);
    const auto shown = foremost(all);
    lines.push_back(fmt::format("{:<20}{:<21}{:<37}{}", "Bad-seconds under", "direct DNS, TTL 1",
                                "best DNS with push", "best sidecar"));
    for (const FaultDigest& digest : shown) lines.push_back(line_of(digest));
    if (all.size() > shown.size()) {
        lines.push_back(
            fmt::format("{} more faults are in the report.", all.size() - shown.size()));
    }
    add_pairs(results, lines);
    lines.push_back(marks_line(results));
    if (auto line = surprises_line(results); !line.empty()) lines.push_back(std::move(line));
    return lines;
}

}  // namespace dnsd::lab
