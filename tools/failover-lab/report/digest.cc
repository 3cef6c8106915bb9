#include "tools/failover-lab/report/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/report/words.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

bool has_result(const CellResult& cell) { return cell.valid > 0 || cell.modelled; }

const CellResult* best_of(const Results& results, const Fault& fault, std::string_view family) {
    const CellResult* best = nullptr;
    for (const CellResult& cell : results.cells) {
        const Setting& setting = cell.cell.setting;
        if (cell.valid == 0 || setting.fault != fault.name || !is_plain(setting) ||
            family_of(setting) != family) {
            continue;
        }
        if (!best || cell.bad_seconds < best->bad_seconds) best = &cell;
    }
    return best;
}

const CellResult* centre_of(const Results& results, const Fault& fault) {
    for (const CellResult& cell : results.cells) {
        const Setting& setting = cell.cell.setting;
        if (setting.fault == fault.name && setting.way == "dns" && setting.ttl == 1 &&
            setting.stub.empty() && is_plain(setting) && has_result(cell)) {
            return &cell;
        }
    }
    return nullptr;
}

// What a cell does, for a sentence.
std::string loss(const CellResult& cell) {
    if (cell.bad_seconds <= 0) return "loses no request";
    return fmt::format("costs {} bad-seconds within {} s", seconds_text(cell.bad_seconds),
                       seconds_text(cell.window));
}

// How a stands to b: by their intervals, and only if it is worth a word.
std::string_view comparison(const CellResult& a, const CellResult& b) {
    const Interval &one = a.bad_seconds_interval, &other = b.bad_seconds_interval;
    constexpr double worth = 0.05;  // seconds, and the share
    const double apart = std::abs(a.bad_seconds - b.bad_seconds);
    const bool small = apart <= std::max(worth, worth * b.bad_seconds);
    if (!small && one.high < other.low) return "less than";
    if (!small && one.low > other.high) return "more than";
    // Two wide intervals about the same mean say nothing.
    const double width = std::max(one.high - one.low, other.high - other.low);
    const bool sure = width <= std::max(4 * worth, b.bad_seconds / 2);
    return small && sure ? "as much as" : "which these runs do not tell apart from";
}

std::string push_against_sidecar(const FaultDigest& digest) {
    const auto named = [](const CellResult* cell) {
        const Setting& setting = cell->cell.setting;
        return way_title(setting) + (setting.reconfirm ? ", reconfirm" : "");
    };
    if (digest.push && digest.sidecar) {
        if (digest.push->bad_seconds <= 0 && digest.sidecar->bad_seconds <= 0) {
            return fmt::format(
                "neither DNS with push ({}) nor the best sidecar ({}) loses a request",
                named(digest.push), named(digest.sidecar));
        }
        return fmt::format("DNS with push ({}) {}, {} the best sidecar ({}, {})",
                           named(digest.push), loss(*digest.push),
                           comparison(*digest.push, *digest.sidecar), named(digest.sidecar),
                           seconds_text(digest.sidecar->bad_seconds));
    }
    if (digest.push) {
        return fmt::format("DNS with push ({}) {}", named(digest.push), loss(*digest.push));
    }
    if (digest.sidecar) {
        return fmt::format("the best sidecar ({}) {}", named(digest.sidecar),
                           loss(*digest.sidecar));
    }
    return "";
}

std::string share_words(const FaultDigest& digest) {
    std::string words;
    double most = 0;
    const auto add = [&](const char* who, const CellResult* cell) {
        if (!cell || !cell->share_after) return;
        words += fmt::format("{}{} s {}", words.empty() ? "" : ", ",
                             seconds_text(std::max(0.0, *cell->share_after)), who);
        most = std::max(most, *cell->share_after);
    };
    add("with direct DNS", digest.centre);
    add("with push", digest.push);
    add("with the sidecar", digest.sidecar);
    // Who never lost its share has nothing to get back.
    if (most < 0.1) return "";
    return fmt::format(" It has its share of the load after {}.", words);
}

std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
        text[0] = static_cast<char>(text[0] - 32);
    return text;
}

std::string sentence_of(const FaultDigest& digest) {
    const std::string rest = push_against_sidecar(digest);
    std::string sentence;
    if (digest.centre) sentence = "Direct DNS with TTL 1 " + loss(*digest.centre);
    if (!rest.empty()) sentence += sentence.empty() ? rest : ". " + capital(rest);
    if (sentence.empty()) return "Neither the centre nor its rivals were run; see the table.";
    sentence.front() =
        static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
    return sentence + "." + share_words(digest);
}

EffectiveTtls ttls_of(const Results& results) {
    std::vector<EffectiveTtls::Sample> samples;
    for (const auto& record : results.effective_ttls) {
        samples.insert(samples.end(), record.samples.begin(), record.samples.end());
    }
    return EffectiveTtls(std::move(samples));
}

Setting setting_of(std::string way, std::int64_t ttl) {
    Setting setting;
    setting.way = std::move(way);
    setting.ttl = ttl;
    return setting;
}

