"""dnsd as a secondary of stock name servers and of another dnsd, and the zone files that go between them."""

import re

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rrset
import pytest

from harness import NAMESPACE, PATIENCE, WEB, make_service, texts, until
from name_servers import Bind, Key, Knot, Nsd, Zone, program, records, serial_of
from upstream import Upstream

ZONE = "example.org"
KINDS = [Bind, Knot, Nsd]
NO_REFRESH = "86400 86400 1209600 60"  # so that NOTIFY alone brings what is new


def zone_file(serial: int, *lines: str, timers=NO_REFRESH) -> str:
    return "\n".join([f"$ORIGIN {ZONE}.", "$TTL 300", f"@ SOA ns hostmaster {serial} {timers}", "@ NS ns",
                      "ns A 192.0.2.53", "www A 192.0.2.1", *lines, ""])


@pytest.fixture
def secondary(make_dnsd):
    return make_dnsd("secondary", settings={"transfer.allow": ["127.0.0.0/8"]}).start()


def follow(dnsd, *primaries: str, **more) -> None:
    dnsd.api.put(f"/v1/zones/{ZONE}", {"primaries": list(primaries)} | more)


def has_serial(dnsd, serial: int, zone=ZONE) -> None:
    until(lambda: serial_of(dnsd.dns[0], zone) == serial, f"the secondary has the serial {serial}")


def same(secondary, primary, zone=ZONE, key=None) -> None:
    until(lambda: (serial_of(primary, zone) or -1) == serial_of(secondary.dns[0], zone), "the serials are the same")
    ours, theirs = records(secondary.dns[0], zone), records(primary, zone, key)
    assert ours == theirs, set(ours) ^ set(theirs)


def came(dnsd, kind: str) -> int:
    return len(re.findall(rf"transfer in zone={ZONE} primary=\S+ kind={kind} ", dnsd.stderr))


def notify_update(server, key: Key, tool: str, *lines: str) -> None:
    program(tool, "-y", key.option, stdin="\n".join(
        [f"server {server.address} {server.port}", f"zone {ZONE}.", *lines, "send", ""]))


# First the whole zone, then what changed

@pytest.mark.parametrize(("kind", "tool"), [(Bind, "nsupdate"), (Knot, "knsupdate")])
@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha512"])
def test_signed_transfers_follow_updates_at_the_primary(secondary, make_name_server, kind, tool, algorithm):
    key, updater = Key("xfr.example.net", algorithm).register(secondary), Key("updates.example.net")
    primary = make_name_server(kind, Zone(ZONE, zone_file(1, *(f"host-{n} A 192.0.2.{n}" for n in range(20))),
                                          notify=secondary.dns, key=key, updater=updater)).start()
    follow(secondary, f"{primary.peer} key {key.name}")
    same(secondary, primary.at, key=key)
    assert came(secondary, "axfr") == 1
    for number in range(3):  # Knot waits a second before it tells of an update
        notify_update(primary, updater, tool, f"update add new-{number}.{ZONE}. 60 A 192.0.2.{number}",
                      f"update delete host-{number}.{ZONE}.")
        until(lambda name=f"new-{number}.{ZONE}": secondary.addresses(name), "NOTIFY leads to a refresh at once")
    same(secondary, primary.at, key=key)
    assert secondary.query(f"host-2.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert came(secondary, "axfr") == 1 and came(secondary, "ixfr") >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_another_zone_file_at_the_primary(secondary, make_name_server, kind):
    primary = make_name_server(kind, Zone(ZONE, zone_file(1), notify=secondary.dns)).start()
    follow(secondary, primary.peer)
    same(secondary, primary.at)
    primary.rewrite(ZONE, zone_file(2, "new A 192.0.2.9", 'new TXT "x"'))
    has_serial(secondary, 2)
    same(secondary, primary.at)
    assert came(secondary, "axfr") == (1 if kind is not Nsd else 2)


def test_a_serial_that_wraps_around(secondary, make_name_server):
    """RFC 1982."""
    primary = make_name_server(Knot, Zone(ZONE, zone_file(4294967295), notify=secondary.dns)).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 4294967295)
    primary.rewrite(ZONE, zone_file(3, "new A 192.0.2.9"))
    has_serial(secondary, 3)
    assert secondary.addresses(f"new.{ZONE}") == ["192.0.2.9"]


