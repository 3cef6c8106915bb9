#include "dnsd/forward/upstream.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace dnsd::forward {

namespace {

constexpr std::uint16_t udp_payload_octets = 1232;
// A channel of c-ares takes about 100 KB. Up to this many queries in flight, each has a port of its
// own; beyond, they share these.
constexpr std::size_t channels_max = 32;
// A port that is never idle is left after so many queries.
constexpr std::size_t queries_per_port_max = 128;
constexpr double smoothing = 0.125;      // as TCP smooths round trips (RFC 6298 §2.3)
constexpr double passed_over = 0.98;     // as BIND ages those that it does not ask
constexpr double cost_of_failure = 200;  // milliseconds added
constexpr double cost_max = 10'000;
constexpr Milliseconds patience_min{200};  // an upstream may have to ask around the world itself

bool is_letter(std::uint8_t octet) {
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
}

}  // namespace

struct Upstream::Attempt {
    wire::RecursiveQuestion question;
    std::vector<std::uint8_t> query;
    std::uint16_t id = 0;
    bool is_spelled = false;  // the name's case is ours, and must come back
    SteadyTime sent;
    Done done;
};

Upstream::Upstream(io::Loop& loop, const SocketAddress& address, UpstreamOptions options,
                   Secrets& secrets, const Clock& clock)
    : loop_(loop), options_(options), secrets_(secrets), clock_(clock), recheck_(loop, [this] {
          look_again();
      }) {
    state_.address = address;
}

// Destroying the channels calls everyone who waits.
Upstream::~Upstream() {
    is_ending_ = true;
    retiring_.clear();
    udp_.clear();
    tcp_.clear();
}

Milliseconds Upstream::patience() const noexcept {
    if (smoothed_ == 0) return options_.timeout;
    return std::clamp(Milliseconds(static_cast<long long>(4 * smoothed_)), patience_min,
                      options_.timeout);
}

void Upstream::was_passed_over() noexcept { smoothed_ *= passed_over; }

// An idle channel if there is one, else a new one, else the least busy.
Channel& Upstream::pick(bool tcp) {
    auto& channels = tcp ? tcp_ : udp_;
    std::erase_if(retiring_, [](const auto& channel) { return channel->in_flight() == 0; });
    Channel* best = nullptr;
    for (auto& channel : channels) {
        if (channel->sent_from_this_port() >= queries_per_port_max && channel->in_flight() > 0) {
            retiring_.push_back(std::exchange(
                channel, std::make_unique<Channel>(loop_, state_.address, options_.timeout, tcp)));
        }
        if (best == nullptr || channel->in_flight() < best->in_flight()) best = channel.get();
        if (best->in_flight() == 0) return *best;
    }
    if (channels.size() < channels_max) {
        channels.push_back(std::make_unique<Channel>(loop_, state_.address, options_.timeout, tcp));
        best = channels.back().get();
    }
    return *best;
}

void Upstream::ask(const wire::RecursiveQuestion& question, Done done) {
    ++state_.queries;
    auto attempt = std::make_shared<Attempt>();
    attempt->question = question;
    attempt->id = secrets_.take_id();
    attempt->done = std::move(done);
    attempt->query = wire::encode_query(attempt->id, question.question, udp_payload_octets,
                                        {.recursion_desired = true,
                                         .authentic_data = true,
                                         .checking_disabled = question.checking_disabled,
                                         .dnssec_ok = question.dnssec_ok});
    attempt->is_spelled = options_.randomise_case && state_.keeps_case;
    if (attempt->is_spelled) {
        unsigned left = 0;
        std::uint16_t bits = 0;
        // Length octets are below the letters.
        for (std::size_t i = 0; i < question.question.name.size(); ++i) {
            std::uint8_t& octet = attempt->query[wire::header_octets + i];
            if (!is_letter(octet)) continue;
            if (left == 0) bits = secrets_.number(), left = 16;
            octet = static_cast<std::uint8_t>((octet & ~0x20U) | ((bits & 1U) << 5));
            bits >>= 1;
            --left;
        }
    }
    send(std::move(attempt), false);
}

void Upstream::send(std::shared_ptr<Attempt> attempt, bool tcp) {
    attempt->sent = clock_.steady();
    Channel& channel = pick(tcp);
    channel.send(attempt->query, [this, attempt, tcp](const char* failure, auto answer) {
        judge(attempt, tcp, failure, answer);
    });
}

void Upstream::judge(const std::shared_ptr<Attempt>& attempt, bool tcp, const char* failure,
                     std::span<const std::uint8_t> answer) {
    const auto finish = [&](std::optional<wire::Response> response, const std::string& why) {
        secrets_.release_id(attempt->id);
        attempt->done(std::move(response), why);
    };
    if (failure != nullptr) {
        if (!is_ending_) count_failure();
        return finish(std::nullopt, failure);
    }
    const std::size_t name_octets = attempt->question.question.name.size();
    const bool came_as_spelled =
        answer.size() >= wire::header_octets + name_octets &&
        std::ranges::equal(answer.subspan(wire::header_octets, name_octets),
                           std::span(attempt->query).subspan(wire::header_octets, name_octets));
    if (attempt->is_spelled && !came_as_spelled) {
        if (!tcp && !is_ending_) {  // a forgery, or a server that loses the spelling: TCP tells
            ++state_.tcp_retries;
            return send(attempt, true);
        }
        if (state_.keeps_case) {
            state_.keeps_case = false;
            log::info("upstream loses the spelling of names address={} effect={}",
                      state_.address.print(), log::quoted("its answers are checked without it"));
        }
    }
    count_answer(attempt->sent);
    auto response = wire::Response::decode(answer, attempt->question);
    if (!response) return finish(std::nullopt, "an answer that cannot be used");
    const wire::Rcode rcode = response->rcode();
    if (rcode != wire::Rcode::NoError && rcode != wire::Rcode::NxDomain &&
        rcode != wire::Rcode::YxDomain) {
        return finish(std::nullopt, wire::print(rcode));
    }
    finish(std::move(response), {});
}

void Upstream::count_failure() {
    ++state_.failures;
    smoothed_ = std::min(smoothed_ + cost_of_failure, cost_max);
    state_.latency = Milliseconds(static_cast<long long>(smoothed_));
    if (++failures_in_row_ != options_.failures_to_down) return;
    state_.is_well = false;
    log::warn("upstream down address={}", state_.address.print());
    recheck_.start(options_.recheck);
}

void Upstream::count_answer(SteadyTime sent) {
    const double took =
        std::chrono::duration<double, std::milli>(clock_.steady() - sent).count() + 0.001;
    smoothed_ = smoothed_ == 0 ? took : smoothed_ + smoothing * (took - smoothed_);
    state_.latency = Milliseconds(static_cast<long long>(smoothed_ + 0.5));
    failures_in_row_ = 0;
    if (state_.is_well) return;
    state_.is_well = true;
    smoothed_ = took;
    log::info("upstream well address={}", state_.address.print());
}

// Any answer shows that it is back; this question has one everywhere.
void Upstream::look_again() {
    if (state_.is_well) return;
    ask({{wire::Name(), wire::RrType::NS, wire::RrClass::IN}}, [this](const auto&, const auto&) {
        if (!is_ending_ && !state_.is_well) recheck_.start(options_.recheck);
    });
}

}  // namespace dnsd::forward
