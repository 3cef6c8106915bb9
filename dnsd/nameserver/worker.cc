#include "dnsd/nameserver/worker.h"

#include <tuple>

#include "base/log.h"
#include "zone/wire/message.h"

namespace dnsd::nameserver {

namespace {

constexpr std::size_t reply_octets_max = 65'535;
constexpr std::size_t waiting_max = 20'000;  // queries of one worker that wait for others' answers
constexpr std::size_t resolved_max = 16;  // for one query: a search list, and chains between zones

wire::AgedResponse too_many(const wire::RecursiveQuestion& question) {
    return {.response = std::make_shared<const wire::Response>(wire::Response::failure(
                question.question, wire::Rcode::ServFail, wire::ExtendedError::NotReady,
                "too many questions wait", 0))};
}

// Both from anybody: what cannot be read is logged as such.
void log_query(Transport transport, std::span<const std::uint8_t> query,
               const SocketAddress& client, std::span<const std::uint8_t> reply) {
    const auto asked = wire::decode_query(query);
    const auto answered = wire::decode_message(reply);
    const bool is_read = asked && asked->question;
    log::info("query client={} transport={} name={} type={} rcode={} octets={}", print(client.ip),
              transport == Transport::Udp ? "udp" : "tcp",
              is_read ? log::quoted(asked->question->name.print()) : "-",
              is_read ? wire::print(asked->question->type) : "-",
              answered ? wire::print(answered->rcode()) : "-", reply.size());
}

}  // namespace

Worker::Worker(const AnswerOptions& options, std::uint64_t query_log_sample, TcpLimits tcp,
               const Snapshot<tree::ZoneSet>& zones, Recursion* recursion,
               std::function<Milliseconds()> silent_for, const Clock& clock,
               std::vector<io::UdpSocket> udp, std::vector<io::Descriptor> tcp_listeners)
    : options_(options),
      query_log_sample_(query_log_sample),
      recursion_(recursion),
      asks_silence_(std::move(silent_for)),
      clock_(clock),
      view_(zones),
      late_reply_(reply_octets_max),
      mailbox_(loop_, waiting_max + 1),  // a letter for each that waits, and the one that stops
      tcp_(
          loop_, tcp, [this] { look_up_to_date(); },
          [this](auto query, const SocketAddress& client, auto reply) {
              return answer_with(Transport::Tcp, query, client, reply,
                                 [this] { return tcp_.way_back(); });
          },
          counters_.tcp) {
    for (io::Descriptor& listener : tcp_listeners) tcp_.listen(std::move(listener));
    for (io::UdpSocket& socket : udp) {
        const std::size_t place = udp_.size();
        udp_.push_back(std::make_unique<io::UdpResponder>(
            loop_, std::move(socket), io::UdpResponder::Options{}, [this] { look_up_to_date(); },
            [this, place](auto query, const SocketAddress& client, auto reply) {
                return answer_with(Transport::Udp, query, client, reply, [this, place] {
                    return std::pair(udp_[place].get(), udp_[place]->way_back());
                });
            },
            counters_.udp));
    }
}

Worker::~Worker() { stop(); }

void Worker::start() {
    thread_ = std::thread([this] { loop_.run(); });
}

void Worker::stop() {
    if (!thread_.joinable()) return;
    const bool posted = mailbox_.post([this] { loop_.stop(); });
    DNSD_ASSERT(posted);  // there is room for one letter more than may wait
    thread_.join();
}

void Worker::look_up_to_date() {
    zones_ = &view_.latest();
    now_ = clock_.wall();
    if (asks_silence_) silent_for_ = asks_silence_();
}

AnswerContext Worker::context_for(Transport transport, const SocketAddress& client,
                                  std::span<const Resolved> resolved) {
    return {.zones = *zones_,
            .options = options_,
            .transport = transport,
            .now = now_,
            .random = random_,
            .counters = transport == Transport::Udp ? counters_.udp_answers : counters_.tcp_answers,
            .client = client.ip,
            .recursion = recursion_,
            .resolved = resolved,
            .silent_for = silent_for_};
}

template <class WayBack>
std::size_t Worker::answer_with(Transport transport, std::span<const std::uint8_t> query,
                                const SocketAddress& client, std::span<std::uint8_t> reply,
                                WayBack&& way_back) {
    Outcome outcome = answer(query, context_for(transport, client, {}), reply);
    if (outcome.wanted && waiting_.size() < waiting_max) {
        const std::uint64_t ticket = ++last_ticket_;
        waiting_.emplace(ticket, Waiting{{query.begin(), query.end()}, client, way_back(), {}});
        resolve(ticket, *outcome.wanted);
        return 0;
    }
    if (outcome.wanted) {
        counters_.waiting_refused.add();
        const std::vector<Resolved> refused{{*outcome.wanted, too_many(*outcome.wanted)}};
        outcome = answer(query, context_for(transport, client, refused), reply);
    }
    log_sampled(transport, query, client, reply.first(outcome.octets));
    return outcome.octets;
}

// The answer comes as a letter, even where it is there at once: who asks may be in the middle of a
// batch.
void Worker::resolve(std::uint64_t ticket, const wire::RecursiveQuestion& question) {
    recursion_->resolve(
        question, waiting_.at(ticket).client.ip, [this, ticket, question](wire::AgedResponse aged) {
            // Full or gone only while the worker stops.
            std::ignore =
                mailbox_.post([this, ticket, resolved = Resolved{question, std::move(aged)}] {
                    go_on(ticket, resolved);
                });
        });
}

void Worker::go_on(std::uint64_t ticket, Resolved resolved) {
    Waiting& waiting = waiting_.at(ticket);
    waiting.resolved.push_back(std::move(resolved));
    look_up_to_date();
    const bool is_udp = std::holds_alternative<UdpWay>(waiting.way_back);
    const Transport transport = is_udp ? Transport::Udp : Transport::Tcp;
    Outcome outcome = answer(waiting.query,
                             context_for(transport, waiting.client, waiting.resolved), late_reply_);
    if (outcome.wanted && waiting.resolved.size() < resolved_max)
        return resolve(ticket, *outcome.wanted);
    if (outcome.wanted) {
        waiting.resolved.push_back({*outcome.wanted, too_many(*outcome.wanted)});
        outcome = answer(waiting.query, context_for(transport, waiting.client, waiting.resolved),
                         late_reply_);
    }
    const auto reply = std::span(late_reply_).first(outcome.octets);
    log_sampled(transport, waiting.query, waiting.client, reply);
    const Waiting done = std::move(waiting);
    waiting_.erase(ticket);
    if (is_udp) {
        const auto& [socket, way] = std::get<UdpWay>(done.way_back);
        socket->reply_later(way, reply);
    } else {
        tcp_.reply_later(std::get<TcpWay>(done.way_back), reply);
    }
}

void Worker::log_sampled(Transport transport, std::span<const std::uint8_t> query,
                         const SocketAddress& client, std::span<const std::uint8_t> reply) {
    if (query_log_sample_ == 0 || ++since_logged_ < query_log_sample_) return;
    since_logged_ = 0;
    log_query(transport, query, client, reply);
}

}  // namespace dnsd::nameserver
