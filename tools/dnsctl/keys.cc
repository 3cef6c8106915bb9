// dnsctl key: TSIG keys, which other name servers share with this one.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "base/text.h"
#include "tools/dnsctl/commands.h"

namespace dnsd::ctl {

namespace {

std::string key_path(const std::string& name) { return "/v1/keys/" + percent_encoded(name); }

// The secret is no argument: those, everybody on the machine can see.
Result<std::string> read_secret(const std::string& path) {
    std::ifstream file;
    if (path != "-") file.open(path);
    std::string secret;
    if (!std::getline(path == "-" ? std::cin : file, secret))
        return fail(fmt::format("--secret-file: {} has no secret to read", path));
    return std::string(trimmed(secret));
}

int add_key(const Given& given, const Api& api) {
    Json body{{"algorithm", given.algorithm}};
    if (!given.secret_file.empty()) {
        auto secret = read_secret(given.secret_file);
        if (!secret) return complain(secret.error().message);
        body["secret"] = std::move(*secret);
    }
    return show_reply(given, api.send("PUT", key_path(given.name), body));
}

}  // namespace

void add_keys(Commands& commands) {
    Given& given = commands.given;
    CLI::App* of = commands.group("key", "TSIG keys, shared with other name servers");
    const auto take_name = [&](CLI::App* to) {
        to->add_option("name", given.name, "The key's name")->required();
    };
    commands.add(of, "list", "Lists them, without their secrets", [](const Given& g, const Api& a) {
        return list(g, a, "/v1/keys", "keys", {"name", "algorithm", "revision"});
    });
    auto* added = commands.add(
        of, "add", "Creates or replaces one; a secret that is not given is drawn, and shown once",
        add_key);
    take_name(added);
    added->add_option("--algorithm", given.algorithm, "hmac-sha256, hmac-sha384 or hmac-sha512")
        ->check(CLI::IsMember({"hmac-sha256", "hmac-sha384", "hmac-sha512"}))
        ->capture_default_str();
    added->add_option("--secret-file", given.secret_file,
                      "A file that holds the secret in base64; - is the standard input");
    take_name(commands.add(of, "delete", "Deletes one that no zone names",
                           [](const Given& g, const Api& a) {
                               return show_reply(g, a.send("DELETE", key_path(g.name)));
                           }));
}

}  // namespace dnsd::ctl
