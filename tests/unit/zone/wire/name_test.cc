#include "zone/wire/name.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using dnsd::wire::Name;
using Octets = std::vector<std::uint8_t>;

namespace {

Name name(std::string_view text) {
    const auto parsed = Name::parse(text);
    REQUIRE_MESSAGE(parsed, text);
    return *parsed;
}

Octets octets(const Name& of) { return {of.octets().begin(), of.octets().end()}; }

// Four labels; with 63, 63, 63 and `last` octets: 194 + last + 1 in all.
std::string long_text(std::size_t last) {
    const std::string label(63, 'a');
    return label + "." + label + "." + label + "." + std::string(last, 'b');
}

}  // namespace

TEST_CASE("RFC 1035 §3.1: labels with their lengths, and the root's empty label") {
    CHECK(octets(name("F.ISI.ARPA")) == Octets{1, 'F', 3, 'I', 'S', 'I', 4, 'A', 'R', 'P', 'A', 0});
    CHECK(octets(name(".")) == Octets{0});
    CHECK(octets(Name()) == Octets{0});
    CHECK(octets(name("a.")) == octets(name("a")));
}

TEST_CASE("RFC 1035 §5.1: \\X is that character and \\DDD that octet") {
    CHECK(octets(name("a\\.b.c")) == Octets{3, 'a', '.', 'b', 1, 'c', 0});
    CHECK(octets(name("\\000\\255\\\\")) == Octets{3, 0, 255, '\\', 0});
    CHECK(octets(name("a\\.")) == Octets{2, 'a', '.', 0});
    CHECK(name("a\\.b").print() == "a\\.b");
    CHECK(name("\\000\\032\\127\\200\"").print() == "\\000\\032\\127\\200\\\"");
    CHECK(name("_x._tcp.*.example-1").print() == "_x._tcp.*.example-1");
    CHECK(name(".").print() == ".");
}

TEST_CASE("RFC 1035 §2.3.4: what is no name is refused") {
    CHECK(Name::parse(std::string(63, 'a')));
    CHECK(name(long_text(61)).size() == 255);
    const std::vector<std::string> refused = {"",
                                              "..",
                                              ".a",
                                              "a..b",
                                              "a..",
                                              "\\",
                                              "a\\",
                                              "\\25",
                                              "\\25x",
                                              "\\256",
                                              "\\999",
                                              std::string(64, 'a'),
                                              "x." + std::string(64, 'a'),
                                              long_text(62)};
    for (const std::string& text : refused) {
        CAPTURE(text);
        const auto parsed = Name::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK_FALSE(parsed.error().message.empty());
    }
    std::string most_labels;
    for (std::size_t i = 0; i < Name::labels_max; ++i) most_labels += "a.";
    CHECK(name(most_labels).label_count() == Name::labels_max);
    CHECK_FALSE(Name::parse(most_labels + "a"));
}

TEST_CASE("RFC 1035 §5.1: a name without a final dot goes on with the origin") {
    const Name origin = name("example.org");
    CHECK(Name::parse("www", origin)->print() == "www.example.org");
    CHECK(Name::parse("www.", origin)->print() == "www");
    CHECK(Name::parse("www\\.", origin)->print() == "www\\..example.org");
    CHECK(Name::parse("@", origin)->print() == "example.org");
    CHECK(Name::parse(".", origin)->is_root());
    CHECK(Name::parse(long_text(61) + ".", origin));
    CHECK_FALSE(Name::parse(long_text(60), origin));
}

TEST_CASE("only the octets of one whole uncompressed name are a name") {
    CHECK(Name::from_octets(Octets{0})->is_root());
    CHECK(Name::from_octets(Octets{1, 'a', 0})->print() == "a");
    for (const Octets& none : std::vector<Octets>{{},
                                                  {1},
                                                  {1, 'a'},
                                                  {0, 0},
                                                  {1, 'a', 0, 0},
                                                  {2, 'a', 0},
                                                  {0xc0, 0},
                                                  {64, 'a', 0},
                                                  Octets(256, 0)}) {
        CAPTURE(none.size());
        CHECK_FALSE(Name::from_octets(none));
    }
}

