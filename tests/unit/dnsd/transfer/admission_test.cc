#include "dnsd/transfer/admission.h"

#include <doctest/doctest.h>

#include "tests/support/names.h"

using namespace dnsd;
using namespace dnsd::transfer;

TEST_CASE("who may transfer: a network, a key, or a key from a network") {
    const auto inside = *parse_ip("192.0.2.7"), outside = *parse_ip("198.51.100.7");
    const auto loopback = *parse_ip("127.0.0.1");
    const wire::Name key = test::name("XFR.example.org"), other = test::name("other.example.org");
    const auto network = Network::parse("192.0.2.0/24");
    struct Row {
        std::vector<model::Admission> list;
        IpAddress client;
        const wire::Name* key;
        bool is_admitted;
    };
    const std::vector<Row> rows = {
        {{}, loopback, nullptr, false},
        {{}, inside, &key, false},
        {{model::Admission{}}, inside, &key, false},  // says nothing, lets nobody in
        {{{network, ""}}, inside, nullptr, true},
        {{{network, ""}}, inside, &other, true},
        {{{network, ""}}, outside, &key, false},
        {{{std::nullopt, "xfr.example.org"}}, outside, &key, true},
        {{{std::nullopt, "xfr.example.org"}}, outside, &other, false},
        {{{std::nullopt, "xfr.example.org"}}, outside, nullptr, false},
        {{{network, "xfr.example.org"}}, inside, &key, true},
        {{{network, "xfr.example.org"}}, inside, nullptr, false},
        {{{network, "xfr.example.org"}}, outside, &key, false},
        {{{network, "xfr.example.org"}, {std::nullopt, "other.example.org"}},
         outside,
         &other,
         true},
    };
    for (std::size_t row = 0; row < rows.size(); ++row) {
        CAPTURE(row);
        CHECK(is_admitted(rows[row].list, rows[row].client, rows[row].key) ==
              rows[row].is_admitted);
    }
}