def test_a_large_zone_comes_in_many_messages(secondary, make_name_server):
    key = Key("xfr.example.net").register(secondary)
    lines = [f"host-{n} TXT \"{n} {'x' * 100}\"" for n in range(5000)]
    primary = make_name_server(Nsd, Zone(ZONE, zone_file(1, *lines), key=key)).start()
    follow(secondary, f"{primary.peer} key {key.name}")
    same(secondary, primary.at, key=key)
    assert int(re.search(r"messages=(\d+)", secondary.stderr)[1]) > 10


# Primaries that cannot do all of it

def test_a_primary_that_keeps_no_differences_sends_the_zone(secondary, make_name_server):
    primary = make_name_server(Bind, Zone(ZONE, zone_file(1), notify=secondary.dns, has_ixfr=False)).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 1)
    primary.rewrite(ZONE, zone_file(2, "new A 192.0.2.9"))
    has_serial(secondary, 2)
    same(secondary, primary.at)
    assert came(secondary, "axfr") == 2


@pytest.mark.parametrize("rcode", [dns.rcode.NOTIMP, dns.rcode.FORMERR, dns.rcode.REFUSED], ids=dns.rcode.to_text)
def test_a_primary_that_knows_no_ixfr_is_asked_for_all(secondary, rcode):
    serial = 1

    def reply_with(reply: dns.message.Message, asked) -> dns.message.Message:
        soa = [dns.rrset.from_text(f"{ZONE}.", 300, "IN", "SOA", 
                                   f"ns.{ZONE}. hostmaster.{ZONE}. {serial} {NO_REFRESH}")]
        name_server = dns.rrset.from_text(f"{ZONE}.", 300, "IN", "NS", f"ns.{ZONE}.")
        address = dns.rrset.from_text(f"ns.{ZONE}.", 300, "IN", "A", f"192.0.2.{serial}")
        reply.authority, reply.flags = [], reply.flags | dns.flags.AA
        reply.set_rcode(rcode if asked.rr_type == "IXFR" else dns.rcode.NOERROR)
        reply.answer = {"SOA": soa, "AXFR": [*soa, name_server, address, *soa]}.get(asked.rr_type, [])
        return reply

    primary = Upstream()
    primary.distort = reply_with
    follow(secondary, str(primary))
    has_serial(secondary, 1)
    serial = 2
    secondary.api.post(f"/v1/zones/{ZONE}/refresh")
    has_serial(secondary, 2)
    assert secondary.addresses(f"ns.{ZONE}") == ["192.0.2.2"]
    assert [primary.count(rr_type=one) for one in ("AXFR", "IXFR")] == [2, 1]
    assert "falls back to AXFR" in secondary.stderr
    primary.close()


# NOTIFY, and asking without it

def test_only_primaries_are_listened_to(secondary, make_name_server):
    primary = make_name_server(Knot, Zone(ZONE, zone_file(1))).start()  # it tells nobody
    follow(secondary, primary.peer)
    has_serial(secondary, 1)
    primary.rewrite(ZONE, zone_file(2))
    until(lambda: serial_of(primary.at, ZONE) == 2, "the primary has read it")
    notice = dns.message.make_query(ZONE, "SOA")
    notice.set_opcode(dns.opcode.NOTIFY)

    def told(source: str) -> str:
        host, port = secondary.dns[0]
        return dns.rcode.to_text(dns.query.udp(notice, host, PATIENCE, port, source=source).rcode())

    assert told("127.0.0.1") == "REFUSED"
    assert serial_of(secondary.dns[0], ZONE) == 1
    assert told(primary.address) == "NOERROR"
    has_serial(secondary, 2)
    notice.question[0].name = dns.name.from_text("example.net")
    assert told(primary.address) == "NOTAUTH"


def test_the_timers_of_the_soa_find_what_nobody_told(secondary, make_name_server):
    primary = make_name_server(Nsd, Zone(ZONE, zone_file(1, timers="1 1 86400 60"))).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 1)
    primary.rewrite(ZONE, zone_file(2, timers="1 1 86400 60"))
    has_serial(secondary, 2)


