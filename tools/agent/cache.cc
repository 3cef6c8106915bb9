#include "tools/agent/cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <csignal>

#include "base/text.h"

namespace dnsd::agent {

struct CacheKind {
    std::string_view word, where;  // `where` unless it is given
    std::vector<Step> (*steps)(const std::string& where, const Stale& stale);
};

namespace {

// rndc takes one name, and 20 ms: of more names than these the whole zone is flushed.
constexpr std::size_t rndc_names_max = 10;

std::vector<std::string> words_of(const std::string& command) {
    std::vector<std::string> words;
    for (const std::string_view word : split(command, ' ')) {
        if (!word.empty()) words.emplace_back(word);
    }
    return words;
}

bool is_below(std::string_view name, std::string_view ancestor) {
    return name.size() > ancestor.size() && name.ends_with(ancestor) &&
           name[name.size() - ancestor.size() - 1] == '.';
}

// Names of which none is below another.
std::vector<std::string> tops(const std::set<std::string>& names, const std::string& zone) {
    std::vector<std::string> out;
    for (const std::string& name : names) {
        // The zone's own name is above all, and at it only its own records have changed.
        bool covered = false;
        for (const std::string& other : names) covered |= other != zone && is_below(name, other);
        if (!covered) out.push_back(name);
    }
    return out;
}

std::vector<Step> unbound_steps(const std::string& where, const Stale& stale) {
    std::vector<Step> steps;
    const auto ask = [&](std::string_view verb, const std::string& name) {
        steps.emplace_back(Ask{where, fmt::format("UBCT1 {} {}\n", verb, name)});
    };
    // `flush_zone` walks the whole cache, `flush` looks up what it removes.
    for (const std::string& zone : stale.zones) ask("flush_zone", zone);
    for (const auto& [zone, names] : stale.names) {
        for (const std::string& name : names) ask("flush", name);
    }
    return steps;
}

std::vector<Step> bind_steps(const std::string& where, const Stale& stale) {
    std::vector<Step> steps;
    const auto run = [&](std::string_view verb, const std::string& name) {
        Run rndc{words_of(where)};
        rndc.command.emplace_back(verb);
        rndc.command.push_back(name);
        steps.emplace_back(std::move(rndc));
    };
    for (const std::string& zone : stale.zones) run("flushtree", zone);
    for (const auto& [zone, names] : stale.names) {
        const auto few = tops(names, zone);
        if (few.size() > rndc_names_max) {
            run("flushtree", zone);
            continue;
        }
        for (const std::string& name : few) run(name == zone ? "flushname" : "flushtree", name);
    }
    return steps;
}

std::vector<Step> dnsmasq_steps(const std::string& where, const Stale&) {
    return {Kill{where, SIGHUP}};
}

std::vector<Step> resolved_steps(const std::string& where, const Stale&) {
    if (where.ends_with(".pid")) return {Kill{where, SIGUSR2}};
    return {Run{words_of(where)}};
}

std::vector<Step> nscd_steps(const std::string& where, const Stale&) {
    Run run{words_of(where)};
    run.command.insert(run.command.end(), {"-i", "hosts"});
    return {std::move(run)};
}

std::vector<Step> command_steps(const std::string& where, const Stale&) {
    return {Run{words_of(where)}};
}

const auto kinds = std::to_array<CacheKind>({
    {"unbound", "/run/unbound.ctl", unbound_steps},
    {"bind", "rndc", bind_steps},
    {"dnsmasq", "/run/dnsmasq/dnsmasq.pid", dnsmasq_steps},
    {"systemd-resolved", "resolvectl flush-caches", resolved_steps},
    {"nscd", "nscd", nscd_steps},
    {"command", "", command_steps},
});

}  // namespace

std::string Cache::word() const { return std::string(kind->word); }

Result<Cache> Cache::parse(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view word = trimmed(text.substr(0, equals));
    std::vector<std::string_view> known;
    for (const CacheKind& kind : kinds) {
        known.push_back(kind.word);
        if (kind.word != word) continue;
        const std::string_view where =
            equals == text.npos ? kind.where : trimmed(text.substr(equals + 1));
        if (where.empty()) return fail(fmt::format("caches: {}: nothing follows the '='", text));
        return Cache{&kind, std::string(where)};
    }
    return fail(fmt::format("caches: {}: known are {}", text, fmt::join(known, ", ")));
}

std::vector<Step> Cache::steps(const Stale& stale) const { return kind->steps(where, stale); }

}  // namespace dnsd::agent
