// Time is an argument: whoever needs it is given a Clock, so that tests need not wait.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace dnsd {

using Milliseconds = std::chrono::milliseconds;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// Wall time has the resolution in which the API prints it and the store keeps it.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Milliseconds>;

// Any thread may ask.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual SteadyTime steady() const noexcept = 0;  // for intervals
    virtual WallTime wall() const noexcept = 0;  // for people, and for what outlives the process
};

// The machine's own clock. Lives as long as the process.
const Clock& machine_clock() noexcept;

// RFC 3339 in UTC with milliseconds: 2026-01-01T00:00:06.000Z.
std::string print_time(WallTime time);
std::optional<WallTime> parse_time(std::string_view text);

}  // namespace dnsd
