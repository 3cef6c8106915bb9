#include "tools/dnsctl/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace dnsd::ctl {

namespace {

// The words that may follow a chain of commands: its own commands and options.
std::string words_after(const CLI::App& app) {
    std::string words;
    for (const CLI::App* command : app.get_subcommands({})) words += command->get_name() + ' ';
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) words += "--" + name + ' ';
    }
    if (!words.empty()) words.pop_back();
    return words;
}

void add_cases(const CLI::App& app, const std::string& chain, std::string& cases) {
    cases += fmt::format("            '{}') words='{}' ;;\n", chain, words_after(app));
    for (const CLI::App* command : app.get_subcommands({}))
        add_cases(*command, chain.empty() ? command->get_name() : chain + ' ' + command->get_name(),
                  cases);
}

void add_fish(const CLI::App& app, const std::string& chain, std::string& lines) {
    const std::string condition =
        chain.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + chain;
    for (const CLI::App* command : app.get_subcommands({})) {
        lines += fmt::format("complete -c dnsctl -f -n '{}' -a {} -d '{}'\n", condition,
                             command->get_name(), command->get_description());
        add_fish(*command, command->get_name(), lines);
    }
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames())
            lines += fmt::format("complete -c dnsctl -f -n '{}' -l {}\n", condition, name);
    }
}

}  // namespace

std::string print_completion(const CLI::App& app, const std::string& shell) {
    if (shell == "fish") {
        std::string lines;
        add_fish(app, "", lines);
        return lines;
    }
    if (shell != "bash" && shell != "zsh") return "";
    std::string cases;
    add_cases(app, "", cases);
    const std::string head = shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
    return head + fmt::format(R"(_dnsctl() {{
    local chain='' words='' word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) ;; *) chain="${{chain:+$chain }}$word" ;; esac
    done
    while :; do
        case "$chain" in
{}            *) words='' ;;
        esac
        [[ -n $words || $chain != *' '* ]] && break
        chain="${{chain% *}}"
    done
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _dnsctl dnsctl
)",
                              cases);
}

}  // namespace dnsd::ctl
