// dnsctl zone: zones, and the zone files that they come in and go out as.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/text.h"
#include "tools/dnsctl/commands.h"

namespace dnsd::ctl {

namespace {

constexpr const char* media_type = "text/dns";  // RFC 4027

std::string shown_name(const std::string& file) { return file == "-" ? "stdin" : file; }

Result<std::string> read_zone_file(const std::string& path) {
    std::ostringstream text;
    if (path == "-") {
        text << std::cin.rdbuf();
        return text.str();
    }
    std::ifstream file(path, std::ios::binary);
    if (file) text << file.rdbuf();
    if (!file.is_open() || text.bad())  // a directory opens, and cannot be read
        return fail(fmt::format("{}: {}", path, std::strerror(errno)));
    return text.str();
}

// As compilers do, so that editors find the place: FILE:LINE:COLUMN: error: what is wrong.
void print_problems(const std::string& file, const char* severity, const Json& problems) {
    for (const Json& problem : problems) {
        std::string place = shown_name(file);
        if (problem.contains("line"))
            place += fmt::format(":{}:{}", problem.value("line", 0), problem.value("column", 0));
        std::fprintf(stderr, "%s: %s: %s\n", place.c_str(), severity,
                     problem.value("detail", "").c_str());
    }
}

// Sends the file; nothing: it was refused, and has been told why.
std::optional<Json> send_zone_file(const Given& given, const Api& api, const char* query) {
    auto text = read_zone_file(given.file);
    if (!text) {
        complain(text.error().message);
        return std::nullopt;
    }
    const auto reply =
        api.send_text("PUT", zone_path(given.within) + query, media_type, std::move(*text));
    if (reply) {
        print_problems(given.file, "warning", reply->body.value("warnings", Json::array()));
        return reply->body;
    }
    const Json& errors = reply.error().errors;
    if (!errors.empty() && errors[0].is_object() && !errors[0].contains("pointer")) {
        print_problems(given.file, "error", errors);
    } else {
        complain(reply.error());
    }
    return std::nullopt;
}

int import_zone(const Given& given, const Api& api) {
    auto zone = send_zone_file(given, api, "");
    if (!zone) return 1;
    Json fields = *zone;
    fields.erase("warnings");  // they have been told
    show(given, *zone, table_of_fields(fields));
    return 0;
}

int check_zone(const Given& given, const Api& api) {
    const auto verdict = send_zone_file(given, api, "?dry_run=true");
    if (!verdict) return 1;
    const std::string would = verdict->value("would", "");
    show(given, *verdict,
         fmt::format("{}: no errors; to import it would {}\n", shown_name(given.file),
                     would == "nothing" ? "change nothing" : would + " the zone"));
    return 0;
}

int export_zone(const Given& given, const Api& api) {
    const auto text =
        api.get_text(zone_path(given.within) + (given.served ? "?view=served" : ""), media_type);
    if (!text) return complain(text.error());
    std::fwrite(text->data(), 1, text->size(), stdout);
    return 0;
}

}  // namespace

void add_zones(Commands& commands) {
    Given& given = commands.given;
    CLI::App* of = commands.group("zone", "Zones: namespaces with DNS, and their zone files");
    const auto take_zone = [&](CLI::App* to) {
        to->add_option("zone", given.within, "The zone")->required();
    };
    const auto take_file = [&](CLI::App* to) {
        take_zone(to);
        to->add_option("file", given.file, "A zone file; - is the standard input")->required();
    };
    commands.add(of, "list", "Lists them", [](const Given& g, const Api& a) {
        return list(g, a, "/v1/zones", "zones",
                    {"name", "serial", "record_sets", "services", "primaries", "revision"});
    });
    take_zone(commands.add(of, "show", "Shows one", [](const Given& g, const Api& a) {
        return show_reply(g, a.get(zone_path(g.within)));
    }));
    auto* create =
        commands.add(of, "create", "Creates one, or replaces its settings",
                     [](const Given& g, const Api& a) { return put(g, a, zone_path(g.within)); });
    take_zone(create);
    commands.take_fields(create, "ttl=5 notify='[\"192.0.2.1:53 key xfr.example.org\"]'");
    take_file(commands.add(of, "import",
                           "Replaces the record sets of a zone by those of a zone file; services "
                           "stay. The zone is made if it is not there",
                           import_zone));
    auto* written = commands.add(of, "export", "Writes a zone file", export_zone);
    take_zone(written);
    written->add_flag("--served", given.served, "All that is served, what services own too");
    take_file(commands.add(of, "check", "Says what is wrong with a zone file", check_zone));
    take_zone(commands.add(of, "delete", "Deletes one without services",
                           [](const Given& g, const Api& a) {
                               return show_reply(g, a.send("DELETE", zone_path(g.within)));
                           }));
    take_zone(commands.add(
        of, "refresh", "Has a secondary ask its primaries now", [](const Given& g, const Api& a) {
            return show_reply(g, a.send("POST", zone_path(g.within) + "/refresh"));
        }));
}

}  // namespace dnsd::ctl
