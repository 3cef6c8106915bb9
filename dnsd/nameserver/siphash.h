// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that nobody can foresee without its key. What
// DNS cookies are made with (RFC 9018 §4.4).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace dnsd::nameserver {

using SipHashKey = std::array<std::uint8_t, 16>;

namespace siphash_details {

constexpr std::uint64_t little_endian(std::span<const std::uint8_t> octets) noexcept {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < octets.size(); ++i) word |= std::uint64_t{octets[i]} << 8 * i;
    return word;
}

struct State {
    std::uint64_t v0, v1, v2, v3;

    constexpr void round() noexcept {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    constexpr void take(std::uint64_t word) noexcept {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

}  // namespace siphash_details

constexpr std::uint64_t siphash24(const SipHashKey& key,
                                  std::span<const std::uint8_t> octets) noexcept {
    using siphash_details::little_endian;
    const std::uint64_t k0 = little_endian(std::span(key).first(8));
    const std::uint64_t k1 = little_endian(std::span(key).last(8));
    siphash_details::State state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                                 k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    const std::uint64_t size = octets.size();
    for (; octets.size() >= 8; octets = octets.subspan(8))
        state.take(little_endian(octets.first(8)));
    state.take(little_endian(octets) | size << 56);
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

SipHashKey drawn_key();  // by the kernel; nobody else knows it

}  // namespace dnsd::nameserver
