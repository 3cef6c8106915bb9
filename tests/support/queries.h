// Queries as octets, put together by hand: independent of our own writer.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace dnsd::test {

struct QueryShape {
    std::uint16_t type = 1;
    std::uint16_t rr_class = 1;
    std::uint16_t flags = 0x0100;  // RD
    int udp_payload = -1;          // an OPT RR with this size, if not negative
    std::uint8_t edns_version = 0;
    bool nsid = false;
    int opt_records = 1;
};

inline std::vector<std::uint8_t> query(std::string_view name, QueryShape shape = {}) {
    std::vector<std::uint8_t> octets;
    const auto u16 = [&](unsigned value) {
        octets.push_back(static_cast<std::uint8_t>(value >> 8));
        octets.push_back(static_cast<std::uint8_t>(value));
    };
    u16(0x1234);
    u16(shape.flags);
    u16(1);
    u16(0);
    u16(0);
    u16(shape.udp_payload < 0 ? 0U : static_cast<unsigned>(shape.opt_records));
    for (const std::string_view label : split(name, '.')) {
        octets.push_back(static_cast<std::uint8_t>(label.size()));
        octets.insert(octets.end(), label.begin(), label.end());
    }
    octets.push_back(0);
    u16(shape.type);
    u16(shape.rr_class);
    for (int i = 0; shape.udp_payload >= 0 && i < shape.opt_records; ++i) {
        octets.push_back(0);
        u16(41);
        u16(static_cast<unsigned>(shape.udp_payload));
        u16(shape.edns_version);
        u16(0);
        u16(shape.nsid ? 4 : 0);
        if (shape.nsid) {
            u16(3);
            u16(0);
        }
    }
    return octets;
}

}  // namespace dnsd::test
