// argv in, exit status out: 0 for a good end, 2 for what the caller got wrong.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "tools/agent/agent.h"
#include "tools/agent/config.h"

int main(int argc, char** argv) {
    CLI::App app("dnsd-agent: empties caches and drives proxies when dnsd's answers change",
                 "dnsd-agent");
    app.set_version_flag("--version", DNSD_VERSION);
    dnsd::agent::Invocation invocation;
    bool only_check = false, only_print = false;
    app.add_option("--config", invocation.config_file,
                   "A TOML file; conf/dnsd-agent.toml shows every option")
        ->type_name("FILE");
    app.add_option("--set", invocation.assignments,
                   "Overrides an option, as in --set flush_repeat=0; may be repeated")
        ->type_name("TABLE.KEY=VALUE")
        ->allow_extra_args(false);
    app.add_flag("--check-config", only_check, "Checks the configuration and ends");
    app.add_flag("--print-config", only_print, "Prints every option as it would be, and ends");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }

    const auto options = dnsd::agent::read_options(invocation);
    if (!options) {
        std::fprintf(stderr, "dnsd-agent: %s\n", options.error().message.c_str());
        return 2;
    }
    if (only_print) std::fputs(options->print().c_str(), stdout);
    if (only_check) std::fputs("the configuration is good\n", stdout);
    if (only_print || only_check) return 0;

    dnsd::log::set_up(dnsd::agent::log_level_of(*options), options->text("log.format") == "json"
                                                               ? dnsd::log::Format::Json
                                                               : dnsd::log::Format::Text);
    dnsd::agent::Agent::make(*options)->run();
    return 0;
}
