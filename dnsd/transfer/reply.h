// Replies to NOTIFY and UPDATE: a header, what was asked, and why it was refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dnsd/transfer/message.h"
#include "zone/wire/message.h"
#include "zone/wire/types.h"

namespace dnsd::transfer {

struct ShortReply {
    wire::Rcode rcode = wire::Rcode::NoError;
    bool is_authoritative = false;
    wire::ExtendedError code = wire::ExtendedError::Other;
    std::string text{};  // told to clients with EDNS (RFC 8914); empty: nothing is
};

// The one and only message of the reply to `message`, with its id, opcode and first question, as
// far as that can be read, signed where it was. REQUIRES: a header of 12 octets.
void answer(Message& message, const ShortReply& reply, WallTime now);

}  // namespace dnsd::transfer
