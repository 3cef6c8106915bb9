#include "base/io/udp.h"

#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace dnsd::io {

namespace {

bool set_option(int descriptor, int level, int name) noexcept {
    const int on = 1;
    return setsockopt(descriptor, level, name, &on, sizeof on) == 0;
}

// Room for the one control message that says which address was asked (IP_PKTINFO, IPV6_PKTINFO).
constexpr std::size_t control_octets = CMSG_SPACE(sizeof(in6_pktinfo));
// Buffers a power of two apart would have their first octets in the same few sets of the caches.
constexpr std::size_t between_buffers = 192;
constexpr unsigned batches_max = 16;  // of one turn of the loop
static_assert(control_octets <= sizeof(UdpReturn::control));

}  // namespace

Result<UdpSocket> UdpSocket::bind(const SocketAddress& address, bool shared) {
    const bool v6 = std::holds_alternative<Ipv6>(address.ip);
    const auto failed = [&] {
        return fail(fmt::format("UDP {}: {}", address.print(), std::strerror(errno)));
    };
    const int descriptor =
        ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return failed();
    UdpSocket socket(descriptor);
    if (v6 && !set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY)) return failed();
    // A socket of one address answers from it anyway, and cheaper.
    if (is_unspecified(address.ip) && !(v6 ? set_option(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO)
                                           : set_option(descriptor, IPPROTO_IP, IP_PKTINFO))) {
        return failed();
    }
    if (shared && !set_option(descriptor, SOL_SOCKET, SO_REUSEPORT)) return failed();
    sockaddr_storage storage;
    const socklen_t octets = address.to(storage);
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&storage), octets) != 0)
        return failed();
    return socket;
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

UdpSocket::~UdpSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

SocketAddress UdpSocket::address() const noexcept {
    sockaddr_storage storage{};
    socklen_t octets = sizeof storage;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &octets);
    return SocketAddress::from(reinterpret_cast<const sockaddr&>(storage));
}

struct UdpResponder::State {
    struct Slot {
        sockaddr_storage client;
        alignas(cmsghdr) std::uint8_t control[control_octets];
        iovec query, reply;
    };

    Options options;
    UdpSocket socket;
    BeforeBatch before_batch;
    Respond respond;
    UdpCounters& counters;
    std::vector<std::uint8_t> octets;  // of all queries and replies
    std::vector<Slot> slots;
    std::vector<std::span<const std::uint8_t>> queries;  // of the batch under way
    std::vector<mmsghdr> received, replies;
    std::uint32_t dropped_before = 0;
    unsigned asking = 0;         // the slot whose query is being answered
    std::unique_ptr<Poll> poll;  // last: it calls back into the rest

    State(UdpSocket bound, Options wanted, BeforeBatch before, Respond answer, UdpCounters& counted)
        : options(wanted),
          socket(std::move(bound)),
          before_batch(std::move(before)),
          respond(std::move(answer)),
          counters(counted),
          octets(wanted.batch * (std::size_t{wanted.query_octets_max} + wanted.reply_octets_max +
                                 2 * between_buffers)),
          slots(wanted.batch),
          queries(wanted.batch),
          received(wanted.batch),
          replies(wanted.batch) {
        std::uint8_t* at = octets.data();
        for (Slot& slot : slots) {
            slot.query = {at, options.query_octets_max};
            at += options.query_octets_max + between_buffers;
            slot.reply = {at, options.reply_octets_max};
            at += options.reply_octets_max + between_buffers;
        }
    }

    unsigned receive() {
        for (std::size_t i = 0; i < slots.size(); ++i) {
            received[i] = {};
            received[i].msg_hdr.msg_name = &slots[i].client;
            received[i].msg_hdr.msg_namelen = sizeof slots[i].client;
            received[i].msg_hdr.msg_iov = &slots[i].query;
            received[i].msg_hdr.msg_iovlen = 1;
            received[i].msg_hdr.msg_control = slots[i].control;
            received[i].msg_hdr.msg_controllen = sizeof slots[i].control;
        }
        // Errors here (ECONNREFUSED and the like) are an earlier reply's ICMP: nothing to stop for.
        const int count =
            recvmmsg(socket.descriptor(), received.data(), options.batch, MSG_DONTWAIT, nullptr);
        return count > 0 ? static_cast<unsigned>(count) : 0;
    }

