// Seconds as settings have them, for the clocks of C++.
#pragma once

#include <chrono>
#include <cstdint>

namespace dnsd::lab {

constexpr std::chrono::nanoseconds nanoseconds_of(double seconds) noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace dnsd::lab
