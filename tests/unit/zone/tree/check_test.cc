#include "zone/tree/check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/names.h"
#include "zone/tree/master_file.h"

using namespace dnsd;
using namespace dnsd::tree;
using test::name;

namespace {

// What check() finds in a zone of these lines: "error a.example NS", in canonical order.
struct Row {
    const char* truth;
    const char* lines;
    std::vector<std::string> findings;
};

const std::string head = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n";
const std::string sound = head + "@ NS ns1\nns1 A 192.0.2.1\n";

// Errors and warnings of the master file, without what they say.
std::vector<std::string> findings_of(const std::string& text) {
    const MasterFile file = parse_master_file(text, name("example"));
    std::vector<std::string> found;
    for (const FileProblem& problem : file.errors) found.push_back("error " + problem.what);
    for (const FileProblem& problem : file.warnings) found.push_back("warning " + problem.what);
    return found;
}

// Whether each finding begins as it should, and there are no others.
void compare(const std::vector<std::string>& found, const std::vector<std::string>& expected) {
    CAPTURE(doctest::String(found.empty() ? "nothing found" : found[0].c_str()));
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        INFO(found[i]);
        const std::size_t star = expected[i].find(" ... ");
        CHECK(found[i].starts_with(expected[i].substr(0, star)));
        CHECK(found[i].find(expected[i].substr(star + 5)) != std::string::npos);
    }
}

}  // namespace

