// The configuration with which resolvers ask dnsd, in the words of each. Text alone: nothing is
// asked and nothing is written here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace dnsd::ctl {

struct ResolverSettings {
    std::vector<SocketAddress> dns;   // where dnsd answers
    std::vector<std::string> search;  // domains that are tried below names with few dots
    std::vector<std::string> zones;   // the names that go to dnsd
    bool everything = false;          // all names go to dnsd
    std::optional<unsigned> ndots;
};

// How one program is told. A row of a table.
struct ResolverFormat {
    std::string_view word;           // of --for
    bool takes_ports = false;        // otherwise it asks port 53
    bool takes_zones = false;        // otherwise it sends all names to the same servers
    bool takes_search = false;       // otherwise that is left to the clients' resolv.conf
    bool takes_ndots = false;        // the same
    bool warns_of_loopback = false;  // its clients have a loopback of their own
    std::size_t name_servers_max = SIZE_MAX;
    std::string (*print)(const ResolverSettings& settings);
};

// Null if there is none of that name.
const ResolverFormat* find_resolver_format(std::string_view word) noexcept;
std::vector<std::string> resolver_format_words();

// "192.0.2.1", "192.0.2.1:5300", "2001:db8::1", "[2001:db8::1]:5300"; the port is 53 if it is not
// given.
std::optional<SocketAddress> parse_name_server(std::string_view text);

// Names are checked and written in lower case, without the final dot; the root zone, "." or "@",
// is everything. Refuses what the format cannot say, so that nothing is left out in silence.
Result<std::string> print_resolver_configuration(const ResolverFormat& format,
                                                 ResolverSettings settings);

// What is worth a word on stderr; empty: nothing.
std::string warning_about(const ResolverFormat& format, const ResolverSettings& settings);

}  // namespace dnsd::ctl
