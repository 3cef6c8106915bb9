#include "zone/tree/rrset.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace dnsd;
using namespace dnsd::tree;
using wire::RrType;

TEST_CASE("RFC 2181 §5: equal records are one, and their weights add up") {
    const RRset rrset(RrType::A, 5, {{{192, 0, 2, 2}, 3}, {{192, 0, 2, 1}, 1}, {{192, 0, 2, 2}, 4}},
                      Draw::Weighted);
    REQUIRE(rrset.size() == 2);
    CHECK(rrset.rdata(0)[3] == 1);
    CHECK(rrset.rdata(1)[3] == 2);
    CHECK(std::vector(rrset.weight_sums().begin(), rrset.weight_sums().end()) ==
          std::vector<std::uint64_t>{1, 8});
}

TEST_CASE("RFC 4034 §6.3: the order in which records were given does not matter") {
    const RRset one(RrType::A, 5, {{{192, 0, 2, 2}, 1}, {{192, 0, 2, 1}, 1}});
    const RRset other(RrType::A, 5, {{{192, 0, 2, 1}, 1}, {{192, 0, 2, 2}, 1}});
    CHECK(one == other);
    CHECK_FALSE(one == RRset(RrType::A, 6, {{{192, 0, 2, 1}, 1}, {{192, 0, 2, 2}, 1}}));
}

TEST_CASE("records are what they were, of one size or of several, or of none") {
    using Octets = std::vector<std::uint8_t>;
    const std::vector<std::vector<Octets>> of = {
        {{1, 2, 3, 4}}, {{1, 2}, {3, 4}, {5, 6}}, {{}, {1}, {2, 3, 4}}, {{1, 1}, {1, 1, 1}}, {{}}};
    for (const auto& records : of) {
        std::vector<Rdata> rdata;
        for (const Octets& octets : records) rdata.push_back({octets, 1});
        const RRset rrset(RrType::TXT, 5, rdata);
        REQUIRE(rrset.size() == records.size());
        for (std::size_t i = 0; i < records.size(); ++i)
            CHECK(std::ranges::equal(rrset.rdata(i), records[i]));
        CHECK(rrset == RRset(RrType::TXT, 5, rdata));
        rdata.back().octets.push_back(9);
        CHECK_FALSE(rrset == RRset(RrType::TXT, 5, rdata));
    }
}

TEST_CASE("a mark remembers the first answer and the last lapse") {
    Mark mark;
    const WallTime start{Milliseconds(1000)};
    mark.answered(start, 5);
    mark.answered(start + Milliseconds(500), 1);
    CHECK(mark.first_answered == 1000);
    CHECK(mark.lapses == 6000);
}
