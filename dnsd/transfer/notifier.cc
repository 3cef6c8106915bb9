#include "dnsd/transfer/notifier.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/io/udp.h"
#include "base/log.h"
#include "base/random.h"
#include "zone/wire/message.h"

namespace dnsd::transfer {

namespace {

constexpr std::uint16_t aa_bit = 0x0400;
constexpr unsigned opcode_shift = 11;

void put_u16(std::vector<std::uint8_t>& octets, std::uint16_t value) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8));
    octets.push_back(static_cast<std::uint8_t>(value));
}

void put(std::vector<std::uint8_t>& octets, std::span<const std::uint8_t> more) {
    octets.insert(octets.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::uint8_t> encode_notify(const Notice& notice) {
    constexpr auto flags = static_cast<std::uint16_t>(
        static_cast<unsigned>(wire::Opcode::Notify) << opcode_shift | aa_bit);
    constexpr std::uint16_t question_name = 0xc000 | wire::header_octets;
    const auto soa = static_cast<std::uint16_t>(wire::RrType::SOA);
    const auto in = static_cast<std::uint16_t>(wire::RrClass::IN);
    std::vector<std::uint8_t> octets;
    for (const std::uint16_t value :
         {notice.id, flags, std::uint16_t{1}, std::uint16_t{1}, std::uint16_t{0}, std::uint16_t{0}})
        put_u16(octets, value);
    put(octets, notice.zone.octets());
    put_u16(octets, soa);
    put_u16(octets, in);
    put_u16(octets, question_name);
    put_u16(octets, soa);
    put_u16(octets, in);
    put_u16(octets, static_cast<std::uint16_t>(notice.soa->ttl() >> 16));
    put_u16(octets, static_cast<std::uint16_t>(notice.soa->ttl()));
    const auto rdata = notice.soa->rdata(0);
    put_u16(octets, static_cast<std::uint16_t>(rdata.size()));
    put(octets, rdata);
    return octets;
}

bool is_reply_to(std::span<const std::uint8_t> message, const Notice& notice) {
    const auto decoded = wire::decode_message(message);
    if (!decoded || !decoded->is_response() || decoded->id != notice.id ||
        static_cast<wire::Opcode>((decoded->flags >> opcode_shift) & 0x0f) != wire::Opcode::Notify)
        return false;
    if (decoded->questions.empty()) return decoded->rcode() != wire::Rcode::NoError;
    return decoded->questions.size() == 1 && decoded->questions.front().name == notice.zone;
}

struct Notifier::State {
    struct Socket {
        io::UdpCounters counters;
        std::unique_ptr<io::UdpResponder> responder;
    };

    const Snapshot<wire::Keyring>& keyring;
    const Clock& clock;
    Random random = seeded_by_machine();  // ids guard against mistakes; TSIG against forgers
    NotifyPlan plan{[this] { return static_cast<std::uint16_t>(random()); }};
    // Of the notices that are signed and under way: what their replies are believed by.
    std::map<std::pair<SocketAddress, std::uint16_t>, wire::TsigSession> sessions;
    Counter sent, acknowledged, refused, given_up;
    io::Timer timer;
    Socket v4, v6;

    State(io::Loop& loop, const Snapshot<wire::Keyring>& keys, const Clock& on)
        : keyring(keys), clock(on), timer(loop, [this] { run(); }) {
        open(loop, v4, Ipv4{});
        open(loop, v6, Ipv6{});
    }

    void open(io::Loop& loop, Socket& socket, IpAddress any) {
        auto bound = io::UdpSocket::bind({any, 0}, false);
        if (!bound) {
            log::debug("notify socket not opened reason={}", log::quoted(bound.error().message));
            return;
        }
        socket.responder = std::make_unique<io::UdpResponder>(
            loop, std::move(*bound),
            io::UdpResponder::Options{.query_octets_max = 4096, .reply_octets_max = 0, .batch = 8},
            [](auto) {},
            [this](std::span<const std::uint8_t> octets, const SocketAddress& from,
                   std::span<std::uint8_t>) {
                take_reply(octets, from);
                return std::size_t{0};
            },
            socket.counters);
    }

    // Sends what is due, and sees to it that it runs again in time.
    void run() {
        const SteadyTime now = clock.steady();
        NotifyPlan::Due due = plan.due(now);
        for (const Notice& notice : due.to_send) send(notice);
        for (const Notice& notice : due.given_up) {
            sessions.erase({notice.peer.address, notice.id});
            given_up.add();
            log::warn("notify given up zone={} peer={} tries={}", log::quoted(notice.zone.print()),
                      notice.peer.address.print(), notice.tries);
        }
        forget_sessions();
        const auto next = plan.next();
        if (!next) return timer.stop();
        timer.start(std::chrono::ceil<Milliseconds>(std::max(*next - now, SteadyTime::duration())));
    }

    // Those of notices that were superseded: more than there can be under way.
    void forget_sessions() {
        if (sessions.size() <= plan.size()) return;
        std::erase_if(sessions, [&](const auto& entry) {
            return plan.find(entry.first.first, entry.first.second) == nullptr;
        });
    }

    void send(const Notice& notice) {
        std::vector<std::uint8_t> octets = encode_notify(notice);
        sessions.erase({notice.peer.address, notice.id});
        if (!notice.peer.key.empty()) {
            const auto keys = keyring.load();
            const auto name = wire::Name::parse(notice.peer.key);
            const wire::TsigKey* key = name ? keys->find(*name) : nullptr;
            if (key == nullptr) {  // it is tried again: the key may come
                log::warn("notify not sent zone={} peer={} key={} reason={}",
                          log::quoted(notice.zone.print()), notice.peer.address.print(),
                          log::quoted(notice.peer.key), log::quoted("there is no such key"));
                return;
            }
            sessions.emplace(std::pair(notice.peer.address, notice.id),
                             wire::TsigSession::sign_request(octets, *key, clock.wall()));
        }
        Socket& socket = std::holds_alternative<Ipv4>(notice.peer.address.ip) ? v4 : v6;
        if (!socket.responder) return;
        io::UdpReturn way;
        way.client_octets = notice.peer.address.to(way.client);
        socket.responder->reply_later(way, octets);
        sent.add();
    }

    void take_reply(std::span<const std::uint8_t> octets, const SocketAddress& from) {
        if (octets.size() < wire::header_octets) return;
        const auto id = static_cast<std::uint16_t>(octets[0] << 8 | octets[1]);
        const Notice* notice = plan.find(from, id);
        if (notice == nullptr) return;
        std::vector<std::uint8_t> message(octets.begin(), octets.end());
        const auto session = sessions.find({from, id});
        if (session != sessions.end()) {
            // A reply that is not signed as it should be says nothing. A session that failed once
            // is not what it was; a copy fails instead.
            wire::TsigSession attempt = session->second;
            if (!attempt.verify_reply(message, clock.wall()) || !attempt.ends_signed()) return;
        }
        if (!is_reply_to(message, *notice)) return;
        take_verdict(*notice, static_cast<wire::Rcode>(message[3] & 0x0f));
        if (session != sessions.end()) sessions.erase(session);
        plan.answered(from, id, clock.steady());
        run();
    }

    // RFC 1996 §3.11: whatever it says, the peer has heard of it.
    void take_verdict(const Notice& notice, wire::Rcode rcode) {
        if (rcode == wire::Rcode::NoError) return acknowledged.add();
        refused.add();
        log::warn("notify refused zone={} peer={} rcode={}", log::quoted(notice.zone.print()),
                  notice.peer.address.print(), wire::print(rcode));
    }
};

Notifier::Notifier(io::Loop& loop, const Snapshot<wire::Keyring>& keyring, const Clock& clock)
    : state_(std::make_unique<State>(loop, keyring, clock)) {}

Notifier::~Notifier() = default;

void Notifier::changed(const wire::Name& zone, const std::shared_ptr<const tree::RRset>& soa,
                       const std::vector<model::Peer>& peers, Milliseconds delay) {
    state_->plan.changed(zone, soa, peers, delay, state_->clock.steady());
    state_->run();
}

void Notifier::forget(const wire::Name& zone) {
    state_->plan.forget(zone);
    state_->run();
}

std::vector<Metric> Notifier::metrics() const {
    Metric out{"dnsd_notifies_total",
               "NOTIFY messages to secondaries: sent, tries included, and what became of them",
               Metric::Kind::Counter,
               {},
               {}};
    const auto add = [&](std::string result, const Counter& counter) {
        out.samples.push_back(
            {{{"result", std::move(result)}}, static_cast<double>(counter.value()), {}});
    };
    add("sent", state_->sent);
    add("acknowledged", state_->acknowledged);
    add("refused", state_->refused);
    add("given_up", state_->given_up);
    return {std::move(out)};
}

}  // namespace dnsd::transfer
