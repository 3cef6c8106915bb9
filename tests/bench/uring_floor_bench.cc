// bench_floor by io_uring: datagrams come by one multishot receive into buffers of a ring, and the
// replies of a batch go with the call that waits for the next. What io_uring would cost a name
// server, beside recvmmsg and sendmmsg.
//
//   bench_uring_floor PORT REPLY_OCTETS
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr unsigned buffer_count = 256;
constexpr unsigned buffer_octets = 4096 + 256;  // the client's address stands in front
constexpr std::uint64_t received = 1, sent = 2;

std::array<std::array<std::uint8_t, buffer_octets>, buffer_count> buffers;

int failed(const char* what, int error) {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(-error));
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "bench_uring_floor PORT REPLY_OCTETS\n");
        return 2;
    }
    const std::size_t reply_octets =
        std::min<std::size_t>(std::strtoul(argv[2], nullptr, 10), 4096);
    const int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::perror("bind");
        return 1;
    }

    io_uring ring;
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 4 * buffer_count;
    if (const int error = io_uring_queue_init_params(buffer_count, &ring, &params); error < 0)
        return failed("io_uring_queue_init_params", error);
    if (const int error = io_uring_register_files(&ring, &descriptor, 1); error < 0)
        return failed("io_uring_register_files", error);

    void* memory = nullptr;
    if (posix_memalign(&memory, 4096, buffer_count * sizeof(io_uring_buf)) != 0) return 1;
    auto* free_buffers = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(free_buffers);
    registration.ring_entries = buffer_count;
    if (const int error = io_uring_register_buf_ring(&ring, &registration, 0); error < 0)
        return failed("io_uring_register_buf_ring", error);
    io_uring_buf_ring_init(free_buffers);
    const int mask = io_uring_buf_ring_mask(buffer_count);
    const auto give_back = [&](unsigned buffer, int place) {
        io_uring_buf_ring_add(free_buffers, buffers[buffer].data(), buffer_octets,
                              static_cast<unsigned short>(buffer), mask, place);
    };
    for (unsigned i = 0; i < buffer_count; ++i) give_back(i, static_cast<int>(i));
    io_uring_buf_ring_advance(free_buffers, buffer_count);

    msghdr receive{};
    receive.msg_namelen = sizeof(sockaddr_storage);
    const auto receive_on = [&] {
        io_uring_sqe* entry = io_uring_get_sqe(&ring);
        io_uring_prep_recvmsg_multishot(entry, 0, &receive, 0);
        entry->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
        entry->buf_group = 0;
        io_uring_sqe_set_data64(entry, received);
    };
    receive_on();

    std::array<msghdr, buffer_count> replies{};
    std::array<iovec, buffer_count> parts;
    std::array<io_uring_cqe*, buffer_count> completions;
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        const unsigned count = io_uring_peek_batch_cqe(&ring, completions.data(), buffer_count);
        int given_back = 0;
        for (unsigned i = 0; i < count; ++i) {
            const io_uring_cqe& done = *completions[i];
            if (done.user_data >= sent) {
                give_back(static_cast<unsigned>(done.user_data - sent), given_back++);
                continue;
            }
            if ((done.flags & IORING_CQE_F_MORE) == 0) receive_on();
            if (done.res < 0) continue;
            const unsigned buffer = done.flags >> IORING_CQE_BUFFER_SHIFT;
            io_uring_recvmsg_out* message =
                io_uring_recvmsg_validate(buffers[buffer].data(), done.res, &receive);
            auto* query = static_cast<std::uint8_t*>(io_uring_recvmsg_payload(message, &receive));
            query[2] |= 0x80;
            parts[buffer] = {query, std::max<std::size_t>(reply_octets, message->payloadlen)};
            replies[buffer].msg_name = io_uring_recvmsg_name(message);
            replies[buffer].msg_namelen = message->namelen;
            replies[buffer].msg_iov = &parts[buffer];
            replies[buffer].msg_iovlen = 1;
            io_uring_sqe* entry = io_uring_get_sqe(&ring);
            io_uring_prep_sendmsg(entry, 0, &replies[buffer], 0);
            entry->flags |= IOSQE_FIXED_FILE;
            io_uring_sqe_set_data64(entry, sent + buffer);
        }
        io_uring_buf_ring_advance(free_buffers, given_back);
        io_uring_cq_advance(&ring, count);
    }
}
