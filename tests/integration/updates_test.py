"""Dynamic update (RFC 2136) as nsupdate, knsupdate and dnspython send it."""

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
import pytest

from harness import PATIENCE, Daemon, texts, until
from name_servers import Key, program, records, serial_of, update

ZONE = "example.org"
FILE = """$TTL 300
@       SOA  ns hostmaster 100 3600 600 86400 60
@       NS   ns
@       NS   ns2
ns      A    192.0.2.53
ns2     A    192.0.2.54
www     A    192.0.2.1
www     A    192.0.2.2
text    TXT  "one"
alias   CNAME www
"""
ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"]
OF_SERVICES = ["web", "i-1.web", "_web._tcp"]


@pytest.fixture
def updater() -> Key:
    return Key("updates.example.net")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests: each finds the zone as the file has it."""
    server = Daemon(tmp_path_factory.mktemp("dnsd"), settings={"transfer.allow": ["127.0.0.0/8"]}).start()
    yield server
    server.stop()


@pytest.fixture
def dnsd(server, updater):
    """Serves the zone, which has a service too; the updater may change it."""
    updater.register(server)
    host(server, updater)
    server.api.put(f"/v1/namespaces/{ZONE}/services/web", {})
    server.api.put(f"/v1/namespaces/{ZONE}/services/web/instances/i-1", {"ipv4": "192.0.2.80", "port": 80})
    return server


def host(dnsd, *updaters: Key) -> None:
    dnsd.api.put(f"/v1/zones/{ZONE}", FILE, headers={"Content-Type": "text/dns"})
    dnsd.api.put(f"/v1/zones/{ZONE}", dnsd.api.get(f"/v1/zones/{ZONE}") | {"updaters": [key.name for key in updaters]})


def held(dnsd) -> list[str]:
    return records(dnsd.dns[0], ZONE)


def sent(dnsd, key: Key, *changes: tuple) -> str:
    """The rcode of the reply."""
    return dns.rcode.to_text(update(dnsd.dns[0], ZONE, key, *changes).rcode())


def reason(message: dns.message.Message) -> str:
    return message.options[0].text if message.options else ""


# The tools of others

@pytest.mark.parametrize("tool", ["nsupdate", "knsupdate"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_everyday_tools_change_records(dnsd, tool, algorithm):
    key = Key(f"{algorithm}.example.net", algorithm).register(dnsd)
    host(dnsd, key)
    address, port = dnsd.dns[0]
    said = program(tool, "-y", key.option, stdin=f"""
        server {address} {port}
        zone {ZONE}.
        prereq nxdomain new.{ZONE}.
        prereq yxrrset www.{ZONE}. A
        update add new.{ZONE}. 60 A 192.0.2.9
        update add new.{ZONE}. 60 AAAA 2001:db8::9
        update del www.{ZONE}. A 192.0.2.1
        update del text.{ZONE}. TXT
        send
        """)
    assert "error" not in said.lower() and "fail" not in said.lower(), said
    assert dnsd.addresses(f"new.{ZONE}") == ["192.0.2.9"] and dnsd.addresses(f"new.{ZONE}", "AAAA") == ["2001:db8::9"]
    assert dnsd.addresses(f"www.{ZONE}") == ["192.0.2.2"]
    assert dnsd.query(f"text.{ZONE}", "TXT").rcode() == dns.rcode.NXDOMAIN
    assert serial_of(dnsd.dns[0], ZONE) > 100


@pytest.mark.parametrize("tool", ["nsupdate", "knsupdate"])
def test_the_everyday_tools_say_why_not(dnsd, updater, tool):
    address, port = dnsd.dns[0]
    before = held(dnsd)

    def asked(lines: str, *options) -> str:
        said = program(tool, *options, stdin=f"server {address} {port}\nzone {ZONE}.\n{lines}\nsend\nanswer\n", succeeds=None)
        return said.upper()

    assert "REFUSED" in asked(f"update add new.{ZONE}. 60 A 192.0.2.9")
    assert "REFUSED" in asked(f"update add web.{ZONE}. 60 A 192.0.2.9", "-y", updater.option)
    assert "YXDOMAIN" in asked(f"prereq nxdomain www.{ZONE}.\nupdate add new.{ZONE}. 60 A 192.0.2.9", "-y", updater.option)
    assert "NXRRSET" in asked(f"prereq yxrrset www.{ZONE}. TXT\nupdate add new.{ZONE}. 60 A 192.0.2.9", "-y", updater.option)
    assert held(dnsd) == before


def test_a_certificate_is_had_by_a_name_that_is_there_for_a_moment(dnsd, updater):
    """The DNS challenge of ACME: nsupdate adds it, everyone sees it, nsupdate takes it away."""
    address, port = dnsd.dns[0]
    before = held(dnsd)[1:]
    for verb in ("add", "delete"):
        program("nsupdate", "-y", updater.option, stdin=f"server {address} {port}\nzone {ZONE}\n"
                f"update {verb} _acme-challenge.www.{ZONE}. 1 TXT \"gfj9Xq...Rg85nM\"\nsend\n")
        reply = dnsd.query(f"_acme-challenge.www.{ZONE}", "TXT")
        assert texts(reply, "TXT") == ['"gfj9Xq...Rg85nM"'] * (verb == "add")
    assert held(dnsd)[1:] == before


# What must hold before: RFC 2136 §2.4

A_SET = ("192.0.2.1", "192.0.2.2")


@pytest.mark.parametrize(("prerequisite", "rcode"), [
    (("present", "www"), "NOERROR"),
    (("present", "nobody"), "NXDOMAIN"),
    (("present", "web"), "NOERROR"),
    (("absent", "nobody"), "NOERROR"),
    (("absent", "www"), "YXDOMAIN"),
    (("absent", "i-1.web"), "YXDOMAIN"),
    (("present", "www", "A"), "NOERROR"),
    (("present", "www", "TXT"), "NXRRSET"),
    (("present", "nobody", "A"), "NXRRSET"),
    (("absent", "www", "TXT"), "NOERROR"),
    (("absent", "www", "A"), "YXRRSET"),
    (("present", "www", "A", *A_SET), "NOERROR"),
    (("present", "www", "A", *reversed(A_SET)), "NOERROR"),
    (("present", "www", "A", A_SET[0]), "NXRRSET"),
    (("present", "www", "A", *A_SET, "192.0.2.3"), "NXRRSET"),
    (("present", "text", "TXT", '"two"'), "NXRRSET"),
    (("present", "web", "A", "192.0.2.80"), "NOERROR"),
    (("present", "@", "SOA"), "NOERROR"),
    (("present", "outside.example.net."), "NOTZONE"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else value)
def test_prerequisites(dnsd, updater, prerequisite, rcode):
    before = held(dnsd)
    assert sent(dnsd, updater, prerequisite, ("add", "new", 60, "A", "192.0.2.9")) == rcode
    if rcode != "NOERROR":
        assert held(dnsd) == before
        return
    assert dnsd.addresses(f"new.{ZONE}") == ["192.0.2.9"]


def test_one_prerequisite_that_fails_undoes_all(dnsd, updater):
    before = held(dnsd)
    assert sent(dnsd, updater, ("present", "www"), ("absent", "nobody"), ("present", "text", "A"),
                ("add", "new", 60, "A", "192.0.2.9"), ("delete", "www"), ("replace", "text", 60, "TXT", "two")) == "NXRRSET"
    assert held(dnsd) == before


# What changes: RFC 2136 §2.5

@pytest.mark.parametrize(("changes", "gone", "new"), [
    ([("add", "new", 60, "A", "192.0.2.9")], [], ["new.{zone}. 60 A 192.0.2.9"]),
    ([("add", "www", 300, "A", "192.0.2.9")], [], ["www.{zone}. 300 A 192.0.2.9"]),
    ([("add", "www", 60, "TXT", "x")], [], ['www.{zone}. 60 TXT "x"']),
    ([("delete", "www", "A", "192.0.2.1")], ["www.{zone}. 300 A 192.0.2.1"], []),
    ([("delete", "www", "A")], ["www.{zone}. 300 A 192.0.2.1", "www.{zone}. 300 A 192.0.2.2"], []),
    ([("delete", "text")], ['text.{zone}. 300 TXT "one"'], []),
    ([("replace", "text", 60, "TXT", "two")], ['text.{zone}. 300 TXT "one"'], ['text.{zone}. 60 TXT "two"']),
    ([("delete", "text"), ("add", "text", 9, "A", "192.0.2.9")], ['text.{zone}. 300 TXT "one"'],
     ["text.{zone}. 9 A 192.0.2.9"]),
    ([("add", "sub", 60, "NS", "ns.sub"), ("add", "ns.sub", 60, "A", "192.0.2.9")], [],
     ["sub.{zone}. 60 NS ns.sub.{zone}.", "ns.sub.{zone}. 60 A 192.0.2.9"]),
    ([("replace", "alias", 60, "CNAME", "text")], ["alias.{zone}. 300 CNAME www.{zone}."],
     ["alias.{zone}. 60 CNAME text.{zone}."]),
    ([("add", "*.wild", 60, "TYPE65400", r"\# 2 abcd")], [], [r"*.wild.{zone}. 60 TYPE65400 \# 2 abcd"]),
    # §3.4.2: passed over in silence
    ([("add", "www", 300, "A", "192.0.2.1")], [], []),
    ([("delete", "nobody")], [], []),
    ([("delete", "www", "MX")], [], []),
    ([("delete", "www", "A", "192.0.2.77")], [], []),
    ([("add", "www", 60, "CNAME", "text")], [], []),
    ([("add", "alias", 60, "A", "192.0.2.9")], [], []),
    ([("delete", "@", "NS")], [], []),
    ([("delete", "@", "SOA")], [], []),
    ([("delete", "@")], [], []),
    ([("add", "@", 300, "SOA", "ns hostmaster 99 3600 600 86400 60")], [], []),
    # and the last NS stays, whatever goes before it
    ([("delete", "@", "NS", "ns"), ("delete", "@", "NS", "ns2")], ["{zone}. 300 NS ns.{zone}."], []),
], ids=lambda value: str(value))
def test_updates(dnsd, updater, changes, gone, new):
    before = held(dnsd)
    assert sent(dnsd, updater, *changes) == "NOERROR"
    after = held(dnsd)
    assert set(before[1:]) - set(after[1:]) == {record.format(zone=ZONE) for record in gone}
    assert set(after[1:]) - set(before[1:]) == {record.format(zone=ZONE) for record in new}
    moved = int(after[0].split()[5]) - int(before[0].split()[5])
    assert moved == (1 if gone or new else 0)


def test_a_newer_soa_is_taken_with_its_serial(dnsd, updater):
    assert sent(dnsd, updater, ("add", "@", 60, "SOA", "ns2 root 5000 1800 300 43200 30"), ("delete", "text")) == "NOERROR"
    soa = dnsd.query(ZONE, "SOA").answer[0]
    assert soa.ttl == 60 and soa[0].to_text() == "ns2.example.org. root.example.org. 5000 1800 300 43200 30"
    assert sent(dnsd, updater, ("delete", "www")) == "NOERROR"
    assert serial_of(dnsd.dns[0], ZONE) == 5001


def test_the_ttl_of_a_record_that_is_added_is_the_whole_sets(dnsd, updater):
    """RFC 2181 §5.2: they cannot differ."""
    assert sent(dnsd, updater, ("add", "www", 60, "A", "192.0.2.9")) == "NOERROR"
    www = dnsd.query(f"www.{ZONE}").answer[0]
    assert www.ttl == 60 and len(www) == 3


def test_an_update_is_one_change_however_much_it_holds(dnsd, updater):
    before = serial_of(dnsd.dns[0], ZONE)
    revision = dnsd.api.get("/v1/status")["revision"]
    assert sent(dnsd, updater, *(("add", f"host-{n}", 60, "A", f"192.0.2.{n}") for n in range(200))) == "NOERROR"
    assert serial_of(dnsd.dns[0], ZONE) == before + 1
    assert dnsd.api.get("/v1/status")["revision"] == revision + 1
    assert dnsd.addresses(f"host-199.{ZONE}") == ["192.0.2.199"]
    dnsd.kill()
    dnsd.start()
    assert dnsd.addresses(f"host-199.{ZONE}") == ["192.0.2.199"], "acknowledged is durable"


def test_over_udp_too_and_one_at_a_time(dnsd, updater):
    address, port = dnsd.dns[0]
    for number in range(50):
        message = dns.update.Update(ZONE, **updater.signing)
        message.add("counter", 1, "TXT", str(number)) if number == 0 else message.replace("counter", 1, "TXT", str(number))
        reply = dns.query.udp(message, address, PATIENCE, port)
        assert reply.rcode() == dns.rcode.NOERROR and reply.had_tsig
        assert texts(dnsd.query(f"counter.{ZONE}", "TXT"), "TXT") == [f'"{number}"'], "visible when it is acknowledged"


# Who may, and what nobody may

def test_refused_without_a_key_or_with_one_that_is_no_updater(dnsd, updater):
    before = held(dnsd)
    stranger = Key("stranger.example.net").register(dnsd)
    address, port = dnsd.dns[0]

    def reply(key=None) -> dns.message.Message:
        message = dns.update.Update(ZONE, **(key.signing if key else {}))
        message.add("new", 60, "A", "192.0.2.9")
        message.use_edns(0)
        return dns.query.tcp(message, address, PATIENCE, port)

    unsigned, signed = reply(), reply(stranger)
    assert unsigned.rcode() == dns.rcode.REFUSED and "TSIG" in reason(unsigned)
    assert signed.rcode() == dns.rcode.REFUSED and "may not update" in reason(signed) and signed.had_tsig
    with pytest.raises(dns.tsig.PeerBadKey):
        reply(Key("nobody.example.net"))
    with pytest.raises(dns.tsig.PeerBadSignature):
        reply(Key(updater.name, secret="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
    assert held(dnsd) == before


@pytest.mark.parametrize("owner", OF_SERVICES)
@pytest.mark.parametrize("change", [("add", 60, "TXT", "x"), ("delete",), ("delete", "A")], ids=str)
def test_names_of_services_change_with_the_services_alone(dnsd, updater, owner, change):
    before = held(dnsd)
    method, *rest = change
    message = dns.update.Update(ZONE, **updater.signing)
    message.add("new", 60, "A", "192.0.2.9")
    getattr(message, method)(owner, *rest)
    message.use_edns(0)
    reply = dns.query.tcp(message, dnsd.dns[0][0], PATIENCE, dnsd.dns[0][1])
    assert reply.rcode() == dns.rcode.REFUSED and f"{owner}.{ZONE}" in reason(reply), reason(reply)
    assert held(dnsd) == before


def test_other_zones_and_secondaries(dnsd, updater, make_dnsd):
    assert dns.rcode.to_text(update(dnsd.dns[0], "example.net", updater, ("delete", "www")).rcode()) == "NOTAUTH"
    assert dns.rcode.to_text(update(dnsd.dns[0], f"www.{ZONE}", updater, ("delete", "x")).rcode()) == "NOTAUTH"
    secondary = make_dnsd("secondary").start()
    updater.register(secondary)
    following = {"primaries": [f"127.0.0.1:{dnsd.dns[0][1]}"]}
    refused = secondary.api.request("PUT", f"/v1/zones/{ZONE}", following | {"updaters": [updater.name]})
    assert refused.status == 422 and "changed at its primary" in refused.json["errors"][0]["detail"]
    secondary.api.put(f"/v1/zones/{ZONE}", following)
    until(lambda: serial_of(secondary.dns[0], ZONE), "it has the zone")
    assert sent(secondary, updater, ("delete", "www")) == "NOTIMP"
    assert secondary.addresses(f"www.{ZONE}") == ["192.0.2.1", "192.0.2.2"]


def test_what_the_update_did_is_seen_over_rest_and_in_transfers(dnsd, updater):
    update(dnsd.dns[0], ZONE, updater, ("add", "new", 60, "MX", "10 mail"))
    assert dnsd.api.get(f"/v1/zones/{ZONE}/records/new/MX")["records"] == ["10 mail.example.org."]
    event = dnsd.api.get("/v1/events?limit=1")["events"][0]
    assert event["dns_names"] == [f"new.{ZONE}"] and event["serial"] == serial_of(dnsd.dns[0], ZONE)
