#include "dnsd/nameserver/worker.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <tuple>

#include "base/log.h"
#include "zone/wire/reader.h"

namespace dnsd::nameserver {

namespace {

constexpr std::size_t reply_octets_max = 65'535;
constexpr std::size_t waiting_max = 20'000;  // queries of one worker that wait for others' answers
constexpr std::size_t resolved_max = 16;  // for one query: a search list, and chains between zones
// Messages of one worker that were handed over and wait for the end of their replies: a transfer
// may take minutes, and a zone has tens of secondaries, not thousands.
constexpr std::size_t handed_over_max = 1000;
constexpr std::size_t handed_over_per_client_max = 100;

enum class Kind { Query, Axfr, Ixfr, Notify, Update };

// What others take is told from queries by as little as possible, since every query passes here.
// What cannot be read is a query, and answered as one.
struct Sort {
    Kind kind = Kind::Query;
    bool may_be_signed = true;
};
Sort sort_of(std::span<const std::uint8_t> message,
             const std::optional<wire::QuestionGlance>& question) noexcept {
    if (message.size() < wire::header_octets || (message[2] & 0x80) != 0)
        return {Kind::Query, false};
    const auto opcode = static_cast<wire::Opcode>(message[2] >> 3 & 0x0f);
    if (opcode == wire::Opcode::Notify) return {Kind::Notify};
    if (opcode == wire::Opcode::Update) return {Kind::Update};
    if (opcode != wire::Opcode::Query || !question) return {};
    if (question->type == wire::RrType::AXFR) return {Kind::Axfr};
    if (question->type == wire::RrType::IXFR) return {Kind::Ixfr};
    return {Kind::Query, !question->is_all};
}

// What a reply to any message echoes, its question too, whatever the opcode.
wire::Query head_of(std::span<const std::uint8_t> message) noexcept {
    const auto decoded = wire::decode_query(message);
    wire::Query head = decoded ? *decoded : decoded.error().header;
    if (head.question || message[4] != 0 || message[5] != 1) return head;
    wire::Reader reader(message);
    reader.take(wire::header_octets);
    wire::Question question;
    question.name = reader.name();
    question.type = static_cast<wire::RrType>(reader.u16());
    question.rr_class = static_cast<wire::RrClass>(reader.u16());
    if (reader.ok()) head.question = question;
    return head;
}

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

// Whoever holds a way back may use it on any thread, and after the worker: the door is shut first.
struct Worker::Door {
    std::mutex mutex;  // guards the worker's life while a letter is posted
    Worker* worker = nullptr;
};

// Its letters go one at a time, so that the mailbox has room for all ways there are.
class Worker::HandedOverWay final : public ReturnPath {
  public:
    HandedOverWay(std::shared_ptr<Door> door, WayBack way, const IpAddress& client)
        : door_(std::move(door)), state_(std::make_shared<State>(std::move(way), client)) {}
    ~HandedOverWay() override {
        if (!state_->is_ended) send({}, true, {});
    }

    void send(std::vector<std::uint8_t> message, bool is_last,
              std::function<void(bool)> written) override {
        {
            const std::lock_guard lock(state_->mutex);
            DNSD_ASSERT(!state_->is_ended);
            state_->is_ended = is_last;
            state_->letters.push_back({std::move(message), is_last, std::move(written)});
            if (std::exchange(state_->is_posted, true)) return;
        }
        const std::lock_guard lock(door_->mutex);
        if (door_->worker == nullptr) return;
        const bool posted = door_->worker->mailbox_.post(
            [worker = door_->worker, state = state_] { deliver(*worker, *state); });
        DNSD_ASSERT(posted);  // there is room for a letter of each message that is handed over
    }

  private:
    struct Letter {
        std::vector<std::uint8_t> message;
        bool is_last;
        std::function<void(bool)> written;
    };
    struct State {
        State(WayBack to, const IpAddress& from) : way(std::move(to)), client(from) {}
        const WayBack way;
        const IpAddress client;
        std::mutex mutex;  // guards the rest: the sender's thread and the worker's
        std::deque<Letter> letters;
        bool is_posted = false;
        bool is_ended = false;
    };

    static void deliver(Worker& worker, State& state) {
        std::deque<Letter> letters;
        {
            const std::lock_guard lock(state.mutex);
            letters.swap(state.letters);
            state.is_posted = false;
        }
        for (Letter& letter : letters) {
            if (letter.is_last) worker.end_handed_over(state.client);
            if (const auto* connection = std::get_if<TcpWay>(&state.way)) {
                worker.tcp_.reply_later(*connection, letter.message, letter.is_last,
                                        std::move(letter.written));
                continue;
            }
            const auto& [socket, way] = std::get<UdpWay>(state.way);
            if (!letter.message.empty()) socket->reply_later(way, letter.message);
            if (letter.written) letter.written(true);
        }
    }

