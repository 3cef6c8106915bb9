// The commands, what a command line says to them, and what they print: what all of them share. It
// brings CLI11 with it: for the files that add commands alone.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/dnsctl/api.h"
#include "tools/dnsctl/apply.h"
#include "tools/dnsctl/resolv_conf.h"

namespace dnsd::ctl {

// What a command line says; each command reads what is its own.
struct Given {
    std::string server = "http://127.0.0.1:8053";
    std::string token_file, ca_file;
    bool json = false;

    std::string within, service, id;  // namespace, service, instance
    std::vector<std::string> fields;  // FIELD=VALUE
    std::string status;
    std::vector<std::string> attributes;
    std::optional<std::string> ipv4, ipv6;
    std::optional<int> port, weight, priority;
    bool disabled = false, wait = false, success = false;
    std::string file, name, type = "A", dns, shell;
    std::string rr_type;
    bool tcp = false, subtree = false, all = false, served = false;
    std::optional<std::uint32_t> ttl;
    std::vector<std::string> records;
    std::string algorithm = "hmac-sha256", secret_file;
    int limit = 20, count = 1;
    std::string error;
    ApplyOptions apply;
    std::string resolver = "resolv.conf";
    std::vector<std::string> name_servers;
    ResolverSettings resolving;  // without name servers
};

using Command = std::function<int(const Given&, const Api&)>;

// The commands, and which of them was called.
struct Commands {
    Commands() { app.require_subcommand(1); }

    CLI::App app{"dnsctl: dnsd from the command line", "dnsctl"};
    Given given;
    Command called;

    CLI::App* add(CLI::App* under, const char* name, const char* help, Command command) {
        CLI::App* made = under->add_subcommand(name, help);
        made->callback([this, command = std::move(command)] { called = command; });
        return made;
    }
    CLI::App* group(const char* name, const char* help) {
        CLI::App* made = app.add_subcommand(name, help);
        made->require_subcommand(1);
        return made;
    }
    void take_namespace(CLI::App* to) {
        to->add_option("namespace", given.within, "The namespace")->required();
    }
    void take_service(CLI::App* to) {
        take_namespace(to);
        to->add_option("service", given.service, "The service")->required();
    }
    void take_instance(CLI::App* to) {
        take_service(to);
        to->add_option("instance", given.id, "The instance's id")->required();
    }
    void take_fields(CLI::App* to, const char* example) {
        to->add_option("fields", given.fields,
                       std::string("FIELD=VALUE, as the API names them: ") + example);
    }
};

// Each file's own.
void add_zones(Commands& commands);
void add_records(Commands& commands);
void add_keys(Commands& commands);

// 1, and why on stderr.
int complain(const std::string& message);
int complain(const Refusal& refusal);

// JSON if --json is given, else the table.
void show(const Given& given, const Json& body, const std::string& table);
int show_reply(const Given& given, const Result<Reply, Refusal>& reply);
std::string text_of(const Json& value);
// A list of resources, one row each, of the columns that are named.
std::string table_of(const Json& items, const std::vector<std::string>& columns);
std::string table_of_fields(const Json& resource);

// ttl=5, check.type=http, record_types=["A"]: JSON where it is JSON, else text.
Result<Json> read_fields(const std::vector<std::string>& fields);
int put(const Given& given, const Api& api, const std::string& path);

// All pages of a list in one.
Result<Json, Refusal> list_all(const Api& api, const std::string& path, const char* under);
int list(const Given& given, const Api& api, const std::string& path, const char* under,
         const std::vector<std::string>& columns);

}  // namespace dnsd::ctl
