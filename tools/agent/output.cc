#include "tools/agent/output.h"

#include <fmt/format.h>

#include "base/log.h"
#include "tools/agent/files.h"
#include "tools/agent/template.h"

namespace dnsd::agent {

namespace {

constexpr Milliseconds try_again_after(2000);

}  // namespace

Output::Output(io::Loop& loop, OutputRule rule, Milliseconds command_timeout)
    : loop_(loop),
      rule_(std::move(rule)),
      command_timeout_(command_timeout),
      again_(loop, [this] { update(); }) {}

void Output::set_members(const Members& members) {
    members_ = members;
    update();
}

Result<std::string> Output::render(const Members& members) const {
    if (rule_.format == "json") return render_json(rule_.service, members);
    if (rule_.format == "nginx") return render_nginx(rule_.service, members);
    const auto text = read_whole(rule_.format);
    if (!text) return fail(fmt::format("{}: cannot be read", rule_.format));
    auto rendered = render_template(*text, rule_.service, members);
    if (!rendered) return in_context(rule_.format, rendered.error());
    return rendered;
}

void Output::update() {
    again_.stop();
    const auto text = render(members_);
    if (!text) return say(std::unexpected(text.error()));
    // What is there is read, not remembered: somebody may have changed it.
    if (read_whole(rule_.file) != *text) {
        if (auto written = replace_file(rule_.file, *text); !written) return say(written);
        ++counts_.writes;
        command_due_ = !rule_.command.empty();
    }
    if (!command_due_) return say({});
    if (!process_) run_command();
}

void Output::run_command() {
    command_due_ = false;
    ++counts_.commands;
    process_ = std::make_unique<io::Process>(
        loop_, rule_.command, command_timeout_, [this](const Result<>& outcome) {
            process_.reset();
            if (!outcome) {
                command_due_ = true;
                return say(in_context(rule_.command.front(), outcome.error()));
            }
            say({});
            if (command_due_) run_command();
        });
}

void Output::say(const Result<>& outcome) {
    const std::string failure = outcome ? "" : outcome.error().message;
    if (!outcome) {
        ++counts_.failures;
        again_.start(try_again_after);
    }
    if (failure != last_failure_) {
        if (failure.empty()) {
            log::info("output is well again file={}", log::quoted(rule_.file));
        } else {
            log::warn("output fails file={} reason={}", log::quoted(rule_.file),
                      log::quoted(failure));
        }
    }
    last_failure_ = failure;
}

}  // namespace dnsd::agent
