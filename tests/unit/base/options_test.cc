#include "base/options.h"

#include <doctest/doctest.h>

using namespace dnsd;

namespace {

using Type = Option::Type;
constexpr Option table[] = {
    {.name = "profile",
     .type = Type::Text,
     .initial = "\"fast\"",
     .choices = {},
     .help = "The profile."},
    {.name = "dns.listen",
     .type = Type::TextList,
     .initial = "[\"127.0.0.1:5300\"]",
     .choices = {},
     .help = "Where."},
    {.name = "dns.workers",
     .type = Type::Integer,
     .initial = "0",
     .least = 0,
     .most = 256,
     .choices = {},
     .help = "Threads."},
    {.name = "dns.idle",
     .type = Type::Seconds,
     .initial = "2.5",
     .least = 0.1,
     .most = 60,
     .choices = {},
     .reloadable = true,
     .help = "Idle."},
    {.name = "api.insecure",
     .type = Type::Bool,
     .initial = "false",
     .choices = {},
     .help = "Dare."},
    {.name = "api.threads",
     .type = Type::Integer,
     .initial = "",
     .choices = {},
     .help = "",
     .removed = "gone since 0.1; there is one thread"},
};

std::string error_of(const Result<>& result) { return result ? "" : result.error().message; }

}  // namespace

TEST_CASE("what is not set is at its default") {
    const Options options(table);
    CHECK(options.integer("dns.workers") == 0);
    CHECK(options.list("dns.listen") == std::vector<std::string>{"127.0.0.1:5300"});
    CHECK(options.seconds("dns.idle") == 2.5);
    CHECK_FALSE(options.is_set("dns.workers"));
}

TEST_CASE("a file sets options; --set overrides them, with bare words as strings") {
    Options options(table);
    REQUIRE(options.read_toml("profile = 'aws'\n[dns]\nworkers = 2\nidle = 3\n", "x.toml"));
    CHECK(options.text("profile") == "aws");
    CHECK(options.integer("dns.workers") == 2);
    CHECK(options.seconds("dns.idle") == 3.0);
    REQUIRE(options.set("dns.listen=127.0.0.1:0,[::1]:0"));
    CHECK(options.list("dns.listen") == std::vector<std::string>{"127.0.0.1:0", "[::1]:0"});
    REQUIRE(options.set("profile=fast"));
    CHECK(options.text("profile") == "fast");
    CHECK(options.is_set("profile"));
}

TEST_CASE("a bad file is refused whole, naming file, line and what is allowed") {
    Options options(table);
    const std::string text = "[dns]\nidle = 9\nworkers = 500\n";
    CHECK(error_of(options.read_toml(text, "x.toml")) ==
          "x.toml:3: dns.workers: 500 is not allowed here: it takes a whole number from 0 to 256");
    CHECK(options.seconds("dns.idle") == 2.5);
    CHECK(error_of(options.read_toml("[dns]\nworker = 1\n", "x.toml")) ==
          "x.toml:2: dns.worker: there is no such option; `--print-config` lists them all");
    CHECK(error_of(options.read_toml("[api]\nthreads = 1\n", "x.toml")) ==
          "x.toml:2: api.threads: gone since 0.1; there is one thread");
    CHECK(error_of(options.read_toml("dns = 1\n", "x.toml")) ==
          "x.toml:1: dns: this is a table of options, not an option");
    CHECK(error_of(options.read_toml("[dns\n", "x.toml")).starts_with("x.toml:1: "));
    CHECK(error_of(options.set("dns.workers")).find("table.key=value") != std::string::npos);
}

TEST_CASE("what is printed reads back the same") {
    Options options(table);
    REQUIRE(options.set("dns.idle=0.25"));
    Options again(table);
    REQUIRE(again.read_toml(options.print(), "printed"));
    CHECK(again.seconds("dns.idle") == 0.25);
    CHECK(again.print() == options.print());
}

TEST_CASE("only reloadable options may differ in a reload") {
    Options before(table), after(table);
    REQUIRE(after.set("dns.idle=1"));
    CHECK(before.fixed_differences(after).empty());
    REQUIRE(after.set("dns.workers=1"));
    CHECK(before.fixed_differences(after) == std::vector<std::string>{"dns.workers"});
}