# Keys

def test_a_wrong_key_is_told_of_and_a_right_one_mends_it(secondary, make_name_server):
    key = Key("xfr.example.net")
    primary = make_name_server(Knot, Zone(ZONE, zone_file(1), key=key)).start()
    Key(key.name, secret="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").register(secondary)
    follow(secondary, f"{primary.peer} key {key.name}")
    until(lambda: "BADSIG" in secondary.stderr, "the log says what is wrong")
    line = next(line for line in secondary.stderr.splitlines() if "BADSIG" in line)
    assert f"secondary failed zone={ZONE}" in line and primary.peer in line, line
    assert serial_of(secondary.dns[0], ZONE) is None
    key.register(secondary)
    has_serial(secondary, 1)
    assert f"secondary recovered zone={ZONE}" in secondary.stderr


def test_a_key_that_the_primary_does_not_know_and_one_that_is_missing(secondary, make_name_server):
    key, stranger = Key("xfr.example.net").register(secondary), Key("stranger.example.net").register(secondary)
    primary = make_name_server(Bind, Zone(ZONE, zone_file(1), key=key)).start()
    follow(secondary, f"{primary.peer} key {stranger.name}")
    until(lambda: "BADKEY" in secondary.stderr, "the log says what is wrong")
    follow(secondary, primary.peer)
    until(lambda: re.search(rf"secondary failed zone={ZONE} .*REFUSED", secondary.stderr), "the log says what is wrong")
    follow(secondary, f"{primary.peer} key {key.name}")
    has_serial(secondary, 1)


# Primaries that are gone

def test_it_expires_and_comes_back_with_its_primary(secondary, make_name_server):
    primary = make_name_server(Knot, Zone(ZONE, zone_file(1, timers="1 1 2 60"))).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 1)
    primary.stop()
    assert secondary.addresses(f"www.{ZONE}") == ["192.0.2.1"], "until it expires it answers"
    until(lambda: secondary.query(f"www.{ZONE}").rcode() == dns.rcode.SERVFAIL, "it has expired")
    reply = secondary.query(f"www.{ZONE}", use_edns=0)
    assert [option.otype for option in reply.options] == [dns.edns.EDE] and not reply.answer
    assert secondary.query(ZONE, "AXFR", tcp=True).rcode() == dns.rcode.SERVFAIL
    secondary.restart()
    assert secondary.query(f"www.{ZONE}").rcode() == dns.rcode.SERVFAIL, "a restart makes nothing younger"
    primary.start()
    until(lambda: secondary.addresses(f"www.{ZONE}") == ["192.0.2.1"], "it is back")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_it_answers_from_its_store_after_a_restart(secondary, make_name_server, end):
    primary = make_name_server(Knot, Zone(ZONE, zone_file(7), notify=secondary.dns)).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 7)
    held = records(secondary.dns[0], ZONE)
    primary.stop()
    getattr(secondary, end)()
    secondary.start()
    assert records(secondary.dns[0], ZONE) == held
    primary.rewrite(ZONE, zone_file(8, "new A 192.0.2.9"))
    primary.start()
    has_serial(secondary, 8)


def test_another_primary_is_asked_when_one_is_gone(secondary, make_name_server):
    first = make_name_server(Knot, Zone(ZONE, zone_file(1), notify=secondary.dns)).start()
    second = make_name_server(Nsd, Zone(ZONE, zone_file(1), notify=secondary.dns)).start()
    follow(secondary, first.peer, second.peer)
    has_serial(secondary, 1)
    first.stop()
    second.rewrite(ZONE, zone_file(2))
    has_serial(secondary, 2)


def test_what_a_secondary_holds_is_changed_at_its_primary(secondary, make_name_server):
    primary = make_name_server(Knot, Zone(ZONE, zone_file(1))).start()
    follow(secondary, primary.peer)
    has_serial(secondary, 1)
    for method, path, body, options in [
            ("PUT", f"/v1/zones/{ZONE}/records/new/A", {"records": ["192.0.2.9"]}, {}),
            ("PUT", f"/v1/namespaces/{ZONE}/services/web", {}, {}),
            ("PUT", f"/v1/zones/{ZONE}", zone_file(9), {"headers": {"Content-Type": "text/dns"}})]:
        refused = secondary.api.request(method, path, body, **options)
        assert refused.status == 409 and "secondary" in refused.json["detail"], refused.body
    assert serial_of(secondary.dns[0], ZONE) == 1


