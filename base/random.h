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

// Several such numbers from one that the generator makes: each takes off as much of its chance as
// it is worth, and the bias of all of them together stays below 2^-32.
class Draws {
  public:
    explicit Draws(Random& random) noexcept : random_(random) {}

    std::uint32_t below(std::uint32_t bound) {
        spent_ *= bound;
        if (spent_ > all) {
            chance_ = random_();
            spent_ = bound;
        }
        __extension__ using Wide = unsigned __int128;
        const Wide product = Wide{chance_} * bound;
        chance_ = static_cast<std::uint64_t>(product);
        return static_cast<std::uint32_t>(product >> 64);
    }

  private:
    static constexpr std::uint64_t all = std::uint64_t{1} << 32;

    Random& random_;
    std::uint64_t chance_ = 0;
    std::uint64_t spent_ = all;  // the product of the bounds
};

}  // namespace dnsd
