// The options of dnsd-agent: one row each in config.cc. Parsing, --print-config,
// conf/dnsd-agent.toml and the documentation come from that table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/result.h"
#include "tools/agent/cache.h"
#include "tools/agent/service.h"

namespace dnsd::agent {

std::span<const Option> option_table() noexcept;

// How dnsd-agent was called.
struct Invocation {
    std::string config_file;               // empty: the defaults
    std::vector<std::string> assignments;  // --set, after the file
};

// The options as called for, checked as a whole.
Result<Options> read_options(const Invocation& invocation);

// What single rows cannot check: caches that are known, services that are named.
Result<> check(const Options& options);

// "web=demo.internal/web": a backend of HAProxy and the service behind it.
struct Binding {
    std::string backend;
    ServiceKey service;
};

// "demo.internal/web nginx /etc/nginx/web.conf nginx -s reload"
struct OutputRule {
    ServiceKey service;
    std::string format;  // "json", "nginx", or the path of a template
    std::string file;
    std::vector<std::string> command;  // run after the file has changed; empty: none
};

// REQUIRES for all below: check(options) passed.
std::vector<Cache> caches_of(const Options& options);
std::vector<Binding> bindings_of(const Options& options);
std::vector<OutputRule> outputs_of(const Options& options);
Milliseconds milliseconds_of(const Options& options, std::string_view name);
log::Level log_level_of(const Options& options);

}  // namespace dnsd::agent
