// Every request of a run, in a file of fixed records.
//
//   file    = "dnsdlab1" record*
//   record  = intended latency lag (uint32, microseconds) outcome instance tries client (uint8)
//
// Little endian. `intended` counts from the run's start, `latency` from `intended`; `lag` is how
// much later than intended the generator got to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dnsd::lab {

enum class Outcome : std::uint8_t {
    Ok,
    Refused,    // RST instead of a connection
    Reset,      // the connection ended before the answer
    Timeout,    // the try's or the request's own deadline
    HttpError,  // an answer that is not 200
    NoAddress,  // the name has no address
    NoAnswer,   // the name could not be resolved
};
std::string_view name_of(Outcome outcome) noexcept;

struct Request {
    std::uint32_t intended_us = 0, latency_us = 0, lag_us = 0;
    Outcome outcome = Outcome::Ok;
    std::uint8_t instance = none;  // who answered, or was tried last as far as the client can tell
    std::uint8_t tries = 0;        // of the client
    std::uint8_t client = 0;
    static constexpr std::uint8_t none = 255;

    bool failed() const noexcept { return outcome != Outcome::Ok; }
    // Failed, or slower than 250 ms from the intended time.
    bool bad() const noexcept { return failed() || latency_us > 250'000; }
    double intended() const noexcept { return intended_us / 1e6; }
};

std::string encode_log(const std::vector<Request>& requests);
// The error says what is wrong with it; a file cut short is an error.
Result<std::vector<Request>> decode_log(std::string_view octets);
std::string print_csv(const std::vector<Request>& requests);

}  // namespace dnsd::lab
