// One server that answers for names that are not ours: how to ask it, how fast and how well it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/io/loop.h"
#include "dnsd/forward/channel.h"
#include "dnsd/forward/secrets.h"
#include "zone/wire/response.h"

namespace dnsd::forward {

struct UpstreamOptions {
    Milliseconds timeout{2'000};    // of one try
    Milliseconds recheck{1'000};    // between two looks at one that is down
    unsigned failures_to_down = 3;  // in a row: silence or a refused connection
    bool randomise_case = true;     // 0x20 (draft-vixie-dnsext-dns0x20)
};

struct UpstreamState {
    SocketAddress address;
    bool is_well = true;
    bool keeps_case = true;
    Milliseconds latency{0};  // smoothed; 0: not known yet
    std::uint64_t queries = 0, failures = 0, tcp_retries = 0;
};

// Belongs to its loop's thread.
class Upstream {
  public:
    // What came of it: a response that answers the question, or why there is none.
    using Done = std::function<void(std::optional<wire::Response>, const std::string& failure)>;

    Upstream(io::Loop& loop, const SocketAddress& address, UpstreamOptions options,
             Secrets& secrets, const Clock& clock);
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    // `done` is called once, maybe before this returns.
    void ask(const wire::RecursiveQuestion& question, Done done);

    const UpstreamState& state() const noexcept { return state_; }
    // After so long without an answer it is time to ask another one as well.
    Milliseconds patience() const noexcept;
    // Another one was chosen: in time this one is tried again, though it was slow once.
    void was_passed_over() noexcept;
    double cost() const noexcept { return smoothed_; }  // in milliseconds; the least is chosen

  private:
    struct Attempt;

    void send(std::shared_ptr<Attempt> attempt, bool tcp);
    void judge(const std::shared_ptr<Attempt>& attempt, bool tcp, const char* failure,
               std::span<const std::uint8_t> answer);
    void count_failure();
    void count_answer(SteadyTime sent);
    void look_again();
    Channel& pick(bool tcp);

    io::Loop& loop_;
    const UpstreamOptions options_;
    Secrets& secrets_;
    const Clock& clock_;
    UpstreamState state_;
    double smoothed_ = 0;
    unsigned failures_in_row_ = 0;
    // Channels in use, and those whose port has served long enough: they end what they began.
    std::vector<std::unique_ptr<Channel>> udp_, tcp_, retiring_;
    io::Timer recheck_;
    bool is_ending_ = false;
};

}  // namespace dnsd::forward
