#include "tools/dnsctl/resolv_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace dnsd::ctl {

namespace {

constexpr std::uint16_t dns_port = 53;
// glibc and musl read no more from a resolv.conf (MAXNS), whoever wrote it.
constexpr std::size_t resolv_conf_servers_max = 3;
constexpr unsigned ndots_max = 15;  // RES_MAXNDOTS of glibc

// "192.0.2.1", and what `joint` puts before a port that is not 53: "192.0.2.1@5300".
std::string with_port(const SocketAddress& address, char joint) {
    if (address.port == dns_port) return print(address.ip);
    return fmt::format("{}{}{}", print(address.ip), joint, address.port);
}

std::string joined_addresses(const ResolverSettings& settings, std::string_view separator) {
    std::vector<std::string> addresses;
    for (const SocketAddress& address : settings.dns) addresses.push_back(print(address.ip));
    return fmt::format("{}", fmt::join(addresses, separator));
}

// ---- resolv.conf(5)

std::string print_resolv_conf(const ResolverSettings& settings) {
    std::string text;
    for (const SocketAddress& address : settings.dns)
        text += fmt::format("nameserver {}\n", print(address.ip));
    if (!settings.search.empty())
        text += fmt::format("search {}\n", fmt::join(settings.search, " "));
    if (settings.ndots) text += fmt::format("options ndots:{}\n", *settings.ndots);
    return text;
}

// ---- resolved.conf(5)

std::string print_systemd_resolved(const ResolverSettings& settings) {
    std::string addresses, domains;
    for (const SocketAddress& address : settings.dns)
        addresses += ' ' + (address.port == dns_port ? dnsd::print(address.ip) : address.print());
    for (const std::string& domain : settings.search) domains += ' ' + domain;
    if (settings.everything) domains += " ~.";
    for (const std::string& zone : settings.zones) {
        // A search domain says already that the names below it go here.
        const bool is_searched = std::ranges::find(settings.search, zone) != settings.search.end();
        if (!settings.everything && !is_searched) domains += " ~" + zone;
    }
    return fmt::format("[Resolve]\nDNS={}\nDomains={}\n", addresses.substr(1), domains.substr(1));
}

// ---- unbound.conf(5)

bool asks_loopback(const ResolverSettings& settings) {
    return std::ranges::any_of(settings.dns, [](const auto& one) { return is_loopback(one.ip); });
}

std::string unbound_lines(std::string_view comment, std::string_view line,
                          const ResolverSettings& settings) {
    std::string text = settings.zones.empty() ? "" : fmt::format("    # {}\n", comment);
    for (const std::string& zone : settings.zones)
        text += fmt::format(fmt::runtime(line), zone) + '\n';
    return text;
}

// dnsd is authoritative for its zones, so they are stubs, asked without RD; for everything it is a
// forwarder.
std::string unbound_zone(std::string_view kind, const std::string& name,
                         const ResolverSettings& settings) {
    std::string text = fmt::format("{}-zone:\n    name: \"{}\"\n", kind, name);
    for (const SocketAddress& address : settings.dns)
        text += fmt::format("    {}-addr: {}\n", kind, with_port(address, '@'));
    return text;
}

std::string print_unbound(const ResolverSettings& settings) {
    std::string text = "server:\n";
    text += unbound_lines("The zones are not signed; for module-config with the validator.",
                          "    domain-insecure: \"{}\"", settings);
    text += unbound_lines("They may hold private addresses; for private-address.",
                          "    private-domain: \"{}\"", settings);
    text += unbound_lines("Below names that unbound answers itself, such as home.arpa and test.",
                          "    local-zone: \"{}.\" transparent", settings);
    if (asks_loopback(settings)) text += "    do-not-query-localhost: no\n";
    text += "    # When dnsd is back it is asked again at once, not after infra-host-ttl.\n";
    text += "    infra-keep-probing: yes\n";
    if (settings.everything) return text + unbound_zone("forward", ".", settings);
    for (const std::string& zone : settings.zones) text += unbound_zone("stub", zone, settings);
    return text;
}

// ---- dnsmasq(8)

std::string print_dnsmasq(const ResolverSettings& settings) {
    std::string text = settings.everything ? "no-resolv\n" : "";
    const std::vector<std::string> whole = {""};
    for (const std::string& zone : settings.everything ? whole : settings.zones) {
        for (const SocketAddress& address : settings.dns)
            text += fmt::format("server={}{}\n", zone.empty() ? "" : '/' + zone + '/',
                                with_port(address, '#'));
    }
    if (settings.zones.empty()) return text;
    text += "# They may hold private addresses; for stop-dns-rebind.\n";
    for (const std::string& zone : settings.zones)
        text += fmt::format("rebind-domain-ok=/{}/\n", zone);
    return text;
}

// ---- NetworkManager.conf(5)

// Without a section for "*" all of it is ignored.
std::string print_networkmanager(const ResolverSettings& settings) {
    std::string text = "[global-dns]\n";
    if (!settings.search.empty())
        text += fmt::format("searches={}\n", fmt::join(settings.search, ","));
    if (settings.ndots) text += fmt::format("options=ndots:{}\n", *settings.ndots);
    return text +
           fmt::format("\n[global-dns-domain-*]\nservers={}\n", joined_addresses(settings, ","));
}

// ---- daemon.json

std::string print_docker(const ResolverSettings& settings) {
    std::string text = fmt::format("{{\n  \"dns\": [\"{}\"]", joined_addresses(settings, "\", \""));
    if (!settings.search.empty())
        text += fmt::format(",\n  \"dns-search\": [\"{}\"]", fmt::join(settings.search, "\", \""));
    if (settings.ndots) text += fmt::format(",\n  \"dns-opts\": [\"ndots:{}\"]", *settings.ndots);
    return text + "\n}\n";
}

constexpr std::array<ResolverFormat, 6> formats = {{
    {.word = "resolv.conf",
     .takes_search = true,
     .takes_ndots = true,
     .name_servers_max = resolv_conf_servers_max,
     .print = print_resolv_conf},
    {.word = "systemd-resolved",
     .takes_ports = true,
     .takes_zones = true,
     .takes_search = true,
     .print = print_systemd_resolved},
    {.word = "unbound", .takes_ports = true, .takes_zones = true, .print = print_unbound},
    {.word = "dnsmasq", .takes_ports = true, .takes_zones = true, .print = print_dnsmasq},
    {.word = "networkmanager",
     .takes_search = true,
     .takes_ndots = true,
     .name_servers_max = resolv_conf_servers_max,
     .print = print_networkmanager},
    {.word = "docker",
     .takes_search = true,
     .takes_ndots = true,
     .warns_of_loopback = true,
     .name_servers_max = resolv_conf_servers_max,
     .print = print_docker},
}};

// ---- what is asked for

// Letters, digits, '-' and '_': what has no meaning of its own in any of the formats.
bool is_domain(std::string_view name) {
    constexpr std::size_t name_characters_max = 253, label_octets_max = 63;  // RFC 1035 §2.3.4
    if (name.size() > name_characters_max) return false;
    return std::ranges::all_of(split(name, '.'), [](std::string_view label) {
        return !label.empty() && label.size() <= label_octets_max &&
               std::ranges::all_of(label, [](char c) {
                   return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '_';
               });
    });
}

Result<> put_right(std::vector<std::string>& domains) {
    for (std::string& domain : domains) {
        if (domain.ends_with('.')) domain.pop_back();
        domain = lower_cased(domain);
        if (!is_domain(domain))
            return fail(fmt::format("'{}' is no domain that can be written here", domain));
    }
    return {};
}

Result<> judge_addresses(const ResolverFormat& format, const ResolverSettings& settings) {
    if (settings.dns.empty()) return fail("no address is known to ask at: name one with --dns");
    if (settings.dns.size() > format.name_servers_max)
        return fail(fmt::format("{} uses at most {} name servers, and {} are named", format.word,
                                format.name_servers_max, settings.dns.size()));
    for (const SocketAddress& address : settings.dns) {
        if (is_unspecified(address.ip))
            return fail(
                fmt::format("{} is a wildcard, and nobody can ask there: name an address "
                            "that clients reach with --dns",
                            address.print()));
        if (!format.takes_ports && address.port != dns_port)
            return fail(
                fmt::format("{} takes no port, and {} is not on port 53: let dnsd listen "
                            "on port 53 (dns.listen), or put systemd-resolved, unbound or "
                            "dnsmasq between, which take one",
                            format.word, address.print()));
    }
    return {};
}

Result<> judge_names(const ResolverFormat& format, const ResolverSettings& settings) {
    if (!format.takes_zones && !settings.zones.empty())
        return fail(fmt::format("{} sends all names to the same name servers: leave --zone out",
                                format.word));
    if (format.takes_zones && settings.zones.empty() && !settings.everything)
        return fail("no zone is known: name one with --zone, or say --everything");
    if (!format.takes_search && !settings.search.empty())
        return fail(
            fmt::format("{} has no search list: leave --search out, and name the domains "
                        "in the clients' resolv.conf",
                        format.word));
    if (!format.takes_ndots && settings.ndots)
        return fail(
            fmt::format("{} has no ndots: leave --ndots out, and set it in the clients' "
                        "resolv.conf",
                        format.word));
    if (settings.ndots.value_or(0) > ndots_max)
        return fail(fmt::format("ndots is at most {}", ndots_max));
    return {};
}

}  // namespace

