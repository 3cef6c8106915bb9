#include "tools/failover-lab/rig/clock_server.h"

#include <fmt/format.h>

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "tools/failover-lab/rig/scene.h"
#include "zone/wire/message.h"

namespace dnsd::lab {
namespace {

constexpr std::int64_t cycle_ms = 1 << 24;
constexpr std::uint32_t negative_ttl = 2;
constexpr std::uint16_t udp_payload_octets = 1232;

std::int64_t wall_ms() noexcept { return machine_clock().wall().time_since_epoch().count(); }

const wire::Name& zone_name() {
    static const wire::Name name = *wire::Name::parse(at::zone);
    return name;
}

const wire::Name& server_name() {
    static const wire::Name name = *zone_name().below("ns");
    return name;
}

std::vector<std::uint8_t> soa_rdata() {
    std::vector<std::uint8_t> rdata;
    for (const wire::Name& name : {server_name(), *zone_name().below("hostmaster")}) {
        rdata.insert(rdata.end(), name.octets().begin(), name.octets().end());
    }
    // SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM (RFC 1035 §3.3.13).
    for (const std::uint32_t number : {1U, 3600U, 600U, 86400U, negative_ttl}) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            rdata.push_back(static_cast<std::uint8_t>(number >> shift));
        }
    }
    return rdata;
}

// "t30-p4": 30.
std::uint32_t ttl_of(const wire::Name& name) {
    const std::string label = lower_cased(name.first_label());
    if (!label.starts_with('t')) return 0;
    const auto ttl = parse_unsigned(std::string_view(label).substr(1, label.find('-') - 1));
    return ttl ? static_cast<std::uint32_t>(*ttl) : 0;
}

void answer(const wire::Question& question, wire::ReplyWriter& reply) {
    const wire::Name& name = question.name;
    if (!name.is_at_or_below(zone_name())) return reply.set_rcode(wire::Rcode::Refused);
    reply.set_authoritative(true);
    const bool is_apex = name == zone_name();
    if (question.type == wire::RrType::A && !is_apex) {
        reply.add(wire::Section::Answer, name, wire::RrType::A, ttl_of(name),
                  address_of_time(wall_ms()).octets);
    } else if (question.type == wire::RrType::NS && is_apex) {
        reply.add(wire::Section::Answer, name, wire::RrType::NS, 3600, server_name().octets());
    } else {
        const bool asks_soa = question.type == wire::RrType::SOA && is_apex;
        reply.add(asks_soa ? wire::Section::Answer : wire::Section::Authority, zone_name(),
                  wire::RrType::SOA, negative_ttl, soa_rdata());
    }
}

std::size_t respond(std::span<const std::uint8_t> octets, const SocketAddress&,
                    std::span<std::uint8_t> reply) {
    const auto query = wire::decode_query(octets);
    if (!query || !query->question) return 0;
    wire::ReplyWriter writer(*query, reply, query->edns ? udp_payload_octets : 512);
    answer(*query->question, writer);
    return writer.finish(udp_payload_octets);
}

}  // namespace

Ipv4 address_of_time(std::int64_t wall_ms) noexcept {
    const auto number = static_cast<std::uint32_t>(wall_ms % cycle_ms);
    return {{127, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
             static_cast<std::uint8_t>(number)}};
}

std::optional<std::int64_t> time_of_address(const Ipv4& address, std::int64_t now_ms) noexcept {
    if (address.octets[0] != 127) return std::nullopt;
    const std::int64_t number =
        address.octets[1] << 16 | address.octets[2] << 8 | address.octets[3];
    const std::int64_t latest = now_ms + 1000;
    return latest - ((latest - number) % cycle_ms + cycle_ms) % cycle_ms;
}

Result<std::unique_ptr<ClockServer>> ClockServer::start() {
    auto socket = io::UdpSocket::bind(*SocketAddress::parse(fmt::format("{}:53", at::dnsd)), false);
    if (!socket) return in_context("clock server", socket.error());
    std::unique_ptr<ClockServer> server(new ClockServer(std::move(*socket)));
    server->thread_ = std::thread([loop = &server->loop_] { loop->run(); });
    return server;
}

ClockServer::ClockServer(io::UdpSocket socket)
    : responder_(
          loop_, std::move(socket), {}, [](auto) {}, respond, counters_),
      mailbox_(loop_, 1) {}

ClockServer::~ClockServer() {
    if (thread_.joinable()) {
        // Room for one letter, and this is the only one.
        static_cast<void>(mailbox_.post([this] { loop_.stop(); }));
        thread_.join();
    }
}

}  // namespace dnsd::lab
