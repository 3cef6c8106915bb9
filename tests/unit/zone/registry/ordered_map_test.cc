#include "zone/registry/ordered_map.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"

using dnsd::registry::OrderedMap;

namespace {

std::vector<std::pair<std::string, int>> listed(const OrderedMap<int>& map) {
    std::vector<std::pair<std::string, int>> out;
    map.for_each([&](const std::string& key, int value) { out.emplace_back(key, value); });
    return out;
}

}  // namespace

TEST_CASE("an ordered map holds what std::map holds, after any changes") {
    dnsd::Random random(1);
    OrderedMap<int> map;
    std::map<std::string, int> naive;
    for (int i = 0; i < 20'000; ++i) {
        const std::string key = std::to_string(dnsd::draw_below(random, 500));
        if (dnsd::draw_below(random, 3) == 0) {
            map.erase(key);
            naive.erase(key);
        } else {
            map.set(key, i);
            naive[key] = i;
        }
        REQUIRE(map.size() == naive.size());
        if (i % 500 == 0) {
            REQUIRE(listed(map) ==
                    std::vector<std::pair<std::string, int>>(naive.begin(), naive.end()));
        }
    }
    for (int i = 0; i < 500; ++i) {
        const auto found = naive.find(std::to_string(i));
        const int* value = map.find(std::to_string(i));
        REQUIRE((value != nullptr) == (found != naive.end()));
        if (value) CHECK(*value == found->second);
    }
}

TEST_CASE("a copy of an ordered map does not see what is done to the other") {
    OrderedMap<int> map;
    map.set("a", 1);
    const OrderedMap<int> copy = map;
    map.set("a", 2);
    map.set("b", 3);
    CHECK(*copy.find("a") == 1);
    CHECK(copy.find("b") == nullptr);
    CHECK(copy.size() == 1);
}

TEST_CASE("keys in ascending order do not make an ordered map deep") {
    // A tree of a million nodes that had become a list would overflow the stack here.
    OrderedMap<int> map;
    for (int i = 0; i < 200'000; ++i) map.set(std::to_string(1'000'000 + i), i);
    CHECK(map.size() == 200'000);
    int seen = 0;
    map.for_each([&](const std::string&, int value) { CHECK(value == seen++); });
}

TEST_CASE("a walk begins above any key and ends when it is told to") {
    OrderedMap<int> map;
    for (const char* key : {"a", "c", "e", "g"}) map.set(key, 0);
    const auto after = [&](std::string_view key, std::size_t most) {
        std::string seen;
        map.for_each_after(key, [&](const std::string& at, int) {
            seen += at;
            return seen.size() < most;
        });
        return seen;
    };
    CHECK(after("", 9) == "aceg");
    CHECK(after("a", 9) == "ceg");
    CHECK(after("b", 2) == "ce");
    CHECK(after("g", 9) == "");
}