    const std::shared_ptr<Door> door_;
    const std::shared_ptr<State> state_;
};

Worker::Worker(const AnswerOptions& options, std::uint64_t query_log_sample, TcpLimits tcp,
               const Snapshot<tree::ZoneSet>& zones, Recursion* recursion, Handover* handover,
               const Snapshot<wire::Keyring>& keys, const Snapshot<CookieSecrets>& cookies,
               const RateLimits& rates, std::function<Milliseconds()> silent_for,
               const Clock& clock, std::vector<io::UdpSocket> udp,
               std::vector<io::Descriptor> tcp_listeners)
    : options_(options),
      query_log_sample_(query_log_sample),
      recursion_(recursion),
      handover_(handover),
      asks_silence_(std::move(silent_for)),
      clock_(clock),
      view_(zones),
      keys_(keys),
      cookies_(cookies),
      late_reply_(reply_octets_max),
      // A letter for each that waits, and the one that stops.
      mailbox_(loop_, waiting_max + handed_over_max + 1),
      tcp_(
          loop_, tcp, [this] { look_up_to_date(); },
          [this](auto query, const SocketAddress& client, auto reply) {
              return answer_any({Transport::Tcp, query, client, wire::glance_at_question(query)},
                                reply, [this] { return tcp_.way_back(); });
          },
          counters_.tcp),
      door_(std::make_shared<Door>()) {
    door_->worker = this;
    if (rates.responses_per_second > 0) rates_.emplace(rates, drawn_key());
    for (io::Descriptor& listener : tcp_listeners) tcp_.listen(std::move(listener));
    for (io::UdpSocket& socket : udp) {
        const std::size_t place = udp_.size();
        udp_.push_back(std::make_unique<io::UdpResponder>(
            loop_, std::move(socket), io::UdpResponder::Options{},
            [this](auto queries) {
                look_up_to_date();
                look_ahead(queries);
            },
            [this, place](auto query, const SocketAddress& client, auto reply) {
                const std::size_t number = ahead_used_++;
                return answer_any({Transport::Udp, query, client, glances_[number], ahead_[number]},
                                  reply, [this, place] {
                                      return std::pair(udp_[place].get(), udp_[place]->way_back());
                                  });
            },
            counters_.udp));
    }
}

Worker::~Worker() {
    stop();
    const std::lock_guard lock(door_->mutex);
    door_->worker = nullptr;
}

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
    secrets_ = &cookies_.latest();
    now_ = clock_.wall();
    if (asks_silence_) silent_for_ = asks_silence_();
}

void Worker::look_ahead(std::span<const std::span<const std::uint8_t>> queries) noexcept {
    ahead_.clear();
    ahead_used_ = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        if (const auto& question = glances_[i] = wire::glance_at_question(queries[i]))
            ahead_.add(*zones_, question->name, question->type);
        else
            ahead_.add_nothing();
    }
    ahead_.fetch();
}

AnswerContext Worker::context_for(Transport transport, const SocketAddress& client,
                                  std::span<const Resolved> resolved, const Session& session) {
    return {.zones = *zones_,
            .options = options_,
            .transport = transport,
            .now = now_,
            .random = random_,
            .counters = transport == Transport::Udp ? counters_.udp_answers : counters_.tcp_answers,
            .client = client.ip,
            .recursion = recursion_,
            .resolved = resolved,
            .silent_for = silent_for_,
            .octets_kept = session ? session->reply_octets() : 0,
            .cookies = secrets_,
            .rates = rates_ ? &*rates_ : nullptr};
}

template <class AskWayBack>
std::size_t Worker::answer_any(const Received& message, std::span<std::uint8_t> reply,
                               AskWayBack&& way_back) {
    const auto [kind, may_be_signed] = sort_of(message.octets, message.question);
    const bool is_signed = may_be_signed && wire::has_tsig(message.octets);
    if (kind == Kind::Query && !is_signed) return answer_query(message, reply, way_back, {});

    std::vector<std::uint8_t> octets(message.octets.begin(), message.octets.end());
    Session session;
    if (is_signed) {
        auto verified = wire::TsigSession::verify_request(octets, keys_.latest(), now_);
        if (!verified) return disbelieve(verified.error(), message, reply);
        session = *std::move(verified);
    }
    const Received believed{message.transport, octets, message.client, {}};
    if (kind == Kind::Query || handover_ == nullptr)
        return answer_query(believed, reply, way_back, std::move(session));
    // RFC 5936 §4.2 has no AXFR over UDP; BIND's answer.
    if (kind == Kind::Axfr && message.transport == Transport::Udp)
        return sign(session, reply, say(wire::Rcode::FormErr, believed, reply));
    return hand_over(believed, reply, way_back, std::move(session));
}