# dnsd behind dnsd, and between others

@pytest.fixture
def pair(make_dnsd):
    """A dnsd with a service, and another as its secondary, with a key."""
    first, second = make_dnsd("first").start(), make_dnsd("second", settings={"transfer.allow": ["127.0.0.0/8"]}).start()
    key = Key("pair.example.net", "hmac-sha384")
    for dnsd in (first, second):
        key.register(dnsd)
    make_service(first.api, {"routing_policy": "weighted", "check": {"type": "custom", "initial_status": "healthy"}},
                 namespace={"transfer": [f"key {key.name}"],
                            "notify": [f"127.0.0.1:{second.dns[0][1]} key {key.name}"]})
    for number in range(10):
        first.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80, "weight": number})
    second.api.put("/v1/zones/demo.internal", {"primaries": [f"127.0.0.1:{first.dns[0][1]} key {key.name}"]})
    same(second, first.dns[0], "demo.internal", key)
    return first, second, key


def test_a_secondary_of_dnsd_goes_on_when_the_first_is_killed(pair):
    first, second, key = pair
    for number in range(1, 10, 2):
        first.api.put(f"{WEB}/instances/i-{number}/health", {"status": "unhealthy"})
    same(second, first.dns[0], "demo.internal", key)
    held = records(first.dns[0], "demo.internal", key)
    first.kill()
    assert records(second.dns[0], "demo.internal") == held
    addresses = texts(second.query("web.demo.internal", tcp=True), "A")
    assert sorted(addresses) == ["192.0.2.2", "192.0.2.4", "192.0.2.6", "192.0.2.8"], "those of weight 0 are not there"
    assert second.query("web.demo.internal").flags & dns.flags.AA
    second.kill()
    second.start()
    assert records(second.dns[0], "demo.internal") == held
    first.start()
    first.api.put(f"{WEB}/instances/i-2/health", {"status": "unhealthy"})
    same(second, first.dns[0], "demo.internal", key)


def test_a_transition_is_at_the_secondary_at_once(pair):
    first, second, _ = pair
    for number in range(20):
        status, there = [("unhealthy", False), ("healthy", True)][number % 2]
        first.api.put(f"{WEB}/instances/i-9/health", {"status": status})
        until(lambda: ("192.0.2.9" in texts(second.query("web.demo.internal", tcp=True), "A")) == there,
              "the secondary knows", patience=5)
    assert "kind=ixfr" in second.stderr


def test_a_chain_passes_on_what_it_is_told(secondary, make_name_server):
    """Knot, dnsd, NSD: each tells the next."""
    updater = Key("updates.example.net")
    knot = make_name_server(Knot, Zone(ZONE, zone_file(1), notify=secondary.dns, updater=updater)).start()
    nsd = make_name_server(Nsd, Zone(ZONE, primaries=secondary.dns))
    follow(secondary, knot.peer, notify=[nsd.peer])
    has_serial(secondary, 1)
    nsd.start()
    until(lambda: serial_of(nsd.at, ZONE) == 1, "NSD has the zone")
    for number in range(5):
        notify_update(knot, updater, "knsupdate", f"update add new-{number}.{ZONE}. 60 A 192.0.2.{number}")
    until(lambda: serial_of(knot.at, ZONE) == serial_of(nsd.at, ZONE), "the end of the chain has it")
    assert records(knot.at, ZONE) == records(secondary.dns[0], ZONE) == records(nsd.at, ZONE)


# Zone files between them

