"""Hosted zones: zone files in and out, record sets, keys. What a reply says is in the answers."""

import base64
import hashlib
import subprocess

import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest

from harness import NAMESPACE, WEB, make_service, quoted, texts

ZONE = "/v1/zones/example.org"
TEXT = {"Content-Type": "text/dns"}
SOA = "@ 300 IN SOA ns1 hostmaster 7 3600 600 86400 60\n"
HEAD = "$ORIGIN example.org.\n$TTL 300\n" + SOA + "@ NS ns1\nns1 A 192.0.2.53\n"
ODD = HEAD + r"""
www 60 A 192.0.2.1
www 60 A 192.0.2.2
*.wild TXT "hello world" "two" (
    "and three" )  ; a comment
a\.b TXT "a dot in a label"
sp\032ace TXT "a space"
\195\188 TXT "octets that are no ASCII"
WwW.MiXeD A 192.0.2.3
x.*.y A 192.0.2.4
sub NS ns.sub
ns.sub A 192.0.2.99
unknown TYPE65280 \# 4 0A000001
unknown TYPE65281 \# 0
alias CNAME www
mail MX 10 mail.example.net.
_sip._tcp SRV 1 2 5060 www
@ CAA 0 issue "ca.example.net"
"""

# One of each type that has a text of its own and is not in ODD.
TYPES = HEAD + r"""
a AAAA 2001:db8::1
b AFSDB 1 afs.example.net.
c CDNSKEY 0 3 0 AA==
d CDS 0 0 0 00
e CSYNC 66 3 A NS AAAA
f DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
g DNAME example.net.
h DNSKEY 257 3 13 ( mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+
    KkxLbxILfDLUT0rAK9iUzy1L53eKGQ== )
sub DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
sub NS ns.example.net.
i HINFO "a cpu" linux
j HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
k KX 10 kx.example.net.
l LOC 42 21 54 N 71 06 18 W -24m 30m
m NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .
n NSEC host.example.com. A MX RRSIG NSEC TYPE1234
o NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG
p NSEC3PARAM 1 0 0 -
q OPENPGPKEY mQINBFit2jsBEADrbl5v
r PTR host.example.net.
s RP admin.example.org. .
t RRSIG A 13 3 86400 20301231235959 20200101000000 2642 example.org. oJB1W6WNGv+ldvQ3WDG0MQkg5A==
u SMIMEA 3 1 1 0C72AC70B745AC19998811B131D662C9AC69DBDBE7CB23E5B514B56664C5D3D6
v SPF "v=spf1 -all"
w SSHFP 2 1 123456789abcdef67890123456789abcdef67890
x SVCB 16 foo.example.net. mandatory=ipv4hint,alpn alpn=h2,h3-19 ipv4hint=192.0.2.1
y TLSA 3 1 1 0C72AC70B745AC19998811B131D662C9AC69DBDBE7CB23E5B514B56664C5D3D6
z URI 10 1 "ftp://ftp1.example.com/public"
@ ZONEMD 7 1 1 ( FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7
    FED2DD5B97AE499FAFA4F22C6BD647DE )
"""


@pytest.fixture
def zone(dnsd):
    """One that came as a file."""
    imported(dnsd, HEAD + "www 60 A 192.0.2.1\n")
    return dnsd


def imported(dnsd, text, path=ZONE, query=""):
    reply = dnsd.api.request("PUT", path + query, text, TEXT)
    assert reply.status in (200, 201), reply.body
    return reply.json


def exported(dnsd, path=ZONE, query="") -> str:
    reply = dnsd.api.request("GET", path + query, headers={"Accept": "text/dns"})
    assert reply.status == 200 and reply.headers["Content-Type"] == "text/dns", reply.body
    return reply.body.decode()


def refused(dnsd, text, path=ZONE):
    reply = dnsd.api.request("PUT", path, text, TEXT)
    assert reply.status == 422 and reply.headers["Content-Type"] == "application/problem+json", reply.body
    return reply.json


