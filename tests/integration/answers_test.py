"""What stock tools, written by others than us, show of a hosted zone: dig, kdig, drill, delv and host
read the same answers, and each of them reads what BEHAVIOUR promises. The RFCs one by one are in
tests/scenario; here it is seen that the octets mean to others what they mean to us."""

import re
import subprocess

import pytest

from harness import PATIENCE

ZONE = """\
$ORIGIN example.org.
$TTL 60
@               SOA     ns hostmaster 7 7200 900 1209600 30
                NS      ns
                MX      10 mail
ns              A       192.0.2.53
mail            A       192.0.2.25
                AAAA    2001:db8::25
www             A       192.0.2.1
                A       192.0.2.2
alias           CNAME   www
out             CNAME   www.example.net.
dangling        CNAME   nothing
loop            CNAME   loop
*.wild          TXT     "made"
a.ent           A       192.0.2.3
old             DNAME   new
www.new         A       192.0.2.4
_web._tcp       SRV     0 5 8080 www
sub             NS      ns.sub
ns.sub          A       192.0.2.54
hidden.sub      A       192.0.2.66
odd             TYPE731 \\# 4 DEADBEEF
www             HTTPS   1 . alpn=h2
""" + "".join(f"big TXT \"{i:02} {'x' * 100}\"\n" for i in range(20))


@pytest.fixture
def hosted(make_dnsd):
    """A dnsd with the zone above."""
    dnsd = make_dnsd(settings={"dns.nsid": "here"}).start()
    reply = dnsd.api.request(
        "PUT", "/v1/zones/example.org", ZONE, headers={"Content-Type": "text/dns"}
    )
    assert reply.status in (200, 201), reply.body
    return dnsd


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr


def at(dnsd) -> tuple[str, str]:
    host, port = dnsd.dns[0]
    return host, str(port)


def dig(dnsd, *words: str) -> str:
    host, port = at(dnsd)
    return run("dig", f"@{host}", "-p", port, "+nocmd", "+norec", "+nocookie", *words)


def kdig(dnsd, *words: str) -> str:
    host, port = at(dnsd)
    return run("kdig", f"@{host}", "-p", port, "+norec", *words)


def drill(dnsd, *words: str) -> str:
    host, port = at(dnsd)
    name, *others = words
    return run("drill", "-o", "rd", "-p", port, name, f"@{host}", *others)


def delv(dnsd, *words: str) -> str:
    """Without validation: the zone is not signed."""
    host, port = at(dnsd)
    return run("delv", f"@{host}", "-p", port, "-i", *words)


def host(dnsd, *words: str) -> str:
    address, port = at(dnsd)
    name, rr_type = words
    return run("host", "-r", "-v", "-p", port, "-t", rr_type, name, address)


def records(text: str) -> set[tuple[str, ...]]:
    """Owner, TTL, type and data of every record that a tool shows, in any section."""
    lines = re.findall(r"^(\S+)\s+(\d+)\s+IN\s+(\S+)\s+(.+?)\s*$", text, re.MULTILINE)
    return {(owner.lower(), ttl, kind, data) for owner, ttl, kind, data in lines}


def head(text: str) -> tuple[str, set[str]]:
    """The rcode and the flags, whichever way a tool writes them."""
    rcode = re.search(r"(?:status|rcode): (\w+)", text)
    flags = re.search(r"[Ff]lags: ([a-z ]*);", text)
    assert rcode and flags, text
    return rcode[1], set(flags[1].split())


SOA = ("example.org.", "30", "SOA")


@pytest.mark.parametrize("tool", [dig, kdig, drill, host])
def test_an_rrset_comes_whole_and_authoritative(hosted, tool):
    shown = tool(hosted, "www.example.org", "A")
    rcode, flags = head(shown)
    assert rcode == "NOERROR" and "aa" in flags and not flags & {"tc", "ra", "ad"}
    assert {("www.example.org.", "60", "A", "192.0.2.1"),
            ("www.example.org.", "60", "A", "192.0.2.2")} <= records(shown)


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_nxdomain_and_nodata_carry_the_soa_with_the_negative_ttl(hosted, tool):
    for name, rr_type, rcode in [
        ("nothing.example.org", "A", "NXDOMAIN"),
        ("www.example.org", "MX", "NOERROR"),
        ("ent.example.org", "A", "NOERROR"),  # an empty non-terminal exists
        ("b.ent.example.org", "A", "NXDOMAIN"),
        ("wild.example.org", "TXT", "NOERROR"),
    ]:
        shown = tool(hosted, name, rr_type)
        assert head(shown)[0] == rcode, shown
        assert {record[:3] for record in records(shown)} == {SOA}, shown


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_aliases_are_followed_to_the_last_name(hosted, tool):
    shown = tool(hosted, "alias.example.org", "A")
    assert [record[2] for record in sorted(records(shown))] == ["CNAME", "A", "A"], shown
    assert head(tool(hosted, "dangling.example.org", "A"))[0] == "NXDOMAIN"
    assert len(records(tool(hosted, "out.example.org", "A"))) == 1
    assert len(records(tool(hosted, "loop.example.org", "A"))) == 1
    shown = tool(hosted, "www.old.example.org", "A")
    assert records(shown) == {
        ("old.example.org.", "60", "DNAME", "new.example.org."),
        ("www.old.example.org.", "60", "CNAME", "www.new.example.org."),
        ("www.new.example.org.", "60", "A", "192.0.2.4"),
    }


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_what_is_delegated_is_referred_with_glue_and_never_answered(hosted, tool):
    referral = {
        ("sub.example.org.", "60", "NS", "ns.sub.example.org."),
        ("ns.sub.example.org.", "60", "A", "192.0.2.54"),
    }
    for name, rr_type in [("www.sub.example.org", "A"), ("sub.example.org", "NS"),
                          ("ns.sub.example.org", "A"), ("hidden.sub.example.org", "A")]:
        shown = tool(hosted, name, rr_type)
        rcode, flags = head(shown)
        assert rcode == "NOERROR" and "aa" not in flags, shown
        assert records(shown) == referral, shown
    assert {record[:3] for record in records(tool(hosted, "sub.example.org", "DS"))} == {SOA}


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_wildcards_make_records_for_names_that_are_not_there(hosted, tool):
    assert ("a.b.wild.example.org.", "60", "TXT", '"made"') in records(
        tool(hosted, "a.b.wild.example.org", "TXT")
    )


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_addresses_of_targets_come_along(hosted, tool):
    shown = records(tool(hosted, "example.org", "MX"))
    assert ("mail.example.org.", "60", "A", "192.0.2.25") in shown
    assert ("mail.example.org.", "60", "AAAA", "2001:db8::25") in shown
    assert len(records(tool(hosted, "_web._tcp.example.org", "SRV"))) == 3


