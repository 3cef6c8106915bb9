// Octets of a store -> records -> the same octets.
#include <algorithm>
#include <cstdlib>

#include "zone/tree/difference.h"

using namespace dnsd::tree;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span octets(data, size);
    const auto records = decode_records(octets);
    if (records && !std::ranges::equal(encode_records(*records), octets)) std::abort();
    return 0;
}