// Direct DNS with the clocks that people have, and each other way that took part once, with the TTL
// that it was run with (the longest, where it was run with several: what is pushed may keep long).
std::vector<Setting> fleet_settings(const Results& results) {
    std::vector<Setting> settings;
    Setting route53 = setting_of("dns", 60);
    route53.interval = 30;
    route53.fall = 3;
    settings.push_back(route53);
    Setting slow_checks = setting_of("dns", 60);
    slow_checks.interval = 10;
    slow_checks.fall = 3;
    settings.push_back(slow_checks);
    for (const std::int64_t ttl : {60, 10, 5, 1}) settings.push_back(setting_of("dns", ttl));
    Setting jvm = setting_of("dns", 5);
    jvm.stub = "jvm";
    settings.push_back(jvm);

    std::set<std::string> seen;
    for (const CellResult& cell : results.cells) {
        const Setting& setting = cell.cell.setting;
        const auto family = family_of(setting);
        if (family == "dns" || setting.topology == "central" || !seen.insert(setting.way).second) {
            continue;
        }
        settings.push_back(setting_of(setting.way, family == "push" ? 30 : 1));
    }
    std::erase_if(settings, [](const Setting& setting) { return !find_way(setting.way); });
    return settings;
}

}  // namespace

std::vector<FaultDigest> digest_faults(const Results& results) {
    std::vector<FaultDigest> digests;
    for (const Fault& fault : faults()) {
        FaultDigest digest;
        digest.fault = &fault;
        digest.cells = static_cast<int>(std::ranges::count_if(results.cells, [&](const auto& cell) {
            return cell.cell.setting.fault == fault.name;
        }));
        if (digest.cells == 0) continue;
        digest.centre = centre_of(results, fault);
        digest.push = best_of(results, fault, "push");
        digest.sidecar = best_of(results, fault, "sidecar");
        digest.central = best_of(results, fault, "central");
        digest.sentence = sentence_of(digest);
        digests.push_back(std::move(digest));
    }
    return digests;
}

bool TtlDigest::surprising() const noexcept { return std::abs(mean - ttl) > 0.25; }

std::vector<TtlDigest> digest_ttls(const EffectiveTtlRecord& record) {
    std::map<double, TtlDigest> by_ttl;
    for (const auto& sample : record.samples) {
        TtlDigest& digest = by_ttl[sample.ttl];
        digest.ttl = sample.ttl;
        digest.least = digest.samples == 0 ? sample.age : std::min(digest.least, sample.age);
        digest.most = std::max(digest.most, sample.age);
        digest.mean += sample.age;
        ++digest.samples;
    }
    std::vector<TtlDigest> digests;
    for (auto& [ttl, digest] : by_ttl) {
        digest.mean /= digest.samples;
        digests.push_back(digest);
    }
    return digests;
}

std::vector<TtlCurve> ttl_curves(const Results& results) {
    std::map<std::pair<std::string, std::string>, std::set<std::int64_t>> seen;
    for (const CellResult& cell : results.cells) {
        const Setting& setting = cell.cell.setting;
        if (family_of(setting) == "dns" && setting.stub.empty() && is_plain(setting)) {
            seen[{setting.way, setting.fault}].insert(setting.ttl);
        }
    }
    const EffectiveTtls ttls = ttls_of(results);
    std::vector<TtlCurve> curves;
    for (const auto& [key, of_cells] : seen) {
        const Way* way = find_way(key.first);
        if (of_cells.size() < 2 || !way) continue;
        TtlCurve curve{key.first, key.second, {}, {}};
        for (const int ttl : {0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30, 45, 60}) {
            Setting setting = setting_of(key.first, ttl);
            setting.fault = key.second;
            curve.ttls.push_back(ttl);
            curve.expectations.push_back(
                expect(setting, way->clocks(setting), ttls, Delays{}, 200));
        }
        curves.push_back(std::move(curve));
    }
    return curves;
}

std::vector<FleetRow> fleet_rows(const Fleet& fleet, const Results& results) {
    const EffectiveTtls ttls = ttls_of(results);
    std::vector<FleetRow> rows;
    for (const Setting& setting : fleet_settings(results)) {
        const Way* way = find_way(setting.way);
        rows.push_back({title_of(setting), std::string(family_of(setting)),
                        extrapolate(fleet, setting, way->clocks(setting), ttls, Delays{}, 1)});
    }
    return rows;
}

std::map<std::string, std::string> versions_of(const Results& results) {
    std::map<std::string, std::string> versions;
    for (const RunResult& run : results.runs) {
        for (const auto& [what, version] : run.record.versions) versions[what] = version;
    }
    // Runs name most of it already, by the package.
    std::set<std::string> known;
    for (const auto& [what, version] : versions) known.insert(version);
    for (const auto& record : results.effective_ttls) {
        if (!record.version.empty() && !known.contains(record.version)) {
            versions.emplace(record.title, record.version);
        }
    }
    return versions;
}

}  // namespace dnsd::lab