@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_names_outside_of_our_zones_are_refused(hosted, tool):
    assert head(tool(hosted, "www.example.net", "A"))[0] == "REFUSED"


@pytest.mark.parametrize("tool", [dig, kdig])
def test_a_type_that_nobody_knows_is_shown_as_it_came(hosted, tool):
    (record,) = records(tool(hosted, "odd.example.org", "TYPE731"))
    assert record[2] == "TYPE731" and record[3].replace(" ", "") == "\\#4DEADBEEF"


def test_truncated_answers_hold_what_fits_and_tcp_holds_all(hosted):
    for tool in (dig, kdig):
        small = tool(hosted, "big.example.org", "TXT", "+ignore", "+noedns")
        assert "tc" in head(small)[1] and 0 < len(records(small)) < 20
        assert len(records(tool(hosted, "big.example.org", "TXT", "+tcp"))) == 20
    assert len(records(dig(hosted, "big.example.org", "TXT"))) == 20  # it asks again by itself
    assert len(records(drill(hosted, "big.example.org", "TXT", "-t"))) == 20


@pytest.mark.parametrize("tool", [dig, drill])
def test_spelling_comes_back_as_it_was_sent(hosted, tool):
    assert "wWw.ExAmPlE.oRg." in tool(hosted, "wWw.ExAmPlE.oRg", "A")


def test_edns_as_dig_shows_it(hosted):
    assert "NSID: 68 65 72 65" in dig(hosted, "+nsid", "www.example.org")
    assert "NSID" not in dig(hosted, "www.example.org")
    assert head(dig(hosted, "+edns=1", "+noednsneg", "www.example.org"))[0] == "BADVERS"
    assert re.search(r"EDNS: version: 0, flags:;", dig(hosted, "+edns=1", "www.example.org"))
    shown = dig(hosted, "+dnssec", "+ednsflags=0xffff", "+ednsopt=65001:0102", "www.example.org")
    assert re.search(r"EDNS: version: 0, flags: do; udp: 1232", shown)
    shown = dig(hosted, "+tcp", "+keepalive", "www.example.org")
    assert re.search(r"TCP[ -]KEEPALIVE: 10\.0", shown, re.IGNORECASE), shown
    assert "KEEPALIVE" not in dig(hosted, "+keepalive", "www.example.org").upper()
    assert "PAD" not in dig(hosted, "+padding=64", "www.example.org")
    assert "CLIENT-SUBNET" not in dig(hosted, "+subnet=192.0.2.0/24", "www.example.org")
    assert "EDE: 20" in dig(hosted, "www.example.net")
    assert "EDE: 21" in dig(hosted, "www.example.org", "MAILB")


def test_the_zones_version_is_its_serial(hosted):
    serial = re.search(r"SOA\s+\S+ \S+ (\d+)", dig(hosted, "example.org", "SOA"))[1]
    version = re.search(r"OPT=19: ([0-9a-f ]+)", dig(hosted, "+ednsopt=19", "nothing.example.org"))
    assert bytes.fromhex(version[1]) == b"\2\0" + int(serial).to_bytes(4, "big")


@pytest.mark.parametrize("tool", [kdig, drill])
def test_kdig_and_drill_see_the_same_identity(hosted, tool):
    words = ["+nsid"] if tool is kdig else []
    shown = tool(hosted, "www.example.org", "A", *words)
    assert ("here" in shown) == (tool is kdig)


def test_delv_resolves_through_what_it_is_told(hosted):
    shown = delv(hosted, "alias.example.org", "A")
    assert "192.0.2.1" in shown and "alias.example.org." in shown
    assert "ncache nxdomain" in delv(hosted, "nothing.example.org", "A")
    assert "ncache nxrrset" in delv(hosted, "www.example.org", "MX")


def test_host_says_it_in_words(hosted):
    address, port = at(hosted)
    shown = run("host", "-r", "-p", port, "example.org", address)
    assert "mail is handled by 10 mail.example.org." in shown
    shown = run("host", "-r", "-p", port, "alias.example.org", address)
    assert "is an alias for www.example.org." in shown and "has address 192.0.2.2" in shown
    assert "not found: 3(NXDOMAIN)" in run("host", "-r", "-p", port, "nothing.example.org", address)
    assert "not found: 5(REFUSED)" in run("host", "-r", "-p", port, "example.net", address)
    assert "has no MX record" in run("host", "-r", "-p", port, "-t", "MX", "www.example.org", address)
