// The options of dnsd: one row each in config.cc. Parsing, --print-config, conf/dnsd.toml and the
// documentation come from that table.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/log.h"
#include "base/options.h"
#include "base/result.h"
#include "dnsd/forward/forwarder.h"
#include "dnsd/nameserver/cookies.h"
#include "dnsd/nameserver/rate_limit.h"
#include "dnsd/nameserver/recursion.h"
#include "zone/model/types.h"

namespace dnsd {

std::span<const Option> option_table() noexcept;

// What single rows cannot check: addresses that are addresses, a timeout within its interval,
// options that need each other.
Result<> check(const Options& options);

// REQUIRES for all below: check(options) passed.
std::vector<SocketAddress> addresses_of(const Options& options, std::string_view name);
std::vector<Network> recursion_allow_of(const Options& options);
nameserver::RateLimits rate_limits_of(const Options& options);
std::vector<nameserver::SearchList> search_lists_of(const Options& options);
// As the options name them, without what resolv.conf adds.
std::vector<forward::Forwarder::Route> routes_of(const Options& options);
model::Defaults defaults_of(const Options& options);
log::Level log_level_of(const Options& options);

std::vector<model::Admission> transfer_allow_of(const Options& options);
std::vector<model::Peer> notify_of(const Options& options);

}  // namespace dnsd
