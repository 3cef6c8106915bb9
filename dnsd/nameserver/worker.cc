#include "dnsd/nameserver/worker.h"

namespace dnsd::nameserver {

Worker::Worker(const AnswerOptions& options, TcpLimits tcp, const Snapshot<tree::ZoneSet>& zones,
               const Clock& clock, std::vector<io::UdpSocket> udp,
               std::vector<io::Descriptor> tcp_listeners)
    : options_(options),
      clock_(clock),
      view_(zones),
      mailbox_(loop_, 1),
      tcp_(
          loop_, tcp, [this] { look_up_to_date(); },
          [this](auto query, auto reply) {
              return answer_with(Transport::Tcp, counters_.tcp_answers, query, reply);
          },
          counters_.tcp) {
    for (io::Descriptor& listener : tcp_listeners) tcp_.listen(std::move(listener));
    for (io::UdpSocket& socket : udp) {
        udp_.push_back(std::make_unique<io::UdpResponder>(
            loop_, std::move(socket), io::UdpResponder::Options{}, [this] { look_up_to_date(); },
            [this](auto query, const SocketAddress&, auto reply) {
                return answer_with(Transport::Udp, counters_.udp_answers, query, reply);
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
                                std::span<const std::uint8_t> query,
                                std::span<std::uint8_t> reply) {
    return answer(query, {*zones_, options_, transport, now_, random_, counters}, reply);
}

}  // namespace dnsd::nameserver