LIVED_IN = r"""
$ORIGIN example.org.
$TTL 1h
@           IN  SOA   ns1 hostmaster.example.org. (
                      2024010203 ; serial
                      2h         ; refresh
                      15M        ; retry
                      2w         ; expire
                      1h )       ; negative TTL
            IN  NS    ns1
            IN  NS    ns2.example.net.
            IN  MX    10 mail
            IN  MX    20 mail.example.net.
            IN  TXT   "v=spf1 mx include:_spf.example.net -all"
            IN  TXT   "a \"quoted\" word; no comment" "and a second string"
            IN  CAA   0 issue "ca.example.net"
            IN  CAA   128 iodef "mailto:security@example.org"
            IN  A     192.0.2.10
            IN  AAAA  2001:db8::10
            IN  HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.10
ns1     300 IN  A     192.0.2.53
ns1     300 IN  AAAA  2001:DB8:0:0::53
mail        IN  A     192.0.2.25
WWW         IN  CNAME example.org.
*.wild      IN  A     192.0.2.42
*.wild      IN  TXT   ( "spread over"
                        "lines" )
_sip._tcp   IN  SRV   0 5 5060 sip
sip         IN  A     192.0.2.60
sip         IN  NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .
_443._tcp.www IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
host        IN  SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
host        IN  HINFO "PDP-11" "UNIX"
odd\.label  IN  TXT   "\226\130\172"
sub         IN  NS    ns.sub
sub         IN  NS    ns1
sub         IN  DS    12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub      IN  A     192.0.2.99
old         IN  DNAME new.example.net.
mx.only     IN  MX    0 .
unknown     IN  TYPE65400 \# 4 DEADBEEF
selector._domainkey IN TXT "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" "second"
"""


def check(path, zone: str) -> None:
    program("named-checkzone", "-i", "local", zone, str(path))
    program("kzonecheck", "-o", zone, str(path))


def export(dnsd, zone: str, view="plain") -> str:
    return dnsd.api.request("GET", f"/v1/zones/{zone}?view={view}", headers={"Accept": "text/dns"}).body.decode()


def test_a_lived_in_zone_file_goes_through_bind_and_back(dnsd, make_name_server, tmp_path, make_dnsd):
    dnsd.api.put(f"/v1/zones/{ZONE}", LIVED_IN, headers={"Content-Type": "text/dns"})
    text = export(dnsd, ZONE)
    exported = tmp_path / "exported.zone"
    exported.write_text(text)
    check(exported, ZONE)

    def held_by_bind(file: str) -> tuple[Bind, list[str]]:
        server = make_name_server(Bind, Zone(ZONE, file)).start()
        return server, records(server.at, ZONE)

    (bind, from_export), (_, from_file) = held_by_bind(text), held_by_bind(LIVED_IN)
    assert from_export[1:] == from_file[1:], set(from_export) ^ set(from_file)
    # What BIND made of it comes back as a transfer, and as a file, and is the same.
    secondary = make_dnsd("secondary").start()
    follow(secondary, bind.peer)
    same_serial = int(from_export[0].split()[5])
    has_serial(secondary, same_serial)
    assert export(secondary, ZONE) == text
    dnsd.api.put(f"/v1/zones/{ZONE}", text, headers={"Content-Type": "text/dns"})
    assert export(dnsd, ZONE) == text, "reading back what was written changes nothing, the serial included"


def test_what_a_zone_with_services_exports_is_accepted(dnsd, tmp_path, make_name_server):
    make_service(dnsd.api, {"routing_policy": "weighted"})
    for number in range(5):
        dnsd.api.put(f"{WEB}/instances/odd%2Fid:{number}", {"ipv4": f"192.0.2.{number}", "ipv6": f"2001:db8::{number}",
                                                           "port": 80, "weight": number})
    dnsd.api.put("/v1/zones/demo.internal/records/www/CNAME", {"records": ["web"]})
    for view in ("plain", "served"):
        text = export(dnsd, "demo.internal", view)
        assert ("SRV" in text) == (view == "served")
        path = tmp_path / f"{view}.zone"
        path.write_text(text)
        program("named-checkzone", "-i", "none", "demo.internal", str(path))
        program("kzonecheck", "-o", "demo.internal", str(path))
    server = make_name_server(Bind, Zone("demo.internal", export(dnsd, "demo.internal", "served"))).start()
    dnsd.api.put(NAMESPACE, dnsd.api.get(NAMESPACE) | {"transfer": ["127.0.0.0/8"]})
    assert records(server.at, "demo.internal") == records(dnsd.dns[0], "demo.internal")