def parsed(text, origin="example.org") -> set:
    """What dnspython reads of it, but for the serial."""
    records = set()
    zone = dns.zone.from_text(text, dns.name.from_text(origin), relativize=False, check_origin=False)
    for name, ttl, rdata in zone.iterate_rdatas():
        if rdata.rdtype == dns.rdatatype.SOA:
            rdata = rdata.replace(serial=0)
        records.add((name, ttl, rdata.rdtype, rdata))
    return records


# Zone files


def test_a_zone_file_reads_back_as_the_same(dnsd):
    reply = dnsd.api.request("PUT", ZONE, ODD, TEXT)
    assert reply.status == 201 and reply.json["serial"] == 7 and reply.json["warnings"] == []
    assert reply.json["negative_ttl"] == 60 and reply.json["record_sets"] == 18
    text = exported(dnsd)
    assert parsed(text) == parsed(ODD)
    again = imported(dnsd, text)
    assert again["revision"] == reply.json["revision"] and exported(dnsd) == text
    assert imported(dnsd, text, query="?dry_run=true") == {"would": "nothing", "warnings": []}
    dnsd.restart()
    assert exported(dnsd) == text


def test_each_type_is_read_written_and_answered_as_others_do(dnsd):
    imported(dnsd, TYPES)
    assert parsed(exported(dnsd)) == parsed(TYPES)
    for name, _, rdtype, rdata in parsed(TYPES):
        answered = dnsd.query(name.to_text(), dns.rdatatype.to_text(rdtype))
        found = answered.answer or answered.authority  # below the cut: NS
        if rdtype != dns.rdatatype.SOA:
            assert rdata in [one for rrset in found for one in rrset], (name, rdtype)


def test_what_was_imported_is_in_the_answers_and_what_was_deleted_is_refused(dnsd):
    imported(dnsd, ODD)
    assert dnsd.addresses("www.example.org") == ["192.0.2.1", "192.0.2.2"]
    assert texts(dnsd.query("deep.wild.example.org", "TXT"), "TXT") == ['"hello world" "two" "and three"']
    assert texts(dnsd.query("sp\\032ace.example.org", "TXT"), "TXT") == ['"a space"']
    imported(dnsd, HEAD + "other A 192.0.2.7\n")
    assert dnsd.query("www.example.org").rcode() == dns.rcode.NXDOMAIN
    assert dnsd.addresses("other.example.org") == ["192.0.2.7"]
    assert dnsd.api.delete(ZONE)["revision"] > 0
    assert dnsd.query("other.example.org").rcode() == dns.rcode.REFUSED
    assert dnsd.api.request("GET", ZONE).status == 404
    assert dnsd.api.request("DELETE", ZONE).status == 404
    assert dnsd.api.delete(ZONE + "?if_exists=true") == {"revision": None}


@pytest.mark.parametrize("path, origin, asked", [
    ("/v1/zones/@", ".", "www."),
    ("/v1/zones/%2E", ".", "www."),
    ("/v1/zones/lan", "lan.", "www.lan."),
    ("/v1/zones/2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa.", "www.2.0.192.in-addr.arpa."),
    ("/v1/zones/%2A.star", "*.star.", "www.*.star."),
    ("/v1/zones/*.star", "*.star.", "www.*.star."),
    ("/v1/zones/with%20space.test", "with\\032space.test.", "www.with\\032space.test."),
    ("/v1/zones/with%5C032space.test", "with\\032space.test.", "www.with\\032space.test."),
    ("/v1/zones/a%5C.b%2Fc.test", "a\\.b/c.test.", "www.a\\.b/c.test."),
    ("/v1/zones/UPPER.Test", "upper.test.", "www.upper.test."),
])
def test_any_name_can_be_a_zone(dnsd, path, origin, asked):
    text = f"$ORIGIN {origin}\n$TTL 300\n{SOA}@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n"
    assert dnsd.api.request("PUT", path, text, TEXT).status == 201
    assert dnsd.addresses(asked) == ["192.0.2.1"]
    assert parsed(exported(dnsd, path), origin) == parsed(text, origin)
    assert dnsd.api.get(f"{path}/records/www/A")["records"] == ["192.0.2.1"]
    assert dnsd.api.get(f"{path}/records/@/NS")["name"] == "@"
    dnsd.api.put(f"{path}/records/%2A/TXT", {"records": ["wild"]})
    assert texts(dnsd.query("any." + asked.partition(".")[2], "TXT"), "TXT") == ['"wild"']
    assert [one["name"] for one in dnsd.api.get("/v1/zones")["zones"]] == [origin.rstrip(".") or "."]
    assert dnsd.api.delete(path)


