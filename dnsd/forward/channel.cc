#include "dnsd/forward/channel.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/assert.h"

namespace dnsd::forward {

namespace {

constexpr int udp_payload_octets = 1232;

// The library is set up once, before the first channel, and stays.
void set_up_library() {
    static const int status = ares_library_init(ARES_LIB_INIT_ALL);
    DNSD_ASSERT(status == ARES_SUCCESS);
}

ares_addr_port_node node_of(const SocketAddress& server) {
    ares_addr_port_node node{};
    node.udp_port = node.tcp_port = server.port;
    if (const auto* v4 = std::get_if<Ipv4>(&server.ip)) {
        node.family = AF_INET;
        std::memcpy(&node.addr.addr4, v4->octets.data(), v4->octets.size());
    } else {
        const Ipv6& v6 = std::get<Ipv6>(server.ip);
        node.family = AF_INET6;
        std::memcpy(&node.addr.addr6, v6.octets.data(), v6.octets.size());
    }
    return node;
}

}  // namespace

struct Channel::State {
    // c-ares calls back into it, even while the channel is being destroyed.
    struct Asked {
        State& state;
        Done done;
    };

    io::Loop& loop;
    ares_channel channel = nullptr;
    std::unordered_map<int, std::unique_ptr<io::Poll>> polls;
    io::Timer timer;
    std::size_t in_flight = 0, sent = 0;

    explicit State(io::Loop& on) : loop(on), timer(on, [this] { process(ARES_SOCKET_BAD, 0); }) {}

    // A socket of the channel is to be watched, or will be closed.
    void watch(int descriptor, bool readable, bool writable) {
        if (!readable && !writable) {
            polls.erase(descriptor);
            return;
        }
        auto& poll = polls[descriptor];
        if (!poll) {
            poll = std::make_unique<io::Poll>(
                loop, descriptor,
                [this, descriptor](unsigned events) { process(descriptor, events); });
        }
        poll->watch((readable ? unsigned{io::Poll::Readable} : 0U) |
                    (writable ? unsigned{io::Poll::Writable} : 0U));
    }

    void process(int descriptor, unsigned events) {
        ares_process_fd(channel, (events & io::Poll::Readable) != 0 ? descriptor : ARES_SOCKET_BAD,
                        (events & io::Poll::Writable) != 0 ? descriptor : ARES_SOCKET_BAD);
        set_timer();
    }

    void set_timer() {
        timeval wait;
        if (ares_timeout(channel, nullptr, &wait) == nullptr) {
            timer.stop();
            return;
        }
        // One more, since c-ares counts microseconds and may find that it is early.
        timer.start(Milliseconds(wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1));
    }

    static void answered(void* argument, int status, int, unsigned char* octets, int size) {
        const std::unique_ptr<Asked> asked(static_cast<Asked*>(argument));
        State& state = asked->state;
        if (status == ARES_SUCCESS && octets != nullptr && size > 0)
            asked->done(nullptr, {octets, static_cast<std::size_t>(size)});
        else
            asked->done(status == ARES_SUCCESS ? "no answer" : ares_strerror(status), {});
        // Only now: one that is not idle is not destroyed, and this is called from inside it.
        if (--state.in_flight == 0) state.sent = 0;
    }
};

Channel::Channel(io::Loop& loop, const SocketAddress& server, Milliseconds timeout, bool tcp)
    : state_(std::make_unique<State>(loop)) {
    set_up_library();
    ares_options options{};
    // We judge rcodes, and no name here has a search list or an alias. EDNS stands in our queries;
    // the flag has c-ares take answers as long as that allows.
    options.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                    ARES_FLAG_EDNS | (tcp ? ARES_FLAG_USEVC : 0);
    options.ednspsz = udp_payload_octets;
    options.timeout = static_cast<int>(std::max<long long>(1, timeout.count()));
    options.tries = 1;
    options.ndots = 1;
    options.sock_state_cb = [](void* state, ares_socket_t descriptor, int readable, int writable) {
        static_cast<State*>(state)->watch(descriptor, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = state_.get();
    // Everything is named, a server too though another is set below: else c-ares reads
    // /etc/resolv.conf for each channel.
    in_addr none{};
    options.servers = &none;
    options.nservers = 1;
    char lookups[] = "b";
    options.lookups = lookups;
    const int status =
        ares_init_options(&state_->channel, &options,
                          ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_NDOTS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS |
                              ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST);
    DNSD_ASSERT(status == ARES_SUCCESS);  // it can only run out of memory
    ares_addr_port_node node = node_of(server);
    const int set = ares_set_servers_ports(state_->channel, &node);
    DNSD_ASSERT(set == ARES_SUCCESS);
}

Channel::~Channel() { ares_destroy(state_->channel); }

void Channel::send(std::span<const std::uint8_t> query, Done done) {
    ++state_->in_flight;
    ++state_->sent;
    ares_send(state_->channel, query.data(), static_cast<int>(query.size()), &State::answered,
              new State::Asked{*state_, std::move(done)});
    state_->set_timer();
}

std::size_t Channel::in_flight() const noexcept { return state_->in_flight; }
std::size_t Channel::sent_from_this_port() const noexcept { return state_->sent; }

}  // namespace dnsd::forward