TEST_CASE("what makes a zone unsound, or only doubtful") {
    const Row rows[] = {
        {"a zone with a SOA, a name server and its address is sound", "", {}},
        {"RFC 1034 §3.6.2: a CNAME stands alone",
         "a CNAME ns1\na TXT x\n",
         {"error a.example: ... beside other data: TXT"}},
        {"RFC 2181 §10.1: a name has one CNAME",
         "a CNAME ns1\na CNAME ns2.test.\n",
         {"error a.example: ... more than one CNAME"}},
        {"RFC 1912 §2.4: the apex is no alias",
         "@ CNAME a.test.\n",
         {"error example: ... beside other data"}},
        {"a CNAME that leads to itself", "a CNAME a\n", {"warning a.example: ... to itself"}},
        {"RFC 6672 §2.4: a name has one DNAME",
         "a DNAME b.test.\na DNAME c.test.\n",
         {"error a.example: ... more than one DNAME"}},
        {"RFC 6672 §2.4: nothing is below a DNAME",
         "a DNAME b.test.\nx.y.a A 192.0.2.1\n",
         {"error a.example: ... below a DNAME"}},
        {"RFC 6672 §2.3: a DNAME may stand beside other data", "a DNAME b.test.\na TXT x\n", {}},
        {"RFC 6672 §2.3: but not at a zone cut",
         "a DNAME b.test.\na NS ns.test.\n",
         {"error a.example: ... one owner"}},
        {"RFC 4592 §4.4: a DNAME at a wildcard",
         "*.w DNAME b.test.\n",
         {"warning *.w.example: ... RFC 4592"}},
        {"RFC 4592 §4.2: NS at a wildcard", "*.w NS ns.test.\n", {"warning *.w.example: ... cut"}},
        {"RFC 1034 §4.2.1: a SOA stands at the apex",
         "a SOA ns1 host 1 1 1 1 1\n",
         {"error a.example: ... apex of a zone only"}},
        {"RFC 4035 §2.4: DS stands in the parent",
         "@ DS 1 8 2 00\n",
         {"error example: ... parent zone"}},
        {"RFC 9471 §2.1: a name server below the cut that it serves has glue",
         "c NS ns.c\n",
         {"error c.example: ... no glue"}},
        {"RFC 9471 §2.1: glue may be IPv6 alone", "c NS ns.x.c\nns.x.c AAAA 2001:db8::1\n", {}},
        {"RFC 9471 §2.1: the cut itself may be its name server", "c NS c\nc A 192.0.2.1\n", {}},
        {"RFC 9471 §2.2: sibling glue is missed, not demanded",
         "c NS ns.d\nd NS ns.test.\n",
         {"warning c.example: ... the zone cut d.example"}},
        {"RFC 9471 §2.2: sibling glue is no occluded data",
         "c NS ns.d\nd NS ns.test.\nns.d A 192.0.2.1\n",
         {}},
        {"a name server of a delegation that is in this zone, without an address",
         "c NS nowhere\n",
         {"warning c.example: ... has no address"}},
        {"RFC 2181 §10.3: a name server is no alias",
         "c NS x\nx CNAME ns1\n",
         {"error c.example: ... alias"}},
        {"RFC 2181 §10.3: nor below a DNAME",
         "c NS x.d\nd DNAME other.test.\n",
         {"error c.example: ... alias"}},
        {"RFC 2181 §10.3: targets of MX and SRV are no aliases",
         "@ MX 1 x\n_a._tcp SRV 1 1 1 x\nx CNAME ns1\n",
         {"warning example: ... alias", "warning _a._tcp.example: ... alias"}},
        {"targets of MX and SRV have addresses",
         "m MX 1 x\n_a._tcp SRV 1 1 1 x\n",
         {"warning m.example: ... no address", "warning _a._tcp.example: ... no address"}},
        {"an address may come from a wildcard", "m MX 1 x.w\n*.w A 192.0.2.1\n", {}},
        {"RFC 7505, RFC 2782: the root as a target", "m MX 0 .\n_a._tcp SRV 0 0 0 .\n", {}},
        {"targets elsewhere are not judged", "m MX 0 m.test.\nc NS ns.test.\n", {}},
        {"RFC 1034 §4.2.1: what is below a zone cut and no glue is not answered",
         "c NS ns.test.\nx.c TXT x\n",
         {"warning x.c.example: ... no glue"}},
        {"an address below a zone cut that is no name server's",
         "c NS ns.test.\nx.c A 192.0.2.1\n",
         {"warning x.c.example: ... no glue"}},
        {"RFC 4035 §3.1.4.1: DS at the cut is ours", "c NS ns.test.\nc DS 1 8 2 00\n", {}},
        {"other data at the cut is not",
         "c NS ns.test.\nc TXT x\n",
         {"warning c.example: ... cut"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.truth);
        compare(findings_of(sound + row.lines), row.findings);
    }
}

TEST_CASE("RFC 1035 §5.2: a zone has one SOA and a name server that can be reached") {
    const Row rows[] = {
        {"no SOA", "$TTL 1\n@ NS ns1\nns1 A 192.0.2.1\n", {"error example: ... no SOA"}},
        {"nothing", "; nothing\n", {"error example: ... SOA", "error example: ... NS"}},
        {"no NS", "$TTL 1\n@ SOA ns1 host 1 1 1 1 1\n", {"error example: ... no NS"}},
        {"two SOAs",
         "$TTL 1\n@ SOA ns1 host 1 1 1 1 1\n@ SOA ns1 host 2 1 1 1 1\n@ NS ns.test.\n",
         {"error example: ... more than one SOA"}},
        {"RFC 1912 §2.8: an apex name server without an address",
         "$TTL 1\n@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\n",
         {"error example: ... has no address"}},
        {"by a wildcard", "$TTL 1\n@ SOA a b 1 1 1 1 1\n@ NS x.w\n*.w A 192.0.2.1\n", {}},
        {"below a zone cut",
         "$TTL 1\n@ SOA a b 1 1 1 1 1\n@ NS ns.c\nc NS ns.test.\n",
         {"warning example: ... the zone cut c.example"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.truth);
        compare(findings_of(row.lines), row.findings);
    }
}

TEST_CASE("a change of one owner is judged with what it breaks above and below") {
    struct Change {
        const char* truth;
        const char* lines;
        const char* changed;
        int errors, warnings;
    };
    const Change rows[] = {
        {"nothing is wrong", "a A 192.0.2.1\n", "a.example", 0, 0},
        {"the name is gone", "", "a.example", 0, 0},
        {"a CNAME beside other data", "a CNAME b\na TXT x\n", "a.example", 1, 0},
        {"a name below a DNAME", "a DNAME b.test.\nx.a TXT x\n", "x.a.example", 1, 0},
        {"a DNAME above names", "a DNAME b.test.\nx.a TXT x\n", "a.example", 1, 0},
        {"glue that is taken away", "c NS ns.c\n", "ns.c.example", 1, 0},
        {"the address of the apex name server, taken away", "@ NS gone\n", "gone.example", 1, 0},
        {"the wildcard that gave it", "@ NS x.w\n", "*.w.example", 1, 0},
        {"another owner's fault is not this one's", "@ NS gone\n", "a.example", 0, 0},
        {"the name server becomes an alias", "@ NS a\na CNAME b.test.\n", "a.example", 1, 0},
        {"data below a zone cut", "c NS ns.test.\nx.c TXT x\n", "x.c.example", 0, 1},
    };
    for (const Change& row : rows) {
        CAPTURE(row.truth);
        // Read without the fault, or there would be no zone to change.
        ZoneEdit edit(parse_master_file(sound, name("example")).zone);
        std::string_view lines = row.lines;
        while (!lines.empty()) {
            const std::string line(lines.substr(0, lines.find('\n') + 1));
            lines.remove_prefix(line.size());
            // Each line alone, in a zone where it does no harm.
            const std::string harmless =
                "$TTL 300\n@ SOA a.test. b 1 1 1 1 1\n@ NS a.test.\n"
                "x.w A 192.0.2.1\ngone A 192.0.2.1\nns.c A 192.0.2.1\n";
            const std::string with_a = line.starts_with("@ NS a") ? "a A 192.0.2.1\n" : "";
            const MasterFile one = parse_master_file(harmless + with_a + line, name("example"));
            REQUIRE(one.zone);
            const wire::Name owner =
                *wire::Name::parse(line.substr(0, line.find(' ')), name("example"));
            const auto& rrsets = one.zone->find(owner)->rrsets();
            for (const auto& rrset : rrsets) {
                if (line.find(' ' + print(rrset->type()) + ' ') != line.npos)
                    edit.set(owner, rrset);
            }
        }
        int errors = 0, warnings = 0;
        for (const Finding& finding : check_owner(*edit.finish(), name(row.changed))) {
            INFO(finding.what);
            ++(finding.severity == Finding::Severity::Error ? errors : warnings);
        }
        CHECK(errors == row.errors);
        CHECK(warnings == row.warnings);
    }
}
