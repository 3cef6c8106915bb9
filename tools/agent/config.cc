#include "tools/agent/config.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace dnsd::agent {

namespace {

using Type = Option::Type;

const auto table = std::to_array<Option>({
    {.name = "follow",
     .type = Type::TextList,
     .initial = "['http://127.0.0.1:8053']",
     .choices = {},
     .help = "The APIs of the dnsd to follow, one at a time: the next when one is lost. They must "
             "serve the same store."},
    {.name = "namespace",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "The only namespace to follow. Empty: all."},
    {.name = "token_file",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "A file with the token for the API; role read, or report where HAProxy's verdicts "
             "are passed on. Read at each request. Empty: none."},
    {.name = "ca_file",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "PEM, the roots that the certificate of an https API must come from. Empty: the "
             "system's."},
    {.name = "state_file",
     .type = Type::Text,
     .initial = "'/var/lib/dnsd-agent/state.json'",
     .choices = {},
     .help = "Keeps the last revision, so that a restart empties only what was missed. Empty: "
             "none."},
    {.name = "reconnect_max",
     .type = Type::Seconds,
     .initial = "5",
     .least = 0.1,
     .most = 3600,
     .choices = {},
     .help = "The longest wait between two attempts to connect. It begins with 0.1 s and "
             "doubles, each time at random between half and all of it."},
    {.name = "silence_max",
     .type = Type::Seconds,
     .initial = "40",
     .least = 1,
     .most = 3600,
     .choices = {},
     .help = "A stream that says nothing for so long is dead; dnsd says something every 15 s."},
    {.name = "caches",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "The caches to empty, those that others ask first: 'unbound=/run/unbound.ctl', "
             "'bind=rndc', 'dnsmasq=/run/dnsmasq/dnsmasq.pid', 'systemd-resolved=resolvectl "
             "flush-caches' (or a file that ends in .pid, for a signal), 'nscd=nscd', "
             "'command=...'. These are what the word alone means."},
    {.name = "flush_interval",
     .type = Type::Seconds,
     .initial = "0.1",
     .least = 0,
     .most = 60,
     .choices = {},
     .help = "Caches are emptied at most once in this time: of the first change at once, of those "
             "that follow together."},
    {.name = "flush_repeat",
     .type = Type::Seconds,
     .initial = "0.25",
     .least = 0,
     .most = 60,
     .choices = {},
     .help = "Names are emptied once more after this time, since a query under way may have "
             "brought the old answer back. 0: not."},
    {.name = "flush_timeout",
     .type = Type::Seconds,
     .initial = "1",
     .least = 0.01,
     .most = 60,
     .choices = {},
     .help = "How long a cache may take for one name before it counts as failed."},
    {.name = "outputs",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "Files to write, as 'demo.internal/web nginx /etc/nginx/web.conf nginx -s reload': "
             "service, format (json, nginx, or the path of a template), file, and a command to "
             "run after a change."},
    {.name = "command_timeout",
     .type = Type::Seconds,
     .initial = "10",
     .least = 0.1,
     .most = 3600,
     .choices = {},
     .help = "A command of an output that runs for longer is killed."},

    {.name = "haproxy.socket",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "HAProxy's runtime socket, level admin. Empty: HAProxy is not driven."},
    {.name = "haproxy.backends",
     .type = Type::TextList,
     .initial = "[]",
     .choices = {},
     .help = "Backends and the services behind them: 'web=demo.internal/web'."},
    {.name = "haproxy.file",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "The configuration file with these backends that the agent writes and HAProxy "
             "starts from (haproxy -f haproxy.cfg -f THIS). Empty: none, and a reload loses the "
             "servers until the agent has put them back."},
    {.name = "haproxy.backend_lines",
     .type = Type::TextList,
     .initial = "['balance roundrobin']",
     .choices = {},
     .help = "Lines that stand in each backend of that file, before its servers. `balance` must "
             "be a dynamic one, and `defaults` come from the files before it."},
    {.name = "haproxy.server_options",
     .type = Type::Text,
     .initial = "''",
     .choices = {},
     .help = "What follows each server's address and weight, there and at the socket: "
             "'check inter 1s'."},
    {.name = "haproxy.interval",
     .type = Type::Seconds,
     .initial = "1",
     .least = 0.1,
     .most = 3600,
     .choices = {},
     .help = "How often HAProxy's servers are compared with what they should be, and instances "
             "that it sees down are reported to dnsd to be probed."},
    {.name = "haproxy.shutdown_after",
     .type = Type::Seconds,
     .initial = "1",
     .least = 0,
     .most = 3600,
     .choices = {},
     .help =
         "How long what waits for a server may go on waiting after its instance died; then its "
         "sessions are shut down. HAProxy tries again elsewhere what fails by itself meanwhile, "
         "and never what was shut down."},
    {.name = "haproxy.reconfirm",
     .type = Type::Bool,
     .initial = "true",
     .choices = {},
     .help = "Ask dnsd to probe an instance at once that HAProxy sees down; at most once a second "
             "each."},

    {.name = "log.level",
     .type = Type::Text,
     .initial = "'info'",
     .choices = {"debug", "info", "warn", "error", "off"},
     .help = "What is logged, on stderr."},
    {.name = "log.format",
     .type = Type::Text,
     .initial = "'text'",
     .choices = {"text", "json"},
     .help = "key=value text, or a JSON object a line."},
});

Result<Binding> parse_binding(const std::string& text) {
    const std::size_t equals = text.find('=');
    const auto service =
        equals == text.npos ? std::nullopt : ServiceKey::parse(trimmed(text.substr(equals + 1)));
    const std::string backend(trimmed(text.substr(0, equals)));
    const bool is_word = !backend.empty() && backend.find_first_of(" \t;/\n#") == backend.npos;
    if (!service || !is_word)
        return fail(fmt::format("haproxy.backends: {}: it takes BACKEND=NAMESPACE/SERVICE", text));
    return Binding{backend, *service};
}

Result<OutputRule> parse_output(const std::string& text) {
    std::vector<std::string> words;
    for (const std::string_view word : split(text, ' ')) {
        if (!word.empty()) words.emplace_back(word);
    }
    const auto service = words.empty() ? std::nullopt : ServiceKey::parse(words[0]);
    if (!service || words.size() < 3)
        return fail(
            fmt::format("outputs: {}: it takes NAMESPACE/SERVICE FORMAT FILE [COMMAND...]", text));
    if (words[1] != "json" && words[1] != "nginx" && !words[1].starts_with('/'))
        return fail(
            fmt::format("outputs: {}: the format is json, nginx, or the path of a template", text));
    return OutputRule{*service, words[1], words[2], {words.begin() + 3, words.end()}};
}

// Each element of a list, parsed.
template <class T>
Result<std::vector<T>> parse_all(const Options& options, std::string_view name,
                                 Result<T> (*parse)(const std::string&)) {
    std::vector<T> out;
    for (const std::string& text : options.list(name)) {
        auto one = parse(text);
        if (!one) return std::unexpected(one.error());
        out.push_back(std::move(*one));
    }
    return out;
}

Result<Cache> parse_cache(const std::string& text) { return Cache::parse(text); }

}  // namespace