@pytest.mark.parametrize("text, line, says", [
    ("", None, "SOA"),
    ("$ORIGIN example.org.\n" + SOA, None, "NS"),
    (HEAD + "@ 300 SOA ns1 other 1 2 3 4 5\n", 3, "SOA"),
    (HEAD + "www A 192.0.2.256\n", 6, "192.0.2.256"),
    (HEAD + "www CNAME ns1\nwww A 192.0.2.1\n", None, "CNAME"),
    (HEAD + "www CNAME a\nwww CNAME b\n", None, "CNAME"),
    (HEAD + "d DNAME example.net.\nx.d A 192.0.2.1\n", None, "DNAME"),
    (HEAD + "www.example.net. A 192.0.2.1\n", 6, "zone"),
    (HEAD + "$INCLUDE other.zone\n", 6, "$INCLUDE"),
    (HEAD + "sub NS ns.sub\n", 6, "glue"),
    (HEAD + "a" * 64 + " A 192.0.2.1\n", 6, "63"),
    (HEAD + ".".join(["a" * 60] * 5) + " A 192.0.2.1\n", 6, "255"),
    (HEAD + "www A ( 192.0.2.1\n", 6, "parenthesis"),
    (HEAD + 'www TXT "open\n', 6, "quote"),
])
def test_a_bad_zone_file_is_refused_with_its_place_and_changes_nothing(zone, text, line, says):
    before = zone.api.get("/v1/status")["revision"], exported(zone)
    problem = refused(zone, text)
    assert problem["detail"].startswith("zone file") and says in str(problem), problem
    if line:
        assert (problem["errors"][0]["line"], problem["errors"][0]["column"] >= 1) == (line, True), problem
        assert f"line {line}, column" in problem["detail"]
    reply = zone.api.request("PUT", ZONE + "?dry_run=true", text, TEXT)
    assert reply.status == 422 and reply.json == problem
    assert (zone.api.get("/v1/status")["revision"], exported(zone)) == before
    assert refused(zone, text, "/v1/zones/new.test")
    assert zone.api.request("GET", "/v1/zones/new.test").status == 404


def test_what_is_doubtful_is_a_warning_and_goes_in(dnsd):
    told = imported(dnsd, HEAD + "www 60 A 192.0.2.1\nwww 30 A 192.0.2.2\n")
    assert [(one["line"], "TTL" in one["detail"]) for one in told["warnings"]] == [(7, True)]
    assert dnsd.query("www.example.org").answer[0].ttl == 30


def test_the_serial_moves_forward_and_negative_answers_take_the_soas_ttl(dnsd):
    assert imported(dnsd, HEAD)["serial"] == 7
    assert imported(dnsd, HEAD + "a A 192.0.2.1\n")["serial"] == 8
    assert imported(dnsd, (HEAD + "b A 192.0.2.1\n").replace(" 7 3600", " 2026010100 3600"))["serial"] == 2026010100
    assert imported(dnsd, HEAD)["serial"] == 2026010101
    soa = dnsd.query("nothing.example.org").authority[0]
    assert (soa.ttl, soa[0].minimum, soa[0].serial) == (60, 60, 2026010101)
    assert exported(dnsd).splitlines()[1].split()[6] == "2026010101"
    dnsd.api.put(ZONE, {"description": "no word of the SOA"})
    assert dnsd.query("nothing.example.org").authority[0][0].minimum == 60
    dnsd.api.put(ZONE, {"negative_ttl": 30})
    assert dnsd.query("nothing.example.org").authority[0][0].minimum == 30


