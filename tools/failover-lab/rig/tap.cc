#include "tools/failover-lab/rig/tap.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "tools/failover-lab/rig/scene.h"
#include "zone/wire/message.h"

namespace dnsd::lab {
namespace {

constexpr std::uint16_t dns_port = 53, api_port = 8053;

// IPv4 packets of 20 octets of header (all on loopback are) whose source or destination port is one
// of ours: everything else never leaves the kernel.
std::array<sock_filter, 9> filter() {
    constexpr std::uint8_t accept_at = 7, refuse_at = 8;
    const auto equals = [](std::uint32_t port, std::uint8_t here) -> sock_filter {
        return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(accept_at - here - 1), 0,
                port};
    };
    std::array<sock_filter, 9> code{{
        {BPF_LD | BPF_H | BPF_ABS, 0, 0, 20},
        equals(dns_port, 1),
        equals(api_port, 2),
        {BPF_LD | BPF_H | BPF_ABS, 0, 0, 22},
        equals(dns_port, 4),
        equals(api_port, 5),
        {BPF_JMP | BPF_JA, 0, 0, refuse_at - 6 - 1},
        {BPF_RET | BPF_K, 0, 0, 65535},
        {BPF_RET | BPF_K, 0, 0, 0},
    }};
    return code;
}

std::uint16_t u16(std::string_view octets, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(octets[at]) << 8 |
                                      static_cast<std::uint8_t>(octets[at + 1]));
}

}  // namespace

Result<std::unique_ptr<Tap>> Tap::open() {
    const auto refuse = [](std::string_view what) {
        return fail(fmt::format("listening in: {}: {}", what, std::strerror(errno)));
    };
    io::Descriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
    if (socket.number() < 0) return refuse("socket");
    auto code = filter();
    const sock_fprog program{code.size(), code.data()};
    if (::setsockopt(socket.number(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) !=
        0) {
        return refuse("filter");
    }
    const timeval patience{0, 100'000};  // between two looks whether it is to end
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int room = 4 * 1024 * 1024;
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_IP);
    address.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return refuse("bind");
    }
    return std::unique_ptr<Tap>(new Tap(std::move(socket)));
}

Tap::Tap(io::Descriptor socket) : socket_(std::move(socket)), thread_([this] { run(); }) {}

Tap::~Tap() {
    ends_ = true;
    thread_.join();
}

void Tap::run() {
    std::array<char, 65536> octets;
    while (!ends_) {
        sockaddr_ll from{};
        socklen_t from_octets = sizeof from;
        const auto got = ::recvfrom(socket_.number(), octets.data(), octets.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &from_octets);
        // Loopback shows each packet twice: as it leaves, and as it comes.
        if (got > 28 && from.sll_pkttype != PACKET_OUTGOING) {
            see({octets.data(), static_cast<std::size_t>(got)});
        }
    }
}

void Tap::see(std::string_view packet) {
    const SteadyTime now = machine_clock().steady();
    const std::uint16_t source = u16(packet, 20), destination = u16(packet, 22);
    const std::lock_guard lock(mutex_);
    Traffic& traffic =
        traffic_[source == dns_port || destination == dns_port ? dns_port : api_port];
    ++traffic.packets;
    traffic.octets += packet.size();

    in_addr sender;
    std::memcpy(&sender, packet.data() + 12, sizeof sender);
    static const in_addr centre{::inet_addr(std::string(at::dnsd).c_str())};
    if (source != dns_port || sender.s_addr != centre.s_addr) return;
    const bool is_udp = packet[9] == IPPROTO_UDP;
    std::size_t header = 20 + 8;
    if (!is_udp) {  // TCP: its own header, and the length before the message
        header = 20 + 4 * (static_cast<std::uint8_t>(packet[32]) >> 4) + 2;
    }
    if (packet.size() <= header) return;
    const std::string_view message_octets = packet.substr(header);
    const auto message = wire::decode_message(
        {reinterpret_cast<const std::uint8_t*>(message_octets.data()), message_octets.size()});
    if (!message || !message->is_response() || message->questions.empty()) return;
    SeenAnswer answer{now,
                      lower_cased(message->questions[0].name.print()),
                      static_cast<std::uint16_t>(message->questions[0].type),
                      static_cast<std::uint8_t>(message->rcode()),
                      {}};
    for (const wire::Record& record : message->records) {
        if (record.type != wire::RrType::A || record.rdata.size() != 4) continue;
        Ipv4& address = answer.addresses.emplace_back();
        std::ranges::copy(record.rdata, address.octets.begin());
    }
    answers_.push_back(std::move(answer));
}

std::vector<SeenAnswer> Tap::answers() const {
    const std::lock_guard lock(mutex_);
    return answers_;
}

std::optional<SteadyTime> Tap::last_answer_about(const std::string& service) const {
    const std::string name = fmt::format("{}.{}", service, at::zone);
    const std::lock_guard lock(mutex_);
    for (auto answer = answers_.rbegin(); answer != answers_.rend(); ++answer) {
        const bool is_a = answer->type == static_cast<std::uint16_t>(wire::RrType::A);
        const bool is_srv = answer->type == static_cast<std::uint16_t>(wire::RrType::SRV);
        if (is_a && answer->name == name) return answer->at;
        if (is_srv && (answer->name == name || answer->name.starts_with("_" + service + "."))) {
            return answer->at;
        }
    }
    return std::nullopt;
}

Traffic Tap::traffic(std::uint16_t port) const {
    const std::lock_guard lock(mutex_);
    const auto found = traffic_.find(port);
    return found == traffic_.end() ? Traffic{} : found->second;
}

}  // namespace dnsd::lab
