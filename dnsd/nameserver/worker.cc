#include "dnsd/nameserver/worker.h"

#include "base/log.h"
#include "zone/wire/message.h"

namespace dnsd::nameserver {

namespace {

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
               const Snapshot<tree::ZoneSet>& zones, const Clock& clock,
               std::vector<io::UdpSocket> udp, std::vector<io::Descriptor> tcp_listeners)
    : options_(options),
      query_log_sample_(query_log_sample),
      clock_(clock),
      view_(zones),
      mailbox_(loop_, 1),
      tcp_(
          loop_, tcp, [this] { look_up_to_date(); },
          [this](auto query, const SocketAddress& client, auto reply) {
              return answer_with(Transport::Tcp, counters_.tcp_answers, query, client, reply);
          },
          counters_.tcp) {
    for (io::Descriptor& listener : tcp_listeners) tcp_.listen(std::move(listener));
    for (io::UdpSocket& socket : udp) {
        udp_.push_back(std::make_unique<io::UdpResponder>(
            loop_, std::move(socket), io::UdpResponder::Options{}, [this] { look_up_to_date(); },
            [this](auto query, const SocketAddress& client, auto reply) {
                return answer_with(Transport::Udp, counters_.udp_answers, query, client, reply);
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
    DNSD_ASSERT(posted);  // the only letter there ever is
    thread_.join();
}

void Worker::look_up_to_date() {
    zones_ = &view_.latest();
    now_ = clock_.wall();
}

std::size_t Worker::answer_with(Transport transport, AnswerCounters& counters,
                                std::span<const std::uint8_t> query, const SocketAddress& client,
                                std::span<std::uint8_t> reply) {
    const std::size_t octets =
        answer(query, {*zones_, options_, transport, now_, random_, counters}, reply);
    if (query_log_sample_ != 0 && ++since_logged_ >= query_log_sample_) {
        since_logged_ = 0;
        log_query(transport, query, client, reply.first(octets));
    }
    return octets;
}

}  // namespace dnsd::nameserver
