#include "tools/agent/haproxy_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "base/text.h"

namespace dnsd::agent {

namespace {

// Where the columns that we read are.
struct Columns {
    std::size_t backend, name, address, operational, admin, weight, port;
    std::size_t most;

    static std::optional<Columns> find(std::span<const std::string_view> heads) {
        const auto at = [&](std::string_view head) {
            return static_cast<std::size_t>(std::ranges::find(heads, head) - heads.begin());
        };
        Columns out{at("be_name"),         at("srv_name"),    at("srv_addr"), at("srv_op_state"),
                    at("srv_admin_state"), at("srv_uweight"), at("srv_port"), 0};
        out.most = std::max(
            {out.backend, out.name, out.address, out.operational, out.admin, out.weight, out.port});
        if (out.most >= heads.size()) return std::nullopt;
        return out;
    }
};

std::optional<HaServer> read_server(std::span<const std::string_view> cells,
                                    const Columns& columns) {
    if (cells.size() <= columns.most) return std::nullopt;
    const auto port = parse_unsigned(cells[columns.port]);
    const auto operational = parse_unsigned(cells[columns.operational]);
    const auto admin = parse_unsigned(cells[columns.admin]);
    const auto weight = parse_unsigned(cells[columns.weight]);
    if (!port || *port > UINT16_MAX || !operational || *operational > UINT8_MAX || !admin ||
        *admin > UINT16_MAX || !weight || *weight > UINT16_MAX)
        return std::nullopt;
    return HaServer{std::string(cells[columns.backend]), std::string(cells[columns.name]),
                    std::string(cells[columns.address]), static_cast<std::uint16_t>(*port),
                    static_cast<unsigned>(*operational), static_cast<unsigned>(*admin),
                    static_cast<std::uint32_t>(*weight)};
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
}

bool contains_word(std::string_view text, std::string_view word) {
    const auto words = split(text, ' ');
    return std::ranges::find(words, word) != words.end();
}

std::string with_options(std::string text, const std::string& server_options) {
    if (!server_options.empty()) text += ' ' + server_options;
    return text;
}

class Plan {
  public:
    Plan(const std::string& backend, const std::string& server_options)
        : backend_(backend), server_options_(server_options) {}

    void add(const std::string& name, const Member& member) {
        say("add server", name,
            with_options(fmt::format("{} weight {}", member.endpoint(), member.weight),
                         server_options_));
        // Checks of a server that was added wait for a word of their own.
        if (contains_word(server_options_, "check")) say("enable health", name);
        say("set server", name, "state ready");
    }

    void adapt(const HaServer& server, const Member& member) {
        if (server.address != member.address || server.port != member.port)
            say("set server", server.name,
                fmt::format("addr {} port {}", member.address, member.port));
        if (server.weight != member.weight)
            say("set server", server.name, fmt::format("weight {}", member.weight));
        if (server.is_in_maintenance() || server.drains())
            say("set server", server.name, "state ready");
    }

    void drain(const HaServer& server) {
        if (!server.drains()) say("set server", server.name, "state drain");
    }

    void remove(const HaServer& server, bool loses_sessions) {
        if (!server.is_in_maintenance()) say("set server", server.name, "state maint");
        if (loses_sessions) say("shutdown sessions server", server.name);
        say("del server", server.name);
        commands.back().deletes = true;
    }

    std::vector<HaCommand> commands;

  private:
    void say(std::string_view verb, const std::string& name, std::string_view rest = {}) {
        commands.push_back(
            {fmt::format("{} {}/{}{}{}", verb, backend_, name, rest.empty() ? "" : " ", rest),
             false});
    }

    const std::string& backend_;
    const std::string& server_options_;
};

}  // namespace

Result<std::vector<HaServer>> parse_servers_state(std::string_view reply) {
    std::vector<HaServer> servers;
    std::optional<Columns> columns;
    for (const std::string_view line : split(reply, '\n')) {
        if (line.empty()) continue;
        auto cells = split(line, ' ');
        if (line.starts_with("# ")) {
            cells.erase(cells.begin());
            columns = Columns::find(cells);
            if (!columns) return fail("its columns are not those of HAProxy");
        } else if (!columns) {
            // The format's version, or a complaint.
            if (line != "1") return fail(fmt::format("it answered '{}'", line.substr(0, 200)));
        } else if (auto server = read_server(cells, *columns)) {
            servers.push_back(std::move(*server));
        } else {
            return fail("a line has not what its head says");
        }
    }
    if (!columns) return fail("it answered nothing");
    return servers;
}

std::string server_name(std::string_view id) {
    constexpr std::size_t octets_max = 60;
    std::string name;
    for (const char c : id.substr(0, octets_max)) name += is_name_character(c) ? c : '_';
    if (name == id && !name.empty()) return name;
    // Ids that come out alike must not meet.
    const auto digest = sha256(id);
    return name + '.' + hex(std::span(digest).first(4));
}

std::vector<HaCommand> plan_servers(const std::string& backend,
                                    const std::vector<HaServer>& present, const Members& members,
                                    const std::set<std::string>& overdue,
                                    const std::string& server_options) {
    std::map<std::string, Member> missing;
    for (Member& member : with_weights_of_256(members.used))
        missing.emplace(server_name(member.id), std::move(member));
    const auto names_of = [](const std::set<std::string>& ids) {
        std::set<std::string> names;
        for (const std::string& id : ids) names.insert(server_name(id));
        return names;
    };
    const auto draining = names_of(members.draining), dead = names_of(members.dead);

    // What arrives comes before what leaves, so that there is somebody at any time; who died goes
    // before both.
    Plan gone(backend, server_options), there(backend, server_options),
        left(backend, server_options);
    for (const HaServer& server : present) {
        if (const auto wanted = missing.extract(server.name)) {
            there.adapt(server, wanted.mapped());
        } else if (dead.contains(server.name)) {
            gone.remove(server, overdue.contains(server.name));
        } else if (draining.contains(server.name)) {
            left.drain(server);
        } else {
            left.remove(server, false);
        }
    }
    for (const auto& [name, member] : missing) there.add(name, member);
    for (Plan* plan : {&there, &left}) {
        for (HaCommand& command : plan->commands) gone.commands.push_back(std::move(command));
    }
    return std::move(gone.commands);
}

bool is_success(const HaCommand& command, std::string_view reply) {
    const std::string_view said = trimmed(reply);
    // HAProxy says nothing, or what it did, where all is well; complaints have no mark of their
    // own.
    if (command.deletes) return said.starts_with("Server deleted");
    return said.empty() || said.starts_with("New server registered") ||
           said.starts_with("IP changed") || said.starts_with("port changed") ||
           said.starts_with("no need to change");
}

std::string print_backend(const std::string& backend, const std::vector<std::string>& lines,
                          const Members& members, const std::string& server_options) {
    std::string out = fmt::format("backend {}\n", backend);
    for (const std::string& line : lines) out += fmt::format("    {}\n", line);
    for (const Member& member : with_weights_of_256(members.used))
        out += with_options(fmt::format("    server {} {} weight {}", server_name(member.id),
                                        member.endpoint(), member.weight),
                            server_options) +
               '\n';
    return out;
}

}  // namespace dnsd::agent
