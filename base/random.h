// Randomness is an argument too: a generator is seeded by its owner, so that a test can repeat a
// draw. Not for secrets; draws of answers and phases of probes only.
#pragma once

#include <cstdint>
#include <random>

namespace dnsd {

// A generator belongs to one thread.
using Random = std::mt19937_64;

inline Random seeded_by_machine() { return Random(std::random_device()()); }

// A number in [0, bound). REQUIRES: bound > 0. The bias of the multiplication is below 2^-32.
inline std::uint32_t draw_below(Random& random, std::uint32_t bound) {
    return static_cast<std::uint32_t>(
        (std::uint64_t{static_cast<std::uint32_t>(random())} * bound) >> 32);
}

}  // namespace dnsd