TEST_CASE("RFC 4343: case does not count, and is kept") {
    CHECK(name("Example.ORG") == name("eXAMPLE.org"));
    CHECK(name("Example.ORG").hash() == name("eXAMPLE.org").hash());
    CHECK(name("Example.ORG").print() == "Example.ORG");
    CHECK(name("Example.ORG").lower_cased().print() == "example.org");
    CHECK(name("a[.b") != name("a{.b"));  // 0x5b and 0x7b differ in the bit of case alone
    CHECK(name("a@.b") != name("a`.b"));
    CHECK(name("\\193") != name("\\225"));
    CHECK(name("a.bc") != name("ab.c"));
    CHECK(name("a\\.b") != name("a.b"));
}

TEST_CASE("RFC 4343: each letter of a name of any length counts, and its case does not") {
    for (std::size_t size = 3; size <= Name::octets_max; ++size) {
        Octets small(size, 'q');
        std::size_t start = 0;
        while (size - 1 - start > 1) {  // labels of at most 60 octets, none of them empty
            const std::size_t rest = size - 1 - start - 1;
            const std::size_t label = rest <= 60 ? rest : std::min<std::size_t>(rest - 2, 60);
            small[start] = static_cast<std::uint8_t>(label);
            start += label + 1;
        }
        small[size - 1] = 0;
        const auto plain = Name::from_octets(small);
        REQUIRE(plain);
        for (std::size_t at = 0; at < size; ++at) {
            if (small[at] != 'q') continue;
            Octets other = small;
            other[at] = 'Q';
            const Name shouted = *Name::from_octets(other);
            CHECK(shouted == *plain);
            CHECK(shouted.hash() == plain->hash());
            CHECK(octets(shouted.lower_cased()) == small);
            other[at] = 'r';
            CHECK(*Name::from_octets(other) != *plain);
        }
    }
}

TEST_CASE("RFC 4034 §6.1: the canonical order of names") {
    const std::vector<Name> sorted = {
        name("example"),         name("a.example"),      name("yljkjljk.a.example"),
        name("Z.a.example"),     name("zABC.a.EXAMPLE"), name("z.example"),
        name("\\001.z.example"), name("*.z.example"),    name("\\200.z.example")};
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        for (std::size_t k = 0; k < sorted.size(); ++k) {
            CHECK((sorted[i] <=> sorted[k]) == (i <=> k));
        }
    }
    CHECK((name("A.b") <=> name("a.B")) == 0);
    CHECK(Name() < name("a"));
}

TEST_CASE("a name is at or below its ancestors, label by label") {
    const Name web = name("web.Corp.internal");
    CHECK(web.is_at_or_below(web));
    CHECK_FALSE(web.is_below(web));
    CHECK(web.is_below(name("corp.INTERNAL")));
    CHECK(web.is_below(Name()));
    CHECK_FALSE(web.is_at_or_below(name("orp.internal")));
    CHECK_FALSE(name("corp.internal").is_at_or_below(web));
    // The last octets of this label read as the whole of that name.
    CHECK_FALSE(name("x\\001a").is_at_or_below(name("a")));
    CHECK(web.parent() == name("corp.internal"));
    CHECK(web.first_label() == "web");
    CHECK(web.label_count() == 3);
    CHECK(Name().label_count() == 0);
}

TEST_CASE("a label goes in front of a name if the limits allow it") {
    CHECK(name("b.c").below("a")->print() == "a.b.c");
    CHECK(name("b").below("x.y")->print() == "x\\.y.b");
    CHECK_FALSE(name("b").below(""));
    CHECK_FALSE(name("b").below(std::string(64, 'a')));
    CHECK(name(long_text(59)).below("a")->size() == 255);
    CHECK_FALSE(name(long_text(60)).below("a"));
}

TEST_CASE("RFC 6672 §2.2: substitution replaces the last labels") {
    const Name from = name("example.com");
    CHECK(name("A.b.Example.com").with_suffix(from, name("example.net"))->print() ==
          "A.b.example.net");
    CHECK(from.with_suffix(from, Name())->is_root());
    CHECK(name("a.b").with_suffix(Name(), name("c"))->print() == "a.b.c");
    CHECK_FALSE(name("abc.example.com").with_suffix(from, name(long_text(60))));
    CHECK(name("a.example.com").with_suffix(from, name(long_text(59)))->size() == 255);
}

TEST_CASE("RFC 4592 §2.1.1: a wildcard is the label *, not a label that begins so") {
    CHECK(name("*.example").is_wildcard());
    CHECK(name("\\042.example").is_wildcard());
    CHECK_FALSE(name("*a.example").is_wildcard());
    CHECK_FALSE(name("a.*.example").is_wildcard());
    CHECK_FALSE(Name().is_wildcard());
}
