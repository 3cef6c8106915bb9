// Messages that are no plain queries: zone transfers, NOTIFY, dynamic updates. The workers hand
// them over, with the way back; who takes them is introduced by the daemon.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "dnsd/nameserver/answer.h"
#include "zone/wire/tsig.h"

namespace dnsd::nameserver {

// The way back to whoever sent a message; any thread. Messages sent to a client that has left go
// nowhere.
class ReturnPath {
  public:
    virtual ~ReturnPath() = default;
    // One message of the reply, whole, at most 65,535 octets. After the last one nothing may be
    // sent; an empty last one: there is no (further) reply. `written` runs once, on the worker's
    // thread, as soon as the client has taken so much that the next message may come, with false
    // where it has left, and not at all once the server has stopped; empty: nobody waits for it. A
    // way back that is let go without a last message counts as one that had an empty one.
    virtual void send(std::vector<std::uint8_t> message, bool is_last,
                      std::function<void(bool is_there)> written) = 0;
};

struct HandedOver {
    std::vector<std::uint8_t> message;  // without its TSIG RR
    SocketAddress client;
    Transport transport = Transport::Udp;
    std::optional<wire::TsigSession> session;  // believed; nothing: the message is not signed
    std::shared_ptr<ReturnPath> way_back;
};

class Handover {
  public:
    virtual ~Handover() = default;
    // Any worker's thread; does not block. Whatever is handed over is well-formed as far as a
    // header of 12 octets goes, and not itself a response. Gets NOTIFY, UPDATE, and queries with
    // one question that can be read, for AXFR (over TCP alone) or IXFR.
    virtual void take(HandedOver message) = 0;
};

}  // namespace dnsd::nameserver