def test_if_match_guards_an_import(zone):
    etag = zone.api.request("GET", ZONE).headers["ETag"]
    stale = zone.api.request("PUT", ZONE, HEAD, TEXT | {"If-Match": '"999"'})
    assert stale.status == 412
    assert zone.api.request("PUT", ZONE, HEAD, TEXT | {"If-Match": etag}).status == 200
    assert zone.api.request("PUT", ZONE, HEAD + "x A 192.0.2.1\n", TEXT | {"If-Match": etag}).status == 412
    assert zone.api.request("PUT", ZONE, HEAD, TEXT | {"If-None-Match": "*"}).status == 412


def test_stock_checkers_accept_what_is_exported(dnsd, tmp_path):
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    imported(dnsd, ODD)
    for path, origin, query in [(ZONE, "example.org", ""), ("/v1/zones/demo.internal", "demo.internal", ""),
                                ("/v1/zones/demo.internal", "demo.internal", "?view=served")]:
        file = tmp_path / "exported.zone"
        file.write_text(exported(dnsd, path, query))
        for command in (["named-checkzone", "-i", "local", origin, str(file)],
                        ["kzonecheck", "-o", origin, str(file)]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, (command, done.stdout, done.stderr, file.read_text())


def test_a_large_zone_file_does_not_hold_up_the_api(dnsd):
    records = "".join(f"host-{n} A 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(50_000))
    assert imported(dnsd, HEAD + records)["record_sets"] == 50_003
    assert dnsd.addresses("host-49999.example.org") == ["10.0.195.79"]
    assert exported(dnsd).count("\n") == 50_004
    page = dnsd.api.get(f"{ZONE}/records?limit=2&type=A")
    assert [one["name"] for one in page["record_sets"]] == ["host-0", "host-1"]


def test_zone_files_have_a_limit_of_their_own(make_dnsd):
    dnsd = make_dnsd(settings={"api.body_octets_max": 2048, "api.zone_octets_max": 8192}).start()
    text = HEAD + "".join(f"host-{n} A 192.0.2.1\n" for n in range(200))
    assert 2048 < len(text) < 8192
    assert dnsd.api.request("PUT", ZONE, text, TEXT).status == 201
    assert dnsd.api.request("PUT", ZONE, text * 3, TEXT).status == 413
    assert dnsd.api.request("PUT", ZONE, {"description": "x" * 4096}).status == 413
    # Who only says that it is a zone file, where none is taken, gets no more room.
    assert dnsd.api.request("PUT", NAMESPACE, text, TEXT).status == 413
    assert dnsd.api.request("PUT", NAMESPACE, HEAD, TEXT).status == 415


# Zones are namespaces


def test_a_zone_and_its_namespace_are_one(dnsd):
    made = dnsd.api.put(ZONE, {"ttl": 30, "reverse": True, "transfer": ["192.0.2.0/24 key xfr.example.org"],
                               "notify": ["192.0.2.1"], "updaters": ["Up.Example.org."]})
    assert made == dnsd.api.get(ZONE) == dnsd.api.get("/v1/namespaces/example.org")
    assert made["notify"] == ["192.0.2.1:53"] and made["updaters"] == ["up.example.org"]
    assert made["transfer"] == ["192.0.2.0/24 key xfr.example.org"] and made["reverse"] is True
    assert dnsd.api.put(ZONE, made) == made
    assert dnsd.api.put("/v1/namespaces/example.org", made) == made
    dnsd.restart()
    assert dnsd.api.get(ZONE) == made
    dnsd.api.put("/v1/namespaces/http", {"dns": False})
    assert "reverse" not in dnsd.api.get("/v1/namespaces/http")
    assert [one["name"] for one in dnsd.api.get("/v1/zones")["zones"]] == ["example.org"]
    assert dnsd.api.request("GET", "/v1/zones/http").status == 404
    assert dnsd.api.request("DELETE", "/v1/zones/http").status == 404
    assert dnsd.api.request("PUT", "/v1/zones/http", HEAD, TEXT).status in (409, 422)


@pytest.mark.parametrize("body, pointer", [
    ({"dns": False}, "/dns"),
    ({"dns": False, "primaries": ["192.0.2.1"]}, "/primaries"),
    ({"primaries": ["nowhere"]}, "/primaries/0"),
    ({"notify": ["192.0.2.1", 5]}, "/notify/1"),
    ({"notify": "192.0.2.1"}, "/notify"),
    ({"transfer": ["192.0.2.1/24"]}, "/transfer/0"),
    ({"updaters": ["a..b"]}, "/updaters/0"),
    ({"reverse": "yes"}, "/reverse"),
])
def test_a_bad_field_of_a_zone_is_pointed_at(dnsd, body, pointer):
    reply = dnsd.api.request("PUT", ZONE, body)
    assert reply.status == 422 and pointer in [error["pointer"] for error in reply.json["errors"]], reply.body
    assert dnsd.api.request("GET", ZONE).status == 404


def test_an_import_leaves_services_alone_and_deletion_waits_for_them(dnsd):
    make_service(dnsd.api, {"ttl": 0})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    demo = "/v1/zones/demo.internal"
    text = f"$TTL 300\n{SOA}@ NS ns.example.net.\nplain A 192.0.2.7\n"
    imported(dnsd, text, demo)
    assert dnsd.addresses("web.demo.internal") == ["192.0.2.1"]
    assert dnsd.addresses("plain.demo.internal") == ["192.0.2.7"]
    assert "web" not in exported(dnsd, demo) and "web.demo.internal" in exported(dnsd, demo, "?view=served")
    for taken in ("web A 192.0.2.8\n", "i-1.web A 192.0.2.8\n", "_web._tcp TXT x\n"):
        for query in ("", "?dry_run=true"):
            reply = dnsd.api.request("PUT", demo + query, text + taken, TEXT)
            assert reply.status == 409 and "web" in reply.json["detail"], reply.body
    assert dnsd.api.request("DELETE", demo).status == 409
    assert dnsd.addresses("plain.demo.internal") == ["192.0.2.7"]


def test_a_secondary_takes_no_changes_and_can_be_asked_to_refresh(dnsd):
    made = dnsd.api.put(ZONE, {"primaries": ["127.0.0.1:1"]})
    assert made["refreshed"] is None and made["expired"] is True
    assert dnsd.query("www.example.org").rcode() == dns.rcode.SERVFAIL
    assert dnsd.api.request("PUT", ZONE, HEAD, TEXT).status == 409
    assert dnsd.api.request("PUT", f"{ZONE}/records/www/A", {"records": ["192.0.2.1"]}).status == 409
    assert dnsd.api.request("GET", ZONE, headers={"Accept": "text/dns"}).status == 409
    assert dnsd.api.get(f"{ZONE}/records")["record_sets"] == []
    assert dnsd.api.request("POST", f"{ZONE}/refresh").status in (202, 503)
    dnsd.api.put("/v1/zones/primary.test")
    assert dnsd.api.request("POST", "/v1/zones/primary.test/refresh").status == 409


@pytest.mark.parametrize("accept, is_file", [
    ("text/dns", True), ("text/dns, */*;q=0.1", True), ("text/dns, */*", True), ("TEXT/DNS;q=0.5", True),
    ("*/*", False), ("application/json", False), ("text/dns, application/json", False),
    ("text/dns;q=0.2, application/json;q=0.8", False), ("text/dns;q=0", False), ("text/*", False), ("", False),
])
def test_the_accept_header_chooses(zone, accept, is_file):
    reply = zone.api.request("GET", ZONE, headers={"Accept": accept})
    assert reply.status == 200 and reply.headers["Vary"] == "Accept"
    assert (reply.headers["Content-Type"] == "text/dns") == is_file


def test_a_token_for_a_namespace_reaches_its_zone_and_no_other(make_dnsd, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"{hashlib.sha256(word.encode()).hexdigest()} write {where}\n" for word, where in
                              [("all", ""), ("one", "example.org"), ("root", "@")]))
    dnsd = make_dnsd(settings={"api.tokens": str(tokens)}).start()
    dnsd.token = "one"
    imported(dnsd, HEAD)
    imported(dnsd, HEAD, "/v1/zones/EXAMPLE.org")
    dnsd.api.put(f"{ZONE}/records/www/A", {"records": ["192.0.2.1"]})
    for method, path in [("PUT", "/v1/zones/other.org"), ("GET", "/v1/zones"), ("GET", "/v1/keys"),
                         ("PUT", "/v1/keys/k"), ("GET", "/v1/zones/@"), ("GET", "/v1/zones/sub.example.org")]:
        assert dnsd.api.request(method, path, HEAD if method == "PUT" else None, TEXT).status == 403, path
    dnsd.token = "root"
    text = f"$ORIGIN .\n$TTL 300\n{SOA}@ NS ns1\nns1 A 192.0.2.53\n"
    imported(dnsd, text, "/v1/zones/@")
    assert dnsd.api.request("GET", "/v1/namespaces/@").status == 200
    dnsd.token = "all"
    assert len(dnsd.api.get("/v1/zones")["zones"]) == 2


# Record sets


def test_a_record_set_from_creation_to_deletion(zone):
    path = f"{ZONE}/records/www/AAAA"
    body = {"ttl": 30, "records": ["2001:db8::1", "2001:DB8:0::2", "2001:db8::1"]}
    reply = zone.api.request("PUT", path, body)
    shown = {"name": "www", "type": "AAAA", "ttl": 30, "records": ["2001:db8::1", "2001:db8::2"]}
    assert reply.status == 201 and reply.json == shown
    assert zone.addresses("www.example.org", "AAAA") == ["2001:db8::1", "2001:db8::2"]
    assert zone.api.get(path) == shown == zone.api.get(f"{ZONE}/records/www.example.org./aaaa")
    again = zone.api.request("PUT", path, shown)
    assert again.status == 200 and again.headers["ETag"] == reply.headers["ETag"]
    assert zone.api.request("GET", ZONE).headers["ETag"] == reply.headers["ETag"]
    assert zone.api.request("PUT", path, shown, {"If-Match": '"1"'}).status == 412
    assert zone.api.request("PUT", path, shown, {"If-None-Match": "*"}).status == 412
    assert zone.api.request("PUT", f"{ZONE}/records/w2/A", {"records": ["192.0.2.2"]},
                            {"If-None-Match": "*"}).status == 201
    assert zone.api.delete(path)["revision"]
    assert zone.addresses("www.example.org", "AAAA") == []
    assert zone.api.request("GET", path).status == 404
    assert zone.api.request("DELETE", path).status == 404
    assert zone.api.delete(path + "?if_exists=true") == {"revision": None}


def test_names_within_records_are_relative_to_the_zone_unless_they_end_in_a_dot(zone):
    zone.api.put(f"{ZONE}/records/@/MX", {"records": ["10 mail", "20 mail.example.net."]})
    assert zone.api.get(f"{ZONE}/records/@/MX")["records"] == ["10 mail.example.org.", "20 mail.example.net."]
    assert zone.api.get(f"{ZONE}/records/@/MX")["ttl"] == 5  # the zone's


@pytest.mark.parametrize("name, asked", [
    ("*", "any.example.org"), ("%2A", "any.example.org"), ("a.b.c", "a.b.c.example.org"),
    ("a%2Fb", "a/b.example.org"), ("a%5C.b", "a\\.b.example.org"), ("%00", "\\000.example.org"),
    ("%C3%BC", "\\195\\188.example.org"), ("sp%20ace", "sp\\032ace.example.org"), ("%5C064", "\\064.example.org"),
])
def test_record_sets_of_any_name(zone, name, asked):
    shown = zone.api.put(f"{ZONE}/records/{name}/A", {"records": ["192.0.2.9"]})
    assert zone.addresses(asked) == ["192.0.2.9"]
    assert zone.api.get(f"{ZONE}/records/{quoted(shown['name'])}/A") == shown
    assert zone.api.get(f"{ZONE}/records?name={quoted(shown['name'])}")["record_sets"] == [shown]


def test_lists_are_in_canonical_order_and_paged(dnsd):
    imported(dnsd, ODD)
    whole = dnsd.api.get(f"{ZONE}/records")
    sets = whole["record_sets"]
    assert len(sets) == 18 and whole["truncated"] is False and whole["serial"] == 7
    origin = dns.name.from_text("example.org")
    owners = [dns.name.from_text(one["name"], origin) for one in sets]
    assert owners == sorted(owners)
    assert [one["type"] for one in sets if one["name"] == "@"] == ["NS", "SOA", "CAA"]
    paged, token = [], ""
    while True:
        page = dnsd.api.get(f"{ZONE}/records?limit=3" + (f"&page_token={quoted(token)}" if token else ""))
        paged += page["record_sets"]
        if not page["truncated"]:
            break
        token = page["next_page_token"]
    assert paged == sets
    assert [one["name"] for one in dnsd.api.get(f"{ZONE}/records?type=txt")["record_sets"]] == [
        one["name"] for one in sets if one["type"] == "TXT"]
    for bad in ("limit=0", "type=nonsense", "type=ANY", "name=a..b", "name=www.example.net.", "view=all",
                "page_token=nonsense"):
        assert dnsd.api.request("GET", f"{ZONE}/records?{bad}").status == 400, bad


def test_a_batch_is_all_or_nothing(zone):
    def change(*changes):
        return zone.api.request("POST", f"{ZONE}/records", {"changes": list(changes)})

    create = {"action": "create", "name": "new", "type": "A", "ttl": 60, "records": ["192.0.2.5"]}
    upsert = {"action": "upsert", "name": "www", "type": "A", "records": ["192.0.2.6"]}
    delete = {"action": "delete", "name": "www", "type": "A"}
    reply = change(create, upsert, {"action": "create", "name": "new", "type": "TXT", "records": ['"x"']})
    assert reply.status == 200 and reply.json["serial"] == 8
    assert zone.addresses("new.example.org") == ["192.0.2.5"]
    before = exported(zone)
    for changes, status, pointer in [
        ([upsert, create], 409, "/changes/1"),
        ([delete, delete], 404, "/changes/1"),
        ([create | {"name": "n2"}, create | {"name": "n2"}], 409, "/changes/1"),
        ([delete | {"records": ["192.0.2.99"]}], 409, "/changes/0"),
        ([delete | {"name": "none"}], 404, "/changes/0"),
        ([create | {"name": "n2"}, upsert | {"records": ["192.0.2.6", "nonsense"]}], 422, "/changes/1/records/1"),
        ([upsert | {"records": []}], 422, "/changes/0/records"),
        ([{"action": "upsert", "name": "n2", "type": "A"}], 422, "/changes/0/records"),
        ([upsert | {"type": "ANY"}], 422, "/changes/0/type"),
        ([upsert | {"name": "a..b"}], 422, "/changes/0/name"),
        ([upsert | {"name": "www.example.net."}], 422, "/changes/0/name"),
        ([upsert | {"action": "replace"}], 422, "/changes/0/action"),
        ([upsert | {"ttl": 2**31}], 422, "/changes/0/ttl"),
        ([upsert | {"colour": "blue"}], 422, "/changes/0/colour"),
        (["nonsense"], 422, "/changes/0"),
        ([], 422, "/changes"),
        ([create | {"name": "n2"}, {"action": "upsert", "name": "www", "type": "CNAME", "records": ["ns1"]}], 422,
         "/changes/1"),
        ([{"action": "delete", "name": "@", "type": "SOA"}], 422, "/changes/0"),
        ([create | {"name": "n2"}, {"action": "delete", "name": "@", "type": "NS"}], 422, "/changes/1"),
    ]:
        reply = change(*changes)
        assert reply.status == status, (changes, reply.body)
        assert pointer in [error["pointer"] for error in reply.json["errors"]], (changes, reply.body)
        assert exported(zone) == before
    assert zone.api.request("POST", f"{ZONE}/records", {"changes": [upsert]}, {"If-Match": '"1"'}).status == 412
    # What goes makes room for what comes.
    alias = {"action": "create", "name": "www", "type": "CNAME", "records": ["ns1"]}
    assert change(delete | {"records": ["192.0.2.6"]}, alias).status == 200
    assert zone.addresses("www.example.org") == ["192.0.2.53"]


def test_what_services_own_is_read_only_and_shown_as_served(dnsd):
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    demo = "/v1/zones/demo.internal/records"
    body = {"records": ["192.0.2.7"]}
    for name, owner in [("web", "service web"), ("_web._tcp", "service web"), ("i-1.web", "instance i-1")]:
        reply = dnsd.api.request("PUT", f"{demo}/{name}/A", body)
        assert reply.status == 409 and owner in reply.json["detail"], reply.body
        assert dnsd.api.request("DELETE", f"{demo}/{name}/A").status == 409
        reply = dnsd.api.request("POST", demo, {"changes": [
            {"action": "upsert", "name": "plain", "type": "A"} | body,
            {"action": "create", "name": name, "type": "A"} | body]})
        assert reply.status == 409 and reply.json["errors"][0]["pointer"] == "/changes/1"
    assert dnsd.query("plain.demo.internal").rcode() == dns.rcode.NXDOMAIN
    assert dnsd.api.request("GET", f"{demo}/web/A").status == 404
    assert dnsd.api.get(f"{demo}/web/A?view=served")["records"] == ["192.0.2.1"]
    served = {one["name"] for one in dnsd.api.get(f"{demo}?view=served")["record_sets"]}
    plain = {one["name"] for one in dnsd.api.get(demo)["record_sets"]}
    assert {"web", "_web._tcp", "i-1.web"} <= served and not {"web", "_web._tcp", "i-1.web"} & plain
    dnsd.api.put(f"{demo}/plain/A", body)
    assert dnsd.addresses("plain.demo.internal") == ["192.0.2.7"] and dnsd.addresses("web.demo.internal")
    reply = dnsd.api.request("PUT", f"{NAMESPACE}/services/plain", {})
    assert reply.status == 409, reply.body


# Keys


def test_a_drawn_secret_is_shown_once(dnsd):
    reply = dnsd.api.request("PUT", "/v1/keys/Xfr.Example.org", {"algorithm": "hmac-sha512"})
    secret = reply.json.pop("secret")
    assert reply.status == 201 and len(base64.b64decode(secret)) == 64
    assert reply.headers["Cache-Control"] == "no-store"
    key = {"name": "xfr.example.org", "algorithm": "hmac-sha512"}
    own = base64.b64encode(b"0123456789abcdef").decode()
    given = dnsd.api.request("PUT", "/v1/keys/own", {"secret": own})
    assert given.status == 201 and given.json["algorithm"] == "hmac-sha256" and "secret" not in given.json
    listed = dnsd.api.request("GET", "/v1/keys")
    assert [{k: v for k, v in one.items() if k != "revision"} for one in listed.json["keys"]] == [
        {"name": "own", "algorithm": "hmac-sha256"}, key]
    dnsd.restart()
    everything = b"".join(dnsd.api.request("GET", path).body for path in (
        "/v1/keys", "/v1/keys/own", "/v1/keys/xfr.example.org", "/v1/events", "/v1/status", "/metrics"))
    assert secret.encode() not in everything and own.encode() not in everything
    assert secret not in dnsd.stderr and own not in dnsd.stderr
    assert dnsd.api.put("/v1/keys/xfr.example.org")["secret"] != secret


def test_a_key_in_use_stays(dnsd):
    dnsd.api.put("/v1/keys/xfr.example.org")
    dnsd.api.put(ZONE, {"transfer": ["key xfr.example.org"]})
    assert dnsd.api.request("DELETE", "/v1/keys/xfr.example.org").status == 409
    dnsd.api.put(ZONE, {})
    assert dnsd.api.delete("/v1/keys/xfr.example.org")["revision"]
    assert dnsd.api.request("DELETE", "/v1/keys/xfr.example.org").status == 404
    assert dnsd.api.request("GET", "/v1/keys/xfr.example.org").status == 404


@pytest.mark.parametrize("body, pointer", [
    ({"algorithm": "hmac-md5"}, "/algorithm"), ({"secret": "not base64!"}, "/secret"), ({"secret": "c2hvcnQ="}, "/secret"),
    ({"secret": 5}, "/secret"), ({"name": "other"}, "/name"), ({"colour": "blue"}, "/colour"),
])
def test_a_bad_key_is_refused(dnsd, body, pointer):
    reply = dnsd.api.request("PUT", "/v1/keys/k", body)
    assert reply.status == 422 and [error["pointer"] for error in reply.json["errors"]] == [pointer]
    assert "secret" not in str(reply.json["detail"])
