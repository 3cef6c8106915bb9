// Introduces the name server's workers and the API to what talks with other name servers.
#pragma once

#include <memory>

#include "base/options.h"
#include "base/result.h"
#include "dnsd/nameserver/handover.h"
#include "dnsd/transfer/transfers.h"

namespace dnsd {

// Reads the file of keys, if one is named: without it nothing of theirs can be believed.
Result<transfer::Transfers::Options> transfer_options(const Options& options);

// To whom the workers hand over. `transfers` must outlive it.
std::unique_ptr<nameserver::Handover> make_handover(transfer::Transfers& transfers);

}  // namespace dnsd