    // The query's control message goes back with the reply: the address asked becomes the source.
    void address_reply(mmsghdr& reply, const mmsghdr& query) noexcept {
        reply = {};
        reply.msg_hdr.msg_name = query.msg_hdr.msg_name;
        reply.msg_hdr.msg_namelen = query.msg_hdr.msg_namelen;
        if (query.msg_hdr.msg_controllen == 0) return;
        reply.msg_hdr.msg_control = query.msg_hdr.msg_control;
        reply.msg_hdr.msg_controllen = query.msg_hdr.msg_controllen;
        for (cmsghdr* c = CMSG_FIRSTHDR(&reply.msg_hdr); c != nullptr;
             c = CMSG_NXTHDR(&reply.msg_hdr, c)) {
            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                in_pktinfo info;
                std::memcpy(&info, CMSG_DATA(c), sizeof info);
                info.ipi_ifindex = 0;  // the route decides, as it does for any reply
                std::memcpy(CMSG_DATA(c), &info, sizeof info);
            }
        }
    }

    // More may have come meanwhile: taking it saves a turn of the loop. Others get theirs in time.
    void turn() {
        bool was_full = false;
        for (unsigned batches = 0; batches < batches_max; ++batches) {
            const unsigned count = answer_batch();
            was_full = was_full || count == options.batch;
            if (count == 0) break;
        }
        if (was_full) count_dropped();
    }

    // What the kernel dropped left a full queue behind, and so a full batch.
    void count_dropped() {
        std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
        socklen_t size = sizeof info;
        if (getsockopt(socket.descriptor(), SOL_SOCKET, SO_MEMINFO, &info, &size) != 0) return;
        const std::uint32_t dropped = info[SK_MEMINFO_DROPS];
        counters.receive_dropped.add(dropped - std::exchange(dropped_before, dropped));
    }

    unsigned answer_batch() {
        const unsigned count = receive();
        if (count == 0) return 0;
        counters.received.add(count);
        queries.clear();
        for (unsigned i = 0; i < count; ++i) {
            queries.emplace_back(static_cast<const std::uint8_t*>(slots[i].query.iov_base),
                                 received[i].msg_len);
        }
        before_batch(queries);
        unsigned answered = 0;
        for (unsigned i = 0; i < count; ++i) {
            Slot& slot = slots[i];
            asking = i;
            const std::span reply(static_cast<std::uint8_t*>(slot.reply.iov_base),
                                  options.reply_octets_max);
            const std::size_t size =
                respond(queries[i],
                        SocketAddress::from(reinterpret_cast<const sockaddr&>(slot.client)), reply);
            if (size == 0) continue;
            slot.reply.iov_len = size;
            address_reply(replies[answered], received[i]);
            replies[answered].msg_hdr.msg_iov = &slot.reply;
            replies[answered].msg_hdr.msg_iovlen = 1;
            ++answered;
        }
        send(answered);
        return count;
    }

    void send(unsigned count) {
        for (unsigned done = 0; done < count;) {
            const int sent =
                sendmmsg(socket.descriptor(), replies.data() + done, count - done, MSG_DONTWAIT);
            if (sent > 0) {
                done += static_cast<unsigned>(sent);
                counters.sent.add(static_cast<std::uint64_t>(sent));
            } else if (errno != EINTR) {
                ++done;  // this one the kernel refuses; the others may go
                counters.send_dropped.add();
            }
        }
    }
};

UdpResponder::UdpResponder(Loop& loop, UdpSocket socket, Options options, BeforeBatch before_batch,
                           Respond respond, UdpCounters& counters)
    : state_(std::make_unique<State>(std::move(socket), options, std::move(before_batch),
                                     std::move(respond), counters)) {
    state_->poll = std::make_unique<Poll>(loop, state_->socket.descriptor(),
                                          [state = state_.get()](unsigned) { state->turn(); });
    state_->poll->watch(Poll::Readable);
}

UdpResponder::~UdpResponder() = default;

UdpReturn UdpResponder::way_back() const noexcept {
    mmsghdr reply;
    const mmsghdr& query = state_->received[state_->asking];
    state_->address_reply(reply, query);
    UdpReturn way;
    way.client = state_->slots[state_->asking].client;
    way.client_octets = reply.msg_hdr.msg_namelen;
    way.control_octets = std::min<std::size_t>(reply.msg_hdr.msg_controllen, way.control.size());
    if (way.control_octets > 0)
        std::memcpy(way.control.data(), reply.msg_hdr.msg_control, way.control_octets);
    return way;
}

void UdpResponder::reply_later(const UdpReturn& way, std::span<const std::uint8_t> reply) noexcept {
    UdpReturn to = way;
    iovec octets{const_cast<std::uint8_t*>(reply.data()), reply.size()};
    msghdr message{};
    message.msg_name = &to.client;
    message.msg_namelen = to.client_octets;
    message.msg_control = to.control_octets == 0 ? nullptr : to.control.data();
    message.msg_controllen = to.control_octets;
    message.msg_iov = &octets;
    message.msg_iovlen = 1;
    if (sendmsg(state_->socket.descriptor(), &message, MSG_DONTWAIT) < 0)
        state_->counters.send_dropped.add();
    else
        state_->counters.sent.add();
}

SocketAddress UdpResponder::address() const noexcept { return state_->socket.address(); }

}  // namespace dnsd::io
