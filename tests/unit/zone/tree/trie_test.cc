#include "zone/tree/trie.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/random.h"

using namespace dnsd;
using namespace dnsd::tree;

namespace {

// A value whose hash is the test's to choose: names share all of it, or its lowest bits.
struct Value {
    std::string name;
    std::uint64_t value_hash;
    std::span<const std::uint8_t> name_octets() const noexcept {
        return {reinterpret_cast<const std::uint8_t*>(name.data()), name.size()};
    }
    std::uint64_t hash() const noexcept { return value_hash; }
};

using Model = std::map<std::string, const Value*>;

std::shared_ptr<const Value> value_of(std::uint32_t number) {
    const std::uint64_t hashes[] = {0, 1, 1 << 6, std::uint64_t{1} << 59, std::uint64_t{1} << 60};
    return std::make_shared<const Value>(
        Value{std::to_string(number), hashes[number % std::size(hashes)]});
}

Model model_of(const Trie<Value>& trie) {
    Model model;
    trie.for_each([&](const auto& value) { model[value->name] = value.get(); });
    return model;
}

}  // namespace

TEST_CASE("edits in place change no version that others hold, however much of a hash names share") {
    Random random(3);
    Trie<Value> trie;
    Model model;
    Trie<Value>::Edit edit = 1;
    Trie<Value> published;
    Model published_model;
    for (int i = 0; i < 30'000; ++i) {
        const auto value = value_of(draw_below(random, 60));
        if (draw_below(random, 2) == 0) {
            trie.set(value, edit);
            model[value->name] = value.get();
        } else {
            trie.erase(value->name_octets(), value->hash(), edit);
            model.erase(value->name);
        }
        if (draw_below(random, 10) != 0) continue;
        REQUIRE(model_of(trie) == model);
        REQUIRE(trie.size() == model.size());
        REQUIRE(model_of(published) == published_model);
        for (const auto& [name, held] : model)
            REQUIRE(trie.find(held->name_octets(), held->hash())->get() == held);

        Model changed = published_model;  // becomes `model` by what is visited
        Trie<Value>::for_each_change(published, trie, [&](const Value* before, const Value* after) {
            REQUIRE(before != after);
            if (before != nullptr) REQUIRE(changed.at(before->name) == before);
            if (before != nullptr && after != nullptr) REQUIRE(before->name == after->name);
            if (after == nullptr) {
                changed.erase(before->name);
            } else {
                changed[after->name] = after;
            }
        });
        REQUIRE(changed == model);

        published = trie;
        published_model = model;
        ++edit;
    }
}

TEST_CASE("a way down taken in steps ends at the value, unless others share all of its hash") {
    Trie<Value> trie;
    for (std::uint32_t i = 0; i < 1'000; ++i) {
        const std::uint64_t hash = i * 0x9E37'79B9'7F4A'7C15;
        trie.set(std::make_shared<const Value>(Value{std::to_string(i), hash}));
    }
    for (std::uint32_t i = 0; i < 1'000; ++i) {
        const std::uint64_t hash = i * 0x9E37'79B9'7F4A'7C15;
        auto way = trie.descent(hash);
        while (way.step()) {
        }
        REQUIRE(way.value() != nullptr);
        CHECK(way.value()->name == std::to_string(i));
        CHECK_FALSE(way.step());
    }
    CHECK_FALSE(Trie<Value>().descent(7).step());
    Trie<Value> row;
    for (const char* name : {"a", "b"}) row.set(std::make_shared<const Value>(Value{name, 7}));
    auto way = row.descent(7);
    while (way.step()) {
    }
    CHECK(way.value() == nullptr);
}