const ResolverFormat* find_resolver_format(std::string_view word) noexcept {
    const auto found = std::ranges::find(formats, word, &ResolverFormat::word);
    return found == formats.end() ? nullptr : found;
}

std::vector<std::string> resolver_format_words() {
    std::vector<std::string> words;
    for (const ResolverFormat& format : formats) words.emplace_back(format.word);
    return words;
}

std::optional<SocketAddress> parse_name_server(std::string_view text) {
    if (const auto ip = parse_ip(text)) return SocketAddress{*ip, dns_port};
    return SocketAddress::parse(text);
}

Result<std::string> print_resolver_configuration(const ResolverFormat& format,
                                                 ResolverSettings settings) {
    const auto is_root = [](const std::string& zone) { return zone == "." || zone == "@"; };
    if (std::erase_if(settings.zones, is_root) > 0) settings.everything = true;
    if (auto right = put_right(settings.zones); !right) return std::unexpected(right.error());
    if (auto right = put_right(settings.search); !right) return std::unexpected(right.error());
    if (auto fits = judge_addresses(format, settings); !fits) return std::unexpected(fits.error());
    if (auto fits = judge_names(format, settings); !fits) return std::unexpected(fits.error());
    return format.print(settings);
}

std::string warning_about(const ResolverFormat& format, const ResolverSettings& settings) {
    for (const SocketAddress& address : settings.dns) {
        if (format.warns_of_loopback && is_loopback(address.ip))
            return fmt::format(
                "to a container {} is its own loopback, not this machine's: let "
                "dnsd listen on an address that containers reach, and name it with "
                "--dns",
                print(address.ip));
    }
    return "";
}

}  // namespace dnsd::ctl
