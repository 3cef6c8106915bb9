#include "tools/agent/haproxy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "tools/agent/files.h"

namespace dnsd::agent {

HaProxy::HaProxy(io::Loop& loop, Options options, OnDown on_down)
    : loop_(loop),
      options_(std::move(options)),
      on_down_(std::move(on_down)),
      next_look_(loop, [this] { look(); }) {
    if (!options_.file.empty()) {
        // HAProxy shall be able to start before dnsd is reached, so there is always a file.
        if (const auto text = read_whole(options_.file)) {
            written_ = *text;
        } else {
            write_file();
        }
    }
}

void HaProxy::set_members(const ServiceKey& service, const Members& members) {
    members_[service] = members;
    // The file comes first: a reload at any time from now on finds who is there.
    const bool knows_all = std::ranges::all_of(options_.bindings, [&](const Binding& binding) {
        return members_.contains(binding.service);
    });
    if (knows_all && !options_.file.empty()) write_file();
    changed_ = true;
    if (!busy_) look();
}

void HaProxy::write_file() {
    std::string text = "# Written by dnsd-agent, and again with every change.\n";
    for (const Binding& binding : options_.bindings) {
        const auto known = members_.find(binding.service);
        text += '\n' + print_backend(binding.backend, options_.backend_lines,
                                     known == members_.end() ? Members() : known->second,
                                     options_.server_options);
    }
    if (text == written_) return;
    const auto replaced = replace_file(options_.file, text);
    if (replaced) written_ = text;
    const std::string failure = replaced ? "" : replaced.error().message;
    if (failure != last_file_failure_ && !failure.empty())
        log::warn("HAProxy's file is not written reason={}", log::quoted(failure));
    last_file_failure_ = failure;
}

void HaProxy::ask(const std::string& question, std::function<void(const std::string&)> on_reply) {
    exchange_ = std::make_unique<io::LocalExchange>(
        loop_, options_.socket, question + '\n', options_.timeout,
        [this, on_reply = std::move(on_reply)](const Result<std::string>& reply) {
            if (!reply) return fail_with(reply.error().message);
            on_reply(*reply);
        });
}

void HaProxy::look() {
    if (busy_) return;
    busy_ = true;
    changed_ = unfinished_ = false;
    next_look_.stop();
    ++counts_.looks;
    if (!last_file_failure_.empty()) write_file();
    ask("show servers state", [this](const std::string& reply) { plan(reply); });
}

void HaProxy::plan(const std::string& state) {
    const auto servers = parse_servers_state(state);
    if (!servers) return fail_with(servers.error().message);
    commands_.clear();
    at_ = 0;
    for (const Binding& binding : options_.bindings) {
        const auto members = members_.find(binding.service);
        if (members == members_.end()) continue;
        std::vector<HaServer> present;
        std::ranges::copy_if(*servers, std::back_inserter(present), [&](const HaServer& server) {
            return server.backend == binding.backend;
        });
        report_down(binding, present, members->second);
        std::ranges::move(
            plan_servers(binding.backend, present, members->second,
                         overdue(binding, present, members->second), options_.server_options),
            std::back_inserter(commands_));
    }
    next_command();
}

std::set<std::string> HaProxy::overdue(const Binding& binding, const std::vector<HaServer>& present,
                                       const Members& members) {
    std::set<std::string> dead, names;
    for (const std::string& id : members.dead) dead.insert(server_name(id));
    for (const HaServer& server : present) {
        const std::pair key(binding.backend, server.name);
        if (!dead.contains(server.name)) {
            dead_since_.erase(key);
            continue;
        }
        const SteadyTime since = dead_since_.try_emplace(key, loop_.now()).first->second;
        if (loop_.now() - since >= options_.shutdown_after) names.insert(server.name);
    }
    std::erase_if(dead_since_, [&](const auto& entry) {
        return entry.first.first == binding.backend &&
               std::ranges::find(present, entry.first.second, &HaServer::name) == present.end();
    });
    return names;
}

void HaProxy::report_down(const Binding& binding, const std::vector<HaServer>& present,
                          const Members& members) {
    for (const Member& member : members.used) {
        const auto server = std::ranges::find(present, server_name(member.id), &HaServer::name);
        if (server != present.end() && server->is_seen_down()) on_down_(binding.service, member.id);
    }
}

void HaProxy::next_command() {
    if (at_ == commands_.size()) {
        if (!well_) log::info("HAProxy is driven again");
        well_ = true;
        if (!unfinished_) last_complaint_.clear();
        return rest(unfinished_);
    }
    ++counts_.commands;
    ask(commands_[at_].text, [this](const std::string& reply) {
        const HaCommand& command = commands_[at_++];
        log::debug("HAProxy was told command={}", log::quoted(command.text));
        if (!is_success(command, reply)) {
            unfinished_ = true;
            if (!command.deletes) {
                ++counts_.failures;
                const std::string complaint = fmt::format(
                    "command={} reply={}", log::quoted(command.text), log::quoted(trimmed(reply)));
                if (complaint != last_complaint_) log::warn("HAProxy refuses {}", complaint);
                last_complaint_ = complaint;
            }
        }
        next_command();
    });
}

void HaProxy::rest(bool soon) {
    busy_ = false;
    exchange_.reset();
    if (changed_) return look();
    next_look_.start(soon ? std::min(soon_again, options_.interval) : options_.interval);
}

void HaProxy::fail_with(const std::string& reason) {
    ++counts_.failures;
    if (well_)
        log::warn("HAProxy is not driven socket={} reason={}", log::quoted(options_.socket),
                  log::quoted(reason));
    well_ = false;
    changed_ = false;
    rest(true);
}

}  // namespace dnsd::agent
