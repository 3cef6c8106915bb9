#include "tools/dnsctl/lookup.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/io/tcp.h"
#include "base/random.h"
#include "zone/wire/message.h"
#include "zone/wire/rdata.h"

namespace dnsd::ctl {

namespace {

using wire::Message;
using wire::Section;

using Octets = std::vector<std::uint8_t>;

constexpr int attempts_max = 3;
constexpr int attempt_milliseconds = 2'000;
constexpr std::uint16_t udp_payload_octets = 1232;

std::unexpected<Error> failed(const SocketAddress& server) {
    return fail(fmt::format("{}: {}", server.print(), std::strerror(errno)));
}

Result<io::Descriptor> connected(const SocketAddress& server, int kind) {
    sockaddr_storage storage{};
    const socklen_t size = server.to(storage);
    io::Descriptor socket(::socket(storage.ss_family, kind | SOCK_CLOEXEC, 0));
    const timeval patience{attempt_milliseconds / 1000, 0};
    setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (socket.number() < 0 ||
        connect(socket.number(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
        return failed(server);
    return socket;
}

// Nothing: the octets answer another question.
std::optional<Message> matching(const Octets& octets, std::uint16_t id) {
    auto message = wire::decode_message(octets);
    if (!message || message->id != id || (message->flags & 0x8000) == 0) return std::nullopt;
    return message;
}

Result<Octets> ask_udp(const SocketAddress& server, const Octets& query, std::uint16_t id) {
    auto socket = connected(server, SOCK_DGRAM);
    if (!socket) return std::unexpected(socket.error());
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        if (send(socket->number(), query.data(), query.size(), 0) < 0) return failed(server);
        Octets reply(65'535);
        ssize_t got;
        while ((got = recv(socket->number(), reply.data(), reply.size(), 0)) >= 0) {
            reply.resize(static_cast<std::size_t>(got));
            if (matching(reply, id)) return reply;
            reply.resize(65'535);
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) return failed(server);
    }
    return fail(fmt::format("{}: no answer within {} s", server.print(),
                            attempts_max * attempt_milliseconds / 1000));
}

bool receive_whole(const io::Descriptor& socket, std::uint8_t* into, std::size_t size) {
    while (size > 0) {
        const ssize_t got = recv(socket.number(), into, size, 0);
        if (got <= 0) return false;
        into += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

Result<Octets> ask_tcp(const SocketAddress& server, const Octets& query, std::uint16_t id) {
    auto socket = connected(server, SOCK_STREAM);
    if (!socket) return std::unexpected(socket.error());
    Octets framed = {static_cast<std::uint8_t>(query.size() >> 8),
                     static_cast<std::uint8_t>(query.size())};
    framed.insert(framed.end(), query.begin(), query.end());
    if (send(socket->number(), framed.data(), framed.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(framed.size()))
        return failed(server);
    std::array<std::uint8_t, 2> length{};
    if (!receive_whole(*socket, length.data(), length.size())) return failed(server);
    Octets reply(std::size_t{length[0]} << 8 | length[1]);
    if (!receive_whole(*socket, reply.data(), reply.size())) return failed(server);
    if (!matching(reply, id)) return fail(server.print() + ": that is no answer to our question");
    return reply;
}

std::string print(const Octets& octets, const Message& message, bool tcp) {
    std::string text = fmt::format("{}{}{}{}\n", wire::print(message.rcode()),
                                   message.authoritative() ? " aa" : "",
                                   message.truncated() ? " tc" : "", tcp ? " (over TCP)" : "");
    for (const wire::Record& record : message.records) {
        if (record.type == wire::RrType::OPT) continue;
        const char* section = record.section == Section::Answer      ? "answer"
                              : record.section == Section::Authority ? "authority"
                                                                     : "additional";
        const auto rdata = wire::decode_rdata(
            record.type, octets, static_cast<std::size_t>(record.rdata.data() - octets.data()),
            record.rdata.size());
        text += fmt::format("{:<10} {} {} {} {}\n", section, record.owner.print(), record.ttl,
                            wire::print(record.type),
                            rdata ? wire::print_rdata(record.type, *rdata) : "(malformed)");
    }
    return text;
}

}  // namespace

Result<std::string> lookup(const SocketAddress& server, const std::string& name, wire::RrType type,
                           bool tcp) {
    const auto owner = wire::Name::parse(name);
    if (!owner) return in_context(name, owner.error());
    Random random = seeded_by_machine();
    const auto id = static_cast<std::uint16_t>(random());
    const Octets query =
        wire::encode_query(id, {*owner, type, wire::RrClass::IN}, udp_payload_octets);
    auto reply = tcp ? ask_tcp(server, query, id) : ask_udp(server, query, id);
    if (!reply) return std::unexpected(reply.error());
    auto message = *matching(*reply, id);
    if (message.truncated() && !tcp) {
        reply = ask_tcp(server, query, id);
        if (!reply) return std::unexpected(reply.error());
        message = *matching(*reply, id);
        tcp = true;
    }
    return print(*reply, message, tcp);
}

}  // namespace dnsd::ctl
