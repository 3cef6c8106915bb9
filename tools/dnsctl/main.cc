// dnsctl: dnsd from the command line. Exit 0: done, and of `apply`: nothing to do; 1: an error;
// 2: `apply` changed something, or the command line was wrong.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "tools/dnsctl/commands.h"
#include "tools/dnsctl/completion.h"
#include "tools/dnsctl/lookup.h"

namespace dnsd::ctl {

namespace {

int register_instance(const Given& given, const Api& api) {
    auto body = read_fields(given.fields);
    if (!body) return complain(body.error().message);
    Json& json = *body;
    if (given.ipv4) json["ipv4"] = *given.ipv4;
    if (given.ipv6) json["ipv6"] = *given.ipv6;
    if (given.port) json["port"] = *given.port;
    if (given.weight) json["weight"] = *given.weight;
    if (given.priority) json["priority"] = *given.priority;
    if (given.disabled) json["disabled"] = true;
    for (const std::string& attribute : given.attributes) {
        const auto equals = attribute.find('=');
        if (equals == attribute.npos)
            return complain(fmt::format("'{}' is not KEY=VALUE", attribute));
        json["attributes"][attribute.substr(0, equals)] = attribute.substr(equals + 1);
    }
    return show_reply(given,
                      api.send("PUT", instance_path(given.within, given.service, given.id), json));
}

int deregister(const Given& given, const Api& api) {
    const auto reply = api.send("DELETE", instance_path(given.within, given.service, given.id));
    if (!reply) return complain(reply.error());
    const auto safe_after = parse_time(reply->body.value("safe_after", ""));
    if (given.wait && safe_after) {
        if (!given.json)
            std::fprintf(stderr, "out of the answers; caches may hold it until %s\n",
                         print_time(*safe_after).c_str());
        std::this_thread::sleep_until(*safe_after);
    }
    show(given, reply->body, table_of_fields(reply->body));
    return 0;
}

int health(const Given& given, const Api& api) {
    const std::string path = instance_path(given.within, given.service, given.id);
    if (given.status == "heartbeat")
        return show_reply(given, api.send("POST", path + "/heartbeat"));
    if (given.status == "reconfirm")
        return show_reply(given,
                          api.send("POST", path + "/reconfirm" + (given.wait ? "?wait=1" : "")));
    return show_reply(given, api.send("PUT", path + "/health", Json{{"status", given.status}}));
}

int report(const Given& given, const Api& api) {
    Json body{{"outcome", given.success ? "success" : "failure"}, {"count", given.count}};
    if (!given.error.empty()) body["error"] = given.error;
    return show_reply(given, api.send("POST",
                                      instance_path(given.within, given.service, given.id) +
                                          "/report" + (given.wait ? "?wait=1" : ""),
                                      body));
}

void print_event(const Given& given, const http::ServerSentEvent& event) {
    const Json data = Json::parse(event.data, nullptr, false);
    if (given.json || !data.is_object()) {
        std::printf("%s\n", Json{{"event", event.type}, {"data", data}}.dump().c_str());
    } else if (event.type == "snapshot") {
        std::printf("%-10s revision %s\n", "snapshot",
                    text_of(data.value("revision", Json())).c_str());
        for (const Json& service : data.value("services", Json::array())) {
            for (const Json& instance : service.value("instances", Json::array()))
                std::printf("           %s.%s %s %s\n", service.value("service", "").c_str(),
                            service.value("namespace", "").c_str(),
                            instance.value("id", "").c_str(), instance.value("status", "").c_str());
        }
    } else if (event.type == "change") {
        const Json service = data.value("service", Json());
        std::string line = fmt::format(
            "{:<10} revision {} {} {}{}", "change", text_of(data.value("revision", Json())),
            data.value("cause", ""), service.is_null() ? "" : text_of(service) + '.',
            data.value("namespace", ""));
        for (const Json& instance : data.value("instances", Json::array()))
            line += fmt::format(" {}: {} -> {}", instance.value("id", ""),
                                instance.value("was", ""), instance.value("status", ""));
        std::printf("%s\n", line.c_str());
    } else {
        std::printf("%s\n", event.type.c_str());
    }
    std::fflush(stdout);
}

int watch(const Given& given, const Api& api) {
    std::string path = "/v1/watch";
    if (!given.within.empty()) path += "?namespace=" + percent_encoded(given.within);
    if (!given.service.empty()) path += "&service=" + percent_encoded(given.service);
    std::string last_id;
    for (bool was_reached = false;; was_reached = true) {
        const auto ended = api.follow(path, last_id, [&](const http::ServerSentEvent& event) {
            if (!event.id.empty()) last_id = event.id;
            print_event(given, event);
            was_reached = true;
            return true;
        });
        // One that was never there, or says no, is the caller's to mend.
        if (!ended && (ended.error().status != 0 || !was_reached)) return complain(ended.error());
        std::fprintf(stderr, "dnsctl: the stream ended; connecting again\n");
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
}

int look_up(const Given& given, const Api& api) {
    const auto type = wire::parse_type(given.type);
    if (!type) return complain(fmt::format("there is no RR type '{}'", given.type));
    std::string address = given.dns;
    if (address.empty()) {  // the server knows where it answers
        const auto status = api.get("/v1/status");
        if (!status) return complain(status.error());
        const Json dns = status->body.value("dns", Json::array());
        if (dns.empty()) return complain("the server does not say where it answers; use --dns");
        address = dns[0];
    }
    const auto server = SocketAddress::parse(address);
    if (!server) return complain(fmt::format("'{}' is no address, as 127.0.0.1:53 is", address));
    const auto answer = lookup(*server, given.name, *type, given.tcp);
    if (!answer) return complain(answer.error().message);
    std::fputs(answer->c_str(), stdout);
    return 0;
}

// Those that --dns names, or those where the server says that it answers.
Result<std::vector<SocketAddress>, Refusal> name_servers(const Given& given, const Api& api) {
    std::vector<std::string> texts = given.name_servers;
    if (texts.empty()) {
        const auto status = api.get("/v1/status");
        if (!status) return std::unexpected(status.error());
        texts = status->body.value("dns", texts);
    }
    std::vector<SocketAddress> addresses;
    for (const std::string& text : texts) {
        const auto address = parse_name_server(text);
        if (!address)
            return std::unexpected(
                Refusal{0, fmt::format("'{}' is no address, as 192.0.2.1:53 is", text)});
        addresses.push_back(*address);
    }
    return addresses;
}

Result<std::vector<std::string>, Refusal> namespaces_with_dns(const Api& api) {
    const auto namespaces = list_all(api, "/v1/namespaces", "namespaces");
    if (!namespaces) return std::unexpected(namespaces.error());
    std::vector<std::string> zones;
    for (const Json& one : *namespaces) {
        if (one.value("dns", false)) zones.push_back(one.value("name", ""));
    }
    return zones;
}

int resolv_conf(const Given& given, const Api& api) {
    const ResolverFormat& format = *find_resolver_format(given.resolver);
    ResolverSettings settings = given.resolving;
    auto addresses = name_servers(given, api);
    if (!addresses) return complain(addresses.error());
    settings.dns = std::move(*addresses);
    if (format.takes_zones && settings.zones.empty()) {
        auto zones = namespaces_with_dns(api);
        if (!zones) return complain(zones.error());
        settings.zones = std::move(*zones);
    }
    const auto text = print_resolver_configuration(format, settings);
    if (!text) return complain(text.error().message);
    if (const std::string warning = warning_about(format, settings); !warning.empty())
        std::fprintf(stderr, "dnsctl: warning: %s\n", warning.c_str());
    std::fputs(text->c_str(), stdout);
    return 0;
}

int events(const Given& given, const Api& api) {
    std::string path = fmt::format("/v1/events?limit={}", given.limit);
    if (!given.within.empty()) path += "&namespace=" + percent_encoded(given.within);
    if (!given.service.empty()) path += "&service=" + percent_encoded(given.service);
    const auto reply = api.get(path);
    if (!reply) return complain(reply.error());
    Json rows = reply->body.value("events", Json::array());
    for (Json& event : rows) {
        std::string what;
        for (const Json& one : event.value("instances", Json::array()))
            what += fmt::format("{}{}: {} -> {}", what.empty() ? "" : ", ", one.value("id", ""),
                                one.value("was", ""), one.value("status", ""));
        event["what"] = what;
    }
    show(given, reply->body,
         table_of(rows, {"revision", "times/committed", "cause", "namespace", "service", "what"}));
    return 0;
}

int show_cache(const Given& given, const Api& api) {
    if (given.name.empty()) return show_reply(given, api.get("/v1/cache"));
    const auto reply = api.get("/v1/cache?name=" + percent_encoded(given.name));
    if (!reply) return complain(reply.error());
    Json rows = Json::array();
    for (const Json& answer : reply->body.value("answers", Json::array())) {
        Json records = answer.value("records", Json::array());
        if (records.empty()) records.push_back(Json::object());
        for (Json& record : records) {
            record["type asked"] = answer.value("type", "");
            record["rcode"] = answer.value("rcode", "");
            record["age"] = answer.value("age", 0);
            record["left"] =
                answer.value("stale", false) ? Json("stale") : Json(answer.value("left", 0));
            rows.push_back(record);
        }
    }
    show(given, reply->body,
         table_of(rows, {"type asked", "rcode", "age", "left", "name", "ttl", "type", "data"}));
    return 0;
}

int flush_cache(const Given& given, const Api& api) {
    std::string path = "/v1/cache?name=" + percent_encoded(given.all ? "@" : given.name);
    if (given.name.empty() && !given.all) return complain("which name? --all forgets everything");
    if (given.all || given.subtree) path += "&subtree=true";
    if (!given.rr_type.empty()) path += "&type=" + percent_encoded(given.rr_type);
    return show_reply(given, api.send("DELETE", path));
}

int list_upstreams(const Given& given, const Api& api) {
    const auto reply = api.get("/v1/upstreams");
    if (!reply) return complain(reply.error());
    show(given, reply->body,
         table_of(reply->body.value("upstreams", Json::array()),
                  {"domain", "address", "well", "keeps_case", "latency", "queries", "failures"}));
    return 0;
}

int apply_file(const Given& given, const Api& api) {
    const auto file = read_apply_file(given.file);
    if (!file) return complain(file.error().message);
    const auto changed = apply(api, *file, given.apply);
    if (!changed) return complain(changed.error());
    return *changed ? 2 : 0;
}

struct AllCommands : Commands {
    AllCommands() {
        app.fallthrough();
        app.set_version_flag("--version", DNSD_VERSION);
        app.add_option("--server", given.server, "Where the API is")
            ->envname("DNSD_SERVER")
            ->capture_default_str();
        app.add_option("--token-file", given.token_file, "A file that holds a token")
            ->envname("DNSD_TOKEN_FILE");
        app.add_option("--ca", given.ca_file,
                       "A PEM file of the roots that an https:// server's certificate comes from; "
                       "the system's if it is not given");
        app.add_flag("--json", given.json, "Prints JSON instead of tables");
        add_namespaces();
        add_services();
        add_instances();
        add_zones(*this);
        add_records(*this);
        add_keys(*this);
        add_others();
    }

    void add_namespaces() {
        CLI::App* of = group("namespace", "Namespaces");
        auto* create =
            add(of, "create", "Creates or replaces one",
                [](const Given& g, const Api& a) { return put(g, a, namespace_path(g.within)); });
        take_namespace(create);
        take_fields(create, "ttl=5 negative_ttl=2");
        add(of, "list", "Lists them", [](const Given& g, const Api& a) {
            return list(g, a, "/v1/namespaces", "namespaces",
                        {"name", "dns", "ttl", "negative_ttl", "services", "serial", "revision"});
        });
        take_namespace(add(of, "get", "Shows one", [](const Given& g, const Api& a) {
            return show_reply(g, a.get(namespace_path(g.within)));
        }));
        take_namespace(add(of, "delete", "Deletes an empty one", [](const Given& g, const Api& a) {
            return show_reply(g, a.send("DELETE", namespace_path(g.within)));
        }));
    }

    void add_services() {
        CLI::App* of = group("service", "Services");
        auto* create =
            add(of, "create", "Creates or replaces one", [](const Given& g, const Api& a) {
                return put(g, a, service_path(g.within, g.service));
            });
        take_service(create);
        take_fields(create, "ttl=1 check.type=http check.interval=0.5");
        take_namespace(
            add(of, "list", "Lists those of a namespace", [](const Given& g, const Api& a) {
                return list(g, a, namespace_path(g.within) + "/services", "services",
                            {"name", "routing_policy", "failure_policy", "check/type", "revision",
                             "health_revision"});
            }));
        take_service(add(of, "get", "Shows one", [](const Given& g, const Api& a) {
            return show_reply(g, a.get(service_path(g.within, g.service)));
        }));
        take_service(
            add(of, "delete", "Deletes one without instances", [](const Given& g, const Api& a) {
                return show_reply(g, a.send("DELETE", service_path(g.within, g.service)));
            }));
    }

    void take_registration(CLI::App* to) {
        take_instance(to);
        to->add_option("--ipv4", given.ipv4, "Its IPv4 address");
        to->add_option("--ipv6", given.ipv6, "Its IPv6 address");
        to->add_option("--port", given.port, "Its port");
        to->add_option("--weight", given.weight, "Its weight");
        to->add_option("--priority", given.priority, "Its priority");
        to->add_option("--attribute", given.attributes, "KEY=VALUE; may be repeated")
            ->allow_extra_args(false);
        to->add_flag("--disabled", given.disabled, "Probed, but never answered");
        take_fields(to, "weight=5");
    }

    void add_instances() {
        CLI::App* of = group("instance", "Instances");
        take_registration(add(of, "create", "Registers or changes one", register_instance));
        auto* listed =
            add(of, "list", "Lists those of a service", [](const Given& g, const Api& a) {
                std::string path = service_path(g.within, g.service) + "/instances";
                if (!g.status.empty()) path += "?status=" + percent_encoded(g.status);
                return list(
                    g, a, path, "instances",
                    {"id", "status", "ipv4", "ipv6", "port", "weight", "priority", "dns_name"});
            });
        take_service(listed);
        listed->add_option("--status", given.status, "healthy, unhealthy, unknown or draining");
        take_instance(add(of, "get", "Shows one", [](const Given& g, const Api& a) {
            return show_reply(g, a.get(instance_path(g.within, g.service, g.id)));
        }));
        const char* waits = "Returns only when no honest cache holds it any more";
        auto* deleted = add(of, "delete", "Deregisters one", deregister);
        take_instance(deleted);
        deleted->add_flag("--wait", given.wait, waits);

        take_registration(
            add(&app, "register", "Registers or changes an instance", register_instance));
        auto* removed = add(&app, "deregister", "Deregisters an instance", deregister);
        take_instance(removed);
        removed->add_flag("--wait", given.wait, waits);
        auto* told = add(&app, "health", "Says how an instance is, or has it probed", health);
        take_instance(told);
        told->add_option("status", given.status, "healthy, unhealthy, heartbeat or reconfirm")
            ->required()
            ->check(CLI::IsMember({"healthy", "unhealthy", "heartbeat", "reconfirm"}));
        told->add_flag("--wait", given.wait, "With reconfirm: waits for the verdict");
        auto* reported =
            add(&app, "report", "Tells that calls to an instance failed; enough have it probed",
                report);
        take_instance(reported);
        reported->add_option("--count", given.count, "So many calls")->capture_default_str();
        reported->add_option("--error", given.error, "What went wrong, for the log");
        reported->add_flag("--success", given.success, "They did not fail");
        reported->add_flag("--wait", given.wait, "Where it is probed: waits for the verdict");
    }

    void add_others() {
        auto* watched = add(&app, "watch", "Follows what changes", watch);
        watched->add_option("namespace", given.within, "Only in it");
        watched->add_option("service", given.service, "Only of it");
        auto* looked = add(&app, "lookup", "Asks the name server", look_up);
        looked->add_option("name", given.name, "The owner name")->required();
        looked->add_option("type", given.type, "A, AAAA, SRV ...")->capture_default_str();
        looked->add_option("--dns", given.dns, "ADDRESS:PORT; the server's own if it is not given");
        looked->add_flag("--tcp", given.tcp, "Over TCP at once");
        CLI::App* cache = group("cache", "What is kept of names outside its zones");
        add(cache, "show", "Shows the answers kept for a name, or totals", show_cache)
            ->add_option("name", given.name, "The name");
        auto* flushed = add(cache, "flush", "Forgets a name's answers", flush_cache);
        flushed->add_option("name", given.name, "The name");
        flushed->add_option("--type", given.rr_type, "Only answers of this RR type");
        flushed->add_flag("--subtree", given.subtree, "The names below it as well");
        flushed->add_flag("--all", given.all, "Everything");
        add(&app, "upstreams", "Lists the servers that it asks for names outside its zones",
            list_upstreams);
        auto* told =
            add(&app, "resolv-conf",
                "Prints the configuration with which a resolver asks this server", resolv_conf);
        told->add_option("--for", given.resolver, "Which resolver")
            ->check(CLI::IsMember(resolver_format_words()))
            ->capture_default_str();
        told->add_option("--dns", given.name_servers,
                         "ADDRESS[:PORT] of dnsd; what the server listens on if it is not given");
        told->add_option("--search", given.resolving.search, "Domains to search");
        told->add_option("--zone", given.resolving.zones,
                         "Domains whose names go to dnsd; its namespaces if it is not given");
        told->add_flag("--everything", given.resolving.everything, "All names go to dnsd");
        told->add_option("--ndots", given.resolving.ndots,
                         "Names with fewer dots are searched first");
        add(&app, "status", "Shows what the server is and holds",
            [](const Given& g, const Api& a) { return show_reply(g, a.get("/v1/status")); });
        auto* happened = add(&app, "events", "Lists what happened, newest first", events);
        happened->add_option("--namespace", given.within, "Only in it");
        happened->add_option("--service", given.service, "Only of it");
        happened->add_option("--limit", given.limit, "At most so many")->capture_default_str();
        auto* applied = add(
            &app, "apply",
            "Brings about what a TOML file says; exits with 2 if it changed anything", apply_file);
        applied->add_option("file", given.file, "conf/example-apply.toml shows one")->required();
        applied->add_flag("--dry-run", given.apply.dry_run, "Only says what it would do");
        applied->add_flag("--prune", given.apply.prune,
                          "Deletes what the file's namespaces hold besides");
        auto* completed = add(&app, "completion", "Prints a completion script",
                              [this](const Given& g, const Api&) {
                                  std::fputs(print_completion(app, g.shell).c_str(), stdout);
                                  return 0;
                              });
        completed->add_option("shell", given.shell, "bash, zsh or fish")
            ->required()
            ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    }
};

Result<std::string> read_token(const std::string& path) {
    if (path.empty()) return "";
    std::ifstream file(path);
    std::string token;
    if (!std::getline(file, token))
        return fail(fmt::format("--token-file: {} has no token to read", path));
    return std::string(trimmed(token));
}

int run(int argc, char** argv) {
    AllCommands commands;
    try {
        commands.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return commands.app.exit(error) == 0 ? 0 : 2;
    }
    const auto token = read_token(commands.given.token_file);
    if (!token) return complain(token.error().message);
    return commands.called(commands.given,
                           Api(commands.given.server, commands.given.ca_file, *token));
}

}  // namespace

}  // namespace dnsd::ctl

int main(int argc, char** argv) { return dnsd::ctl::run(argc, argv); }
