#include "zone/tree/master_file.h"

#include <doctest/doctest.h>

#include <string>

#include "base/random.h"
#include "tests/support/names.h"
#include "zone/tree/difference.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;
using wire::RrType;
using namespace std::string_literals;

namespace {

const std::string head = "$TTL 300\n@ SOA ns.test. host 1 3600 600 86400 60\n@ NS ns.test.\n";

std::string printed(const Zone& zone) {
    std::string text;
    print_master_file(zone, [&](std::string_view piece) { text += piece; });
    return text;
}

std::string records_of(const MasterFile& file, const wire::Name& apex) {
    if (file.zone == nullptr) return file.errors.front().what;
    // Without $ORIGIN, SOA and NS, which all of them have.
    std::string text = printed(*file.zone);
    for (int i = 0; i < 3; ++i) text.erase(0, text.find('\n') + 1);
    CHECK(file.zone->apex() == apex);
    return text;
}

}  // namespace

TEST_CASE("RFC 1035 §5.1: what entries of a master file mean") {
    struct Row {
        const char* truth;
        std::string lines;
        const char* records;
    };
    const Row rows[] = {
        {"a relative name goes on with the origin", "a A 192.0.2.1\n",
         "a.example. 300 IN A 192.0.2.1\n"},
        {"an absolute one does not", "a.example. A 192.0.2.1", "a.example. 300 IN A 192.0.2.1\n"},
        {"@ is the origin", "a PTR @\n", "a.example. 300 IN PTR example.\n"},
        {"an escaped @ is a label", "\\@ A 192.0.2.1\n", "\\@.example. 300 IN A 192.0.2.1\n"},
        {"a blank owner is the one before", "a A 192.0.2.1\n\tTXT x\n",
         "a.example. 300 IN A 192.0.2.1\na.example. 300 IN TXT \"x\"\n"},
        {"whatever $ORIGIN came in between", "$ORIGIN b\na A 192.0.2.1\n$ORIGIN example.\n TXT @\n",
         "a.b.example. 300 IN A 192.0.2.1\na.b.example. 300 IN TXT \"@\"\n"},
        {"$ORIGIN concerns RDATA too", "$ORIGIN b\na PTR a\n",
         "a.b.example. 300 IN PTR a.b.example.\n"},
        {"TTL and class come in either order",
         "a 1 IN TXT x\nb IN 1 TXT x\nc IN TXT x\nd 1 TXT x\n",
         "a.example. 1 IN TXT \"x\"\nb.example. 1 IN TXT \"x\"\nc.example. 300 IN TXT \"x\"\n"
         "d.example. 1 IN TXT \"x\"\n"},
        {"BIND's units", "a 1w2d3h4m5s TXT x\n$TTL 1H30M\nb TXT x\n",
         "a.example. 788645 IN TXT \"x\"\nb.example. 5400 IN TXT \"x\"\n"},
        {"words that look like something else may be owners", "a A 192.0.2.1\nin IN A 192.0.2.1\n",
         "a.example. 300 IN A 192.0.2.1\nin.example. 300 IN A 192.0.2.1\n"},
        {"RFC 2181 §8: the largest TTL", "a 2147483647 TXT x\n",
         "a.example. 2147483647 IN TXT \"x\"\n"},
        {"parentheses join lines, comments end them",
         "a MX ( 10 ; preference\n\n b ; exchange\n ) ; end\nb ( A ) 192.0.2.1\n",
         "a.example. 300 IN MX 10 b.example.\nb.example. 300 IN A 192.0.2.1\n"},
        {"quotes keep what would end a word", "a TXT \"; ( ) \\\" x\" y\\;z \"\"\n",
         "a.example. 300 IN TXT \"; ( ) \\\" x\" \"y;z\" \"\"\n"},
        {"quotes within parentheses", "a TXT ( \"a b\"\n\"c\" )\n",
         "a.example. 300 IN TXT \"a b\" \"c\"\n"},
        {"escapes in names", "a\\.b\\000\\032c A 192.0.2.1\n",
         "a\\.b\\000\\032c.example. 300 IN A 192.0.2.1\n"},
        {"* is a label anywhere", "*.a A 192.0.2.1\nb.*.a A 192.0.2.1\n",
         "*.a.example. 300 IN A 192.0.2.1\nb.*.a.example. 300 IN A 192.0.2.1\n"},
        {"RFC 3597 §5: unknown types, and known ones as octets",
         "a CLASS1 TYPE65280 \\# 4 C000 ( 02\n01 )\nb A \\# 4 c0000201\nc TYPE1 192.0.2.1\n",
         "a.example. 300 IN TYPE65280 \\# 4 C0000201\nb.example. 300 IN A 192.0.2.1\n"
         "c.example. 300 IN A 192.0.2.1\n"},
        {"lines end in CR LF too", "a TXT x\r\n\r\nb TXT y ; z\r\n",
         "a.example. 300 IN TXT \"x\"\nb.example. 300 IN TXT \"y\"\n"},
        {"octets above 127 are text", "a TXT \"\xc3\xa9\"\n",
         "a.example. 300 IN TXT \"\\195\\169\"\n"},
        {"RFC 2181 §5: a record is there once", "a TXT x\na TXT x\n",
         "a.example. 300 IN TXT \"x\"\n"},
        {"RFC 2181 §5.2: an RRset has one TTL, the least", "a 100 TXT x\na 50 TXT y\na 70 TXT z\n",
         "a.example. 50 IN TXT \"x\"\na.example. 50 IN TXT \"y\"\na.example. 50 IN TXT \"z\"\n"},
        {"RFC 4343: owners in any case are one", "a TXT x\nA TXT y\n",
         "a.example. 300 IN TXT \"x\"\na.example. 300 IN TXT \"y\"\n"},
        {"the last line needs no end", "a TXT x", "a.example. 300 IN TXT \"x\"\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.truth);
        CHECK(records_of(parse_master_file(head + row.lines, name("example")), name("example")) ==
              row.records);
    }
}

TEST_CASE("RFC 2308 §4: where a TTL comes from that no record names") {
    struct Row {
        const char* truth;
        const char* text;
        std::uint32_t soa, ns;
    };
    const Row rows[] = {
        {"$TTL", "$TTL 7\n@ SOA a.test. b 1 1 1 1 60\n@ NS a.test.\n", 7, 7},
        {"$TTL before the last one", "$TTL 7\n@ 9 SOA a.test. b 1 1 1 1 60\n@ NS a.test.\n", 9, 7},
        {"the last one (RFC 1035 §5.1)", "@ 9 SOA a.test. b 1 1 1 1 60\n@ NS a.test.\n", 9, 9},
        {"the SOA's minimum", "@ SOA a.test. b 1 1 1 1 1m\n@ NS a.test.\n", 60, 60},
    };
    for (const Row& row : rows) {
        CAPTURE(row.truth);
        const MasterFile file = parse_master_file(row.text, name("example"));
        REQUIRE(file.zone);
        CHECK(file.zone->soa()->ttl() == row.soa);
        CHECK(file.zone->apex_node().find(RrType::NS)->ttl() == row.ns);
    }
}

TEST_CASE("what is refused, and where") {
    struct Row {
        std::string line;  // the fourth of the file
        unsigned column;
        const char* what;
    };
    const Row rows[] = {
        {"$INCLUDE other\n", 1, "$INCLUDE is refused"},
        {"$GENERATE 1-3 a$ A 192.0.2.$\n", 1, "$GENERATE is refused"},
        {"$FOO x\n", 1, "'$FOO' is no directive"},
        {"$ORIGIN\n", 1, "followed by one word"},
        {"$ORIGIN a..b\n", 9, "empty label"},
        {"$TTL x\n", 6, "'x' is no TTL"},
        {"$TTL 1h30\n", 6, "'1h30' is no TTL"},
        {"a CH TXT x\n", 3, "class CH is not served"},
        {"a 2147483648 TXT x\n", 3, "RFC 2181 §8"},
        {"a 9999999999999999999999w TXT x\n", 3, "RFC 2181 §8"},
        {"a 1x TXT x\n", 3, "'1x' is no TTL"},
        {"a FOO x\n", 3, "'FOO' is no RR type"},
        {"a 1 2 TXT x\n", 5, "'2' is no RR type"},
        {"a TYPE0 \\# 0\n", 3, "'TYPE0' is no RR type"},
        {"a ANY \\# 0\n", 3, "no zone holds RRs of type ANY"},
        {"a 300 IN\n", 7, "an RR type is missing"},
        {"a A\n", 3, "A"},
        {"a A 192.0.2.300\n", 5, "192.0.2.300"},
        {"a MX 10 a..b\n", 6, "empty label"},
        {"a A 192.0.2.1 x\n", 15, "'x'"},
        {"a MX ( 10\n", 6, "a parenthesis is not closed"},
        {"a A 192.0.2.1 )\n", 15, "a parenthesis is closed that was not opened"},
        {"a TXT \"x\n", 7, "a quote is not closed on its line"},
        {"a TXT x\\\n", 8, "a backslash"},
        {"a TXT x\\256\n", 7, "TXT"},
        {"a\0b TXT x\n"s, 2, "the octet 0 is no text"},
        {"\"a\" TXT x\n", 1, "does not stand in quotes"},
        {"a.test. TXT x\n", 1, "outside of the zone example"},
        {std::string(64, 'a') + " TXT x\n", 1, "longer than 63 octets"},
        {std::string(126, 'a').replace(63, 1, ".") + "." +
             std::string(126, 'a').replace(63, 1, ".") + " TXT x\n",
         1, "longer than 255 octets"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.line);
        const MasterFile file = parse_master_file(head + row.line, name("example"));
        CHECK(file.zone == nullptr);
        REQUIRE(file.errors.size() == 1);
        INFO(file.errors[0].what);
        CHECK(file.errors[0].at.line == 4);
        CHECK(file.errors[0].at.column == row.column);
        CHECK(file.errors[0].what.find(row.what) != std::string::npos);
    }
}

TEST_CASE("problems stand in the file's order, at their lines, the first hundred of them") {
    std::string text = head + "b 1 TXT x\nb 2 TXT y\na TXT x\na TXT x\nc CNAME a\nc TXT x\n";
    MasterFile file = parse_master_file(text, name("example"));
    REQUIRE(file.warnings.size() == 2);
    CHECK(file.warnings[0].at.line == 5);  // the TTL that differs
    CHECK(file.warnings[1].at.line == 7);  // the record that is there already
    REQUIRE(file.errors.size() == 1);
    CHECK(file.errors[0].at.line == 8);  // the CNAME
    CHECK_FALSE(file.is_cut);

    for (int i = 0; i < 1'000; ++i) text += "x.test. TXT x\n TXT y\n";
    file = parse_master_file(text, name("example"));
    CHECK(file.errors.size() == problems_max);
    CHECK(file.errors[0].at.line == 10);
    CHECK(file.errors[99].at.line == 10 + 2 * 99);  // a line without an owner repeats no problem
    CHECK(file.is_cut);
}

TEST_CASE("a problem within parentheses costs its entry and no other") {
    const MasterFile file =
        parse_master_file(head + "a TXT ( x\n \"y\n z )\nb TXT x\nc FOO\n", name("example"));
    REQUIRE(file.errors.size() == 2);
    CHECK(file.errors[0].at.line == 5);
    CHECK(file.errors[1].at.line == 8);
}

TEST_CASE("an RRset has at most 65,535 records") {
    std::string text = head;
    for (int i = 0; i < 65'535; ++i) text += "a TXT " + std::to_string(i) + '\n';
    CHECK(parse_master_file(text, name("example")).zone != nullptr);
    text += "a TXT one more\n";
    const MasterFile file = parse_master_file(text, name("example"));
    REQUIRE(file.errors.size() == 1);
    CHECK(file.errors[0].at.line == 4 + 65'535);
}

TEST_CASE("canonical order, the SOA first, a record a line") {
    const MasterFile file = parse_master_file(
        "$TTL 5\nz TXT z\n*.a TXT x\na.a TXT x\n@ NS ns.test.\n@ A 192.0.2.1\n"
        "a TXT \"b\" c\n@ SOA ns.test. host 1 1h 2 3 4\n",
        name("Example"));
    REQUIRE(file.zone);
    CHECK(printed(*file.zone) ==
          "$ORIGIN Example.\n"
          "Example. 5 IN SOA ns.test. host.Example. 1 3600 2 3 4\n"
          "Example. 5 IN A 192.0.2.1\n"
          "Example. 5 IN NS ns.test.\n"
          "a.Example. 5 IN TXT \"b\" \"c\"\n"
          "*.a.Example. 5 IN TXT \"x\"\n"
          "a.a.Example. 5 IN TXT \"x\"\n"
          "z.Example. 5 IN TXT \"z\"\n");
}

TEST_CASE("of an RRset that is drawn by weight, what a transfer holds is printed") {
    ZoneEdit edit(parse_master_file(head, name("example")).zone);
    edit.set(name("a.example"),
             std::make_shared<const RRset>(
                 RrType::A, 5, std::vector<Rdata>{{{192, 0, 2, 1}, 0}, {{192, 0, 2, 2}, 3}},
                 Draw::Weighted));
    const std::string text = printed(*edit.finish());
    CHECK(text.ends_with("a.example. 5 IN A 192.0.2.2\n"));
    CHECK(text.find("192.0.2.1") == std::string::npos);
}

TEST_CASE("what is printed reads back the same, whatever the zone and its names are") {
    Random random(5);
    const auto random_label = [&] {
        const char* plain[] = {"*", "@", "a",  "B", "$ORIGIN", "\"",
                               ";", "(", "\\", ".", "1h",      "IN"};
        if (draw_below(random, 2) == 0) return std::string(plain[draw_below(random, 12)]);
        std::string label(1 + draw_below(random, 8), 'x');
        for (char& c : label) c = static_cast<char>(draw_below(random, 256));
        return label;
    };
    for (const char* origin : {".", "org", "example.org", "a\\.b\\000.example", "*.example"}) {
        CAPTURE(origin);
        const wire::Name apex = name(origin);
        for (int round = 0; round < 20; ++round) {
            ZoneEdit edit(Zone::make(apex));
            edit.set(apex, std::make_shared<const RRset>(
                               RrType::SOA, 60,
                               std::vector<Rdata>{{*wire::parse_rdata(
                                   RrType::SOA, "ns.test. host 1 2 3 4 5", apex)}}));
            edit.set(apex, std::make_shared<const RRset>(RrType::NS, 60,
                                                         std::vector<Rdata>{{*wire::parse_rdata(
                                                             RrType::NS, "ns.invalid.", apex)}}));
            // The root's own zone holds the name server too.
            if (apex.is_root())
                edit.set(name("ns.invalid"),
                         std::make_shared<const RRset>(RrType::A, 60,
                                                       std::vector<Rdata>{{{192, 0, 2, 1}}}));
            for (int i = 0; i < 60; ++i) {
                wire::Name owner = apex;
                for (std::uint32_t j = draw_below(random, 3) + 1; j > 0; --j)
                    owner = owner.below(random_label()).value_or(owner);
                std::vector<Rdata> records(1 + draw_below(random, 3));
                const RrType type = draw_below(random, 2) ? RrType::TXT : RrType{65'280};
                for (Rdata& record : records) {
                    const std::string octets = random_label();
                    if (type == RrType::TXT)
                        record.octets.push_back(static_cast<std::uint8_t>(octets.size()));
                    record.octets.insert(record.octets.end(), octets.begin(), octets.end());
                }
                edit.set(owner, std::make_shared<const RRset>(type, draw_below(random, 1'000),
                                                              std::move(records)));
            }
            const auto zone = edit.finish();
            const MasterFile file = parse_master_file(printed(*zone), apex);
            INFO((file.errors.empty() ? "" : file.errors[0].what));
            REQUIRE(file.errors.empty());
            CHECK(file.warnings.empty());
            for_each_change(*zone, *file.zone,
                            [](const Node& owner, RrType type, const RRset*, const RRset*) {
                                FAIL_CHECK(owner.owner().print() << ' ' << print(type));
                            });
            std::vector<std::string> spelt, read;  // == ignores case
            zone->for_each([&](const Node& node) {
                if (!node.is_empty()) spelt.push_back(node.owner().print());
            });
            file.zone->for_each([&](const Node& node) {
                if (!node.is_empty()) read.push_back(node.owner().print());
            });
            CHECK(spelt == read);
        }
    }
}
