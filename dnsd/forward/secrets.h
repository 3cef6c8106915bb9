// Ids and spellings that nobody can guess (RFC 5452): from the kernel's generator, a block at a
// time.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

namespace dnsd::forward {

// Belongs to one thread.
class Secrets {
  public:
    std::uint16_t number() noexcept;
    // An id that is not in flight; it is until release(). REQUIRES: fewer than 65,536 are.
    std::uint16_t take_id() noexcept;
    void release_id(std::uint16_t id) noexcept { in_flight_.reset(id); }

  private:
    std::array<std::uint16_t, 512> block_{};
    std::size_t at_ = 512;
    std::bitset<65'536> in_flight_;
};

}  // namespace dnsd::forward
