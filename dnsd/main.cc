// argv in, exit status out: 0 for a good end, 1 for what the machine refused, 2 for what the caller
// got wrong.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "dnsd/config.h"
#include "dnsd/daemon.h"

namespace {

int complain(int status, const dnsd::Error& error) {
    std::fprintf(stderr, "dnsd: %s\n", error.message.c_str());
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("dnsd: DNS-based service discovery with health checks", "dnsd");
    app.set_version_flag("--version", DNSD_VERSION);
    dnsd::Invocation invocation;
    bool only_check = false, only_print = false;
    app.add_option("--config", invocation.config_file,
                   "A TOML file; conf/dnsd.toml shows every option")
        ->type_name("FILE");
    app.add_option("--set", invocation.assignments,
                   "Overrides an option, as in --set dns.workers=2; may be repeated")
        ->type_name("TABLE.KEY=VALUE")
        ->allow_extra_args(false);
    app.add_option("--ready-file", invocation.ready_file,
                   "Written when dnsd is ready, with the addresses it listens on")
        ->type_name("FILE");
    app.add_flag("--check-config", only_check, "Checks the configuration and ends");
    app.add_flag("--print-config", only_print, "Prints every option as it would be, and ends");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }

    const auto options = dnsd::read_options(invocation);
    if (!options) return complain(2, options.error());
    if (only_print) std::fputs(options->print().c_str(), stdout);
    if (only_check) std::fputs("the configuration is good\n", stdout);
    if (only_print || only_check) return 0;

    dnsd::log::set_up(dnsd::log_level_of(*options), options->text("log.format") == "json"
                                                        ? dnsd::log::Format::Json
                                                        : dnsd::log::Format::Text);
    auto daemon = dnsd::Daemon::start(invocation, *options);
    if (!daemon) return complain(1, daemon.error());
    if (auto ran = (*daemon)->run(); !ran) return complain(1, ran.error());
    return 0;
}
