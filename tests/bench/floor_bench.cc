// What the kernel alone costs a name server: datagrams in batches in and out, as base/io/udp does
// it, and nothing in between. A reply is the query with QR set and noughts behind it.
//
//   bench_floor PORT REPLY_OCTETS
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr unsigned batch = 32;
constexpr std::size_t octets_max = 4096;

std::array<std::array<std::uint8_t, octets_max>, batch> buffers;

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "bench_floor PORT REPLY_OCTETS\n");
        return 2;
    }
    const std::size_t reply_octets =
        std::min<std::size_t>(std::strtoul(argv[2], nullptr, 10), octets_max);
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::perror("bind");
        return 1;
    }
    const int epoll = epoll_create1(0);
    epoll_event event{EPOLLIN, {}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);

    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> parts;
    std::array<sockaddr_storage, batch> clients;
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) < 0) continue;
        for (;;) {
            for (unsigned i = 0; i < batch; ++i) {
                parts[i] = {buffers[i].data(), octets_max};
                messages[i].msg_hdr = {};
                messages[i].msg_hdr.msg_name = &clients[i];
                messages[i].msg_hdr.msg_namelen = sizeof clients[i];
                messages[i].msg_hdr.msg_iov = &parts[i];
                messages[i].msg_hdr.msg_iovlen = 1;
            }
            const int count = recvmmsg(descriptor, messages.data(), batch, MSG_DONTWAIT, nullptr);
            if (count <= 0) break;
            for (int i = 0; i < count; ++i) {
                const auto place = static_cast<std::size_t>(i);
                buffers[place][2] |= 0x80;
                parts[place].iov_len = std::max<std::size_t>(reply_octets, messages[place].msg_len);
            }
            sendmmsg(descriptor, messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
        }
    }
}
