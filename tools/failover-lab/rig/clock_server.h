// An authority for lab.internal whose answers carry its clock, so that whoever gets one knows how
// old it is: for measuring how long caches keep what they are given.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/address.h"
#include "base/io/loop.h"
#include "base/io/mailbox.h"
#include "base/io/udp.h"
#include "base/result.h"

namespace dnsd::lab {

// Answers over UDP on at::dnsd, on a thread of its own from start() until it is destroyed. A name
// `t<TTL>-...` below the zone has an A RRset with that TTL; any other name one with a TTL of 0.
// Other types are NODATA, for 2 s; the apex has SOA and NS. Answers are small: there is no TCP.
class ClockServer {
  public:
    static Result<std::unique_ptr<ClockServer>> start();
    ~ClockServer();
    ClockServer(const ClockServer&) = delete;
    ClockServer& operator=(const ClockServer&) = delete;

  private:
    explicit ClockServer(io::UdpSocket socket);

    io::Loop loop_;
    io::UdpCounters counters_;
    io::UdpResponder responder_;
    io::Mailbox mailbox_;
    std::thread thread_;
};

// The address 127.x.y.z is the wall clock's milliseconds modulo 2^24, 4.6 hours.
Ipv4 address_of_time(std::int64_t wall_ms) noexcept;
// The last time, at most `now_ms` and a bit of the clocks' disagreement, that has this address;
// nothing if no time has.
std::optional<std::int64_t> time_of_address(const Ipv4& address, std::int64_t now_ms) noexcept;

}  // namespace dnsd::lab
