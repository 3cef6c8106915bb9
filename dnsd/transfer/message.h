// What the name server's workers hand over: messages that are no plain queries, with the way back.
// The same as dnsd/nameserver/handover.h has; the daemon turns the one into the other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "zone/wire/tsig.h"

namespace dnsd::transfer {

// The way back to whoever sent a message; any thread. What is sent to a client that has left goes
// nowhere.
class Answerer {
  public:
    virtual ~Answerer() = default;
    // One message of the reply, whole, at most 65,535 octets. After the last one nothing may be
    // sent; an empty last one: there is no (further) reply. `written` runs once, on any thread, as
    // soon as the client has taken so much that the next message may come, with false where it has
    // left; empty: nobody waits for it.
    virtual void send(std::vector<std::uint8_t> message, bool is_last,
                      std::function<void(bool is_there)> written) = 0;
};

// Well-formed as far as a header of 12 octets goes, and not itself a response.
struct Message {
    std::vector<std::uint8_t> octets;  // without its TSIG RR
    SocketAddress client;
    bool is_tcp = false;
    std::optional<wire::TsigSession> session;  // believed; nothing: the message is not signed
    std::shared_ptr<Answerer> answer;
};

}  // namespace dnsd::transfer