std::span<const Option> option_table() noexcept { return table; }

Result<Options> read_options(const Invocation& invocation) {
    Options options(option_table());
    if (!invocation.config_file.empty()) {
        if (auto read = options.read_file(invocation.config_file); !read)
            return std::unexpected(read.error());
    }
    for (const std::string& assignment : invocation.assignments) {
        if (auto set = options.set(assignment); !set) return std::unexpected(set.error());
    }
    if (auto good = check(options); !good) return std::unexpected(good.error());
    return options;
}

Result<> check(const Options& options) {
    if (options.list("follow").empty()) return fail("follow: names no dnsd");
    for (const std::string& centre : options.list("follow")) {
        if (!centre.starts_with("http://") && !centre.starts_with("https://"))
            return fail(fmt::format("follow: {}: it takes http://HOST:PORT", centre));
    }
    if (auto all = parse_all(options, "caches", parse_cache); !all)
        return std::unexpected(all.error());
    if (auto all = parse_all(options, "haproxy.backends", parse_binding); !all)
        return std::unexpected(all.error());
    if (auto all = parse_all(options, "outputs", parse_output); !all)
        return std::unexpected(all.error());
    if (!options.list("haproxy.backends").empty() && options.text("haproxy.socket").empty())
        return fail("haproxy.backends: haproxy.socket must say where HAProxy is");
    return {};
}

std::vector<Cache> caches_of(const Options& options) {
    return *parse_all(options, "caches", parse_cache);
}

std::vector<Binding> bindings_of(const Options& options) {
    return *parse_all(options, "haproxy.backends", parse_binding);
}

std::vector<OutputRule> outputs_of(const Options& options) {
    return *parse_all(options, "outputs", parse_output);
}

Milliseconds milliseconds_of(const Options& options, std::string_view name) {
    return std::chrono::round<Milliseconds>(std::chrono::duration<double>(options.seconds(name)));
}

log::Level log_level_of(const Options& options) {
    const std::string& level = options.text("log.level");
    if (level == "debug") return log::Level::Debug;
    if (level == "warn") return log::Level::Warn;
    if (level == "error") return log::Level::Error;
    return level == "off" ? log::Level::Off : log::Level::Info;
}

}  // namespace dnsd::agent
