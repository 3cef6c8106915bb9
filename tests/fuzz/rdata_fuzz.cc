// Octets of a type -> text -> the same octets. The first two octets are the type.
#include <cstdlib>

#include "zone/wire/rdata.h"

using namespace dnsd::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto type = static_cast<RrType>(data[0] << 8 | data[1]);
    const std::span<const std::uint8_t> rdata(data + 2, size - 2);
    if (rdata.size() > 65'535) return 0;
    (void)print_rdata(type, rdata);
    (void)parse_rdata(type, {reinterpret_cast<const char*>(rdata.data()), rdata.size()},
                      dnsd::wire::Name());
    const auto decoded = decode_rdata(type, rdata);
    if (!decoded) return 0;
    const auto parsed = parse_rdata(type, print_rdata(type, *decoded), dnsd::wire::Name());
    if (!parsed || *parsed != *decoded) std::abort();
    return 0;
}
