// What HAProxy says of its servers, what is to be said to it so that they are those of a service,
// and the configuration that it starts from. Text alone.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/agent/service.h"

namespace dnsd::agent {

// A line of `show servers state`.
struct HaServer {
    enum Admin : unsigned {  // bits of srv_admin_state that a command sets and clears
        ForcedMaintenance = 0x01,
        MaintenanceByConfiguration = 0x04,
        ForcedDrain = 0x08,
    };
    std::string backend, name, address;
    std::uint16_t port = 0;
    unsigned operational = 0;  // 0: stopped
    unsigned admin = 0;
    std::uint32_t weight = 0;
    bool operator==(const HaServer&) const = default;

    bool is_in_maintenance() const noexcept {
        return (admin & (ForcedMaintenance | MaintenanceByConfiguration)) != 0;
    }
    bool drains() const noexcept { return (admin & ForcedDrain) != 0; }
    // By its own checks, or what it observed; not because somebody said so.
    bool is_seen_down() const noexcept { return operational == 0 && admin == 0; }
};

// Reads columns by their heads: other versions have others, in another order.
Result<std::vector<HaServer>> parse_servers_state(std::string_view reply);

// The name of an instance's server: its id, if HAProxy allows that, else something like it.
std::string server_name(std::string_view id);

struct HaCommand {
    std::string text;
    // A server that still has connections is not deleted: that is no failure, but tried again.
    bool deletes = false;
    bool operator==(const HaCommand&) const = default;
};

// What makes `present`, servers of that backend, the members' own. New servers start in
// maintenance. One that died takes nothing new at once, and loses its sessions once its name is
// among the `overdue`; one that drained, or is merely gone, keeps them until they end.
std::vector<HaCommand> plan_servers(const std::string& backend,
                                    const std::vector<HaServer>& present, const Members& members,
                                    const std::set<std::string>& overdue,
                                    const std::string& server_options);

// Did this reply say that the command was done?
bool is_success(const HaCommand& command, std::string_view reply);

// A backend section with these servers.
std::string print_backend(const std::string& backend, const std::vector<std::string>& lines,
                          const Members& members, const std::string& server_options);

}  // namespace dnsd::agent