template <class AskWayBack>
std::size_t Worker::answer_query(const Received& query, std::span<std::uint8_t> reply,
                                 AskWayBack&& way_back, Session session) {
    const auto context = [&](std::span<const Resolved> resolved) {
        AnswerContext its = context_for(query.transport, query.client, resolved, session);
        its.ahead = query.ahead;
        return its;
    };
    Outcome outcome = answer(query.octets, context({}), reply);
    if (outcome.wanted && waiting_.size() < waiting_max) {
        const std::uint64_t ticket = ++last_ticket_;
        waiting_.emplace(ticket, Waiting{{query.octets.begin(), query.octets.end()},
                                         query.client,
                                         way_back(),
                                         std::move(session),
                                         {}});
        resolve(ticket, *outcome.wanted);
        return 0;
    }
    if (outcome.wanted) {
        counters_.waiting_refused.add();
        const std::vector<Resolved> refused{{*outcome.wanted, too_many(*outcome.wanted)}};
        outcome = answer(query.octets, context(refused), reply);
    }
    log_sampled(query.transport, query.octets, query.client, reply.first(outcome.octets));
    return sign(session, reply, outcome.octets);
}

template <class AskWayBack>
std::size_t Worker::hand_over(const Received& message, std::span<std::uint8_t> reply,
                              AskWayBack&& way_back, Session session) {
    const auto by = handed_over_by_.try_emplace(message.client.ip).first;
    if (handed_over_ >= handed_over_max || by->second >= handed_over_per_client_max) {
        if (by->second == 0) handed_over_by_.erase(by);
        counters_.handover_refused.add();
        return sign(session, reply, say(wire::Rcode::ServFail, message, reply));
    }
    ++handed_over_;
    ++by->second;
    counters_.handed_over.add();
    handover_->take({{message.octets.begin(), message.octets.end()},
                     message.client,
                     message.transport,
                     std::move(session),
                     std::make_shared<HandedOverWay>(door_, way_back(), message.client.ip)});
    return 0;
}

void Worker::end_handed_over(const IpAddress& client) {
    --handed_over_;
    const auto by = handed_over_by_.find(client);
    if (--by->second == 0) handed_over_by_.erase(by);
}

std::size_t Worker::say(wire::Rcode rcode, const Received& message, std::span<std::uint8_t> reply) {
    AnswerCounters& counters =
        message.transport == Transport::Udp ? counters_.udp_answers : counters_.tcp_answers;
    counters.queries.add();
    counters.by_rcode[static_cast<std::size_t>(rcode)].add();
    const wire::Query head = head_of(message.octets);
    wire::ReplyWriter writer(head, reply, reply.size());
    writer.set_rcode(rcode);
    return writer.finish(options_.udp_payload_octets_max);
}

std::size_t Worker::disbelieve(const wire::TsigFailure& failure, const Received& message,
                               std::span<std::uint8_t> reply) {
    counters_.tsig_failures.add();
    std::vector<std::uint8_t> octets(
        reply.begin(),
        reply.begin() + static_cast<std::ptrdiff_t>(say(failure.rcode, message, reply)));
    wire::add_failure(octets, failure);
    std::ranges::copy(octets, reply.begin());
    return octets.size();
}

std::size_t Worker::sign(Session& session, std::span<std::uint8_t> reply, std::size_t octets) {
    if (!session || octets == 0) return octets;
    std::vector<std::uint8_t> message(reply.begin(),
                                      reply.begin() + static_cast<std::ptrdiff_t>(octets));
    session->sign_reply(message, now_);
    DNSD_ASSERT(message.size() <= reply.size());  // answer() has kept the room
    std::ranges::copy(message, reply.begin());
    return message.size();
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
    const auto context = [&] {
        return context_for(transport, waiting.client, waiting.resolved, waiting.session);
    };
    Outcome outcome = answer(waiting.query, context(), late_reply_);
    if (outcome.wanted && waiting.resolved.size() < resolved_max)
        return resolve(ticket, *outcome.wanted);
    if (outcome.wanted) {
        waiting.resolved.push_back({*outcome.wanted, too_many(*outcome.wanted)});
        outcome = answer(waiting.query, context(), late_reply_);
    }
    log_sampled(transport, waiting.query, waiting.client,
                std::span(late_reply_).first(outcome.octets));
    const auto reply =
        std::span(late_reply_).first(sign(waiting.session, late_reply_, outcome.octets));
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
