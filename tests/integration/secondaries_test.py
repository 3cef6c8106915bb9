"""Stock name servers as secondaries of zones with services: NOTIFY, IXFR and AXFR, as BIND, Knot and NSD
understand them, and as dnspython reads them."""

import contextlib
import http.client
import json
import random
import re
import time

import dns.message
import dns.query
import dns.rcode
import dns.versioned
import dns.xfr
import pytest

from harness import NAMESPACE, PATIENCE, WEB, make_service, quoted, texts, until
from name_servers import Bind, Key, Knot, Nsd, Unbound, Zone, program, records, serial_of

ZONE = "demo.internal"
KINDS = [Bind, Knot, Nsd]
CUSTOM = {"check": {"type": "custom", "initial_status": "healthy"}}
ANYONE_HERE = "127.0.0.0/8"


@pytest.fixture
def primary(make_dnsd):
    """Whoever is on this machine may transfer; each transfer is logged."""
    return make_dnsd("primary", settings={"log.level": "debug", "transfer.allow": [ANYONE_HERE]}).start()


def content(record_list: list[str]) -> list[str]:
    """Without the serial."""
    soa, *others = record_list
    return [re.sub(r"^(\S+ \d+ SOA \S+ \S+) \d+", r"\1", soa), *others]


def sent(primary, secondary, kind: str) -> int:
    """Transfers of that kind that the secondary has taken."""
    return len(re.findall(rf"transfer ended zone={ZONE} client={secondary.source} kind={kind} outcome=done",
                          primary.stderr))


def same(primary, secondary, key=None) -> bool:
    """Whether the two have the same serial; then they have the same records."""
    ours, theirs = records(primary.dns[0], ZONE, key), serial_of(secondary.at, ZONE)
    if theirs != int(ours[0].split()[5]):
        return False
    theirs = records(secondary.at, ZONE)
    if theirs[0] != ours[0]:
        return False  # one of them has moved meanwhile
    assert theirs == ours, f"only there: {set(theirs) - set(ours)}; only here: {set(ours) - set(theirs)}"
    return True


def in_step(primary, *secondaries, key=None) -> None:
    for secondary in secondaries:
        until(lambda at=secondary: same(primary, at, key), f"{secondary} has what the primary has")


def serial(primary) -> int:
    return serial_of(primary.dns[0], ZONE)


def follower(make_name_server, primary, kind):
    """Told of the zone's changes, and started when it has the first of them to take."""
    secondary = make_name_server(kind, Zone(ZONE, primaries=primary.dns))
    primary.api.put(NAMESPACE, primary.api.get(NAMESPACE) | {"notify": [secondary.peer]})
    secondary.start()
    in_step(primary, secondary)
    return secondary


# What a thousand changes leave behind

SERVICES = {
    "multivalue": {"routing_policy": "multivalue", "max_answers": 3},
    "weighted": {"routing_policy": "weighted"},
    "failover": {"routing_policy": "failover", "failure_policy": "fail_closed"},
    "simple": {"routing_policy": "simple", "failure_policy": "last_known_good"},
}
RECORDS = {
    "A": lambda draw: [f"192.0.2.{draw.randrange(256)}" for _ in range(draw.randrange(1, 5))],
    "AAAA": lambda draw: [f"2001:db8::{draw.randrange(65536):x}"],
    "TXT": lambda draw: [f'"{draw.randrange(10)} \\"quoted\\" \\226\\130\\172"', f'"{"x" * draw.randrange(255)}"'],
    "MX": lambda draw: [f"{draw.randrange(99)} mail.example.net."],
    "CAA": lambda draw: [f'{draw.randrange(2) * 128} issue "ca{draw.randrange(5)}.example.net"'],
    "TYPE65400": lambda draw: [rf"\# 2 {draw.randrange(65536):04x}"],
}


class Shaker:
    """Changes a zone at random, over one connection."""

    def __init__(self, api, seed: int, namespace: dict):
        self.draw = random.Random(seed)
        self.connection: http.client.HTTPConnection = api.connect()
        self.namespace = namespace
        self.of_all_ttls = 0  # changes
        self.members: dict[tuple[str, str], dict] = {}
        self.sets: dict[tuple[str, str], dict] = {}
        for name, service in SERVICES.items():
            self.request("PUT", f"{NAMESPACE}/services/{name}", CUSTOM | service)

    def request(self, method: str, path: str, body=None) -> dict:
        self.connection.request(method, path, None if body is None else json.dumps(body))
        reply = self.connection.getresponse()
        text = reply.read()
        assert 200 <= reply.status < 300, f"{method} {path} {body}: {reply.status} {text!r}"
        return json.loads(text)

    def change(self) -> None:
        choices = [(self.register, 4), (self.set_record, 2), (self.set_ttl, 0.2), (self.set_apex, 0.3)]
        if self.members:
            choices += [(self.deregister, 2), (self.reweigh, 3), (self.set_health, 5), (self.again, 0.5)]
        if self.sets:
            choices.append((self.delete_record, 1.5))
        self.draw.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]()

    def put(self, member: tuple[str, str]) -> None:
        self.request("PUT", f"{NAMESPACE}/services/{member[0]}/instances/{member[1]}", self.members[member])

    def any_member(self) -> tuple[str, str]:
        return self.draw.choice(sorted(self.members))

    def register(self) -> None:
        draw = self.draw
        member = draw.choice(sorted(SERVICES)), f"i-{draw.randrange(40)}"
        number = draw.randrange(1, 65536)
        self.members[member] = {"port": number, "weight": draw.choice([0, 0, 1, 2, 9]), "priority": draw.randrange(3)}
        if draw.random() < 0.9:
            self.members[member]["ipv4"] = f"10.0.{number // 256}.{number % 256}"
        if draw.random() < 0.3 or "ipv4" not in self.members[member]:
            self.members[member]["ipv6"] = f"2001:db8:1::{number:x}"
        self.put(member)

    def deregister(self) -> None:
        member = self.any_member()
        del self.members[member]
        self.request("DELETE", f"{NAMESPACE}/services/{member[0]}/instances/{member[1]}")

    def reweigh(self) -> None:
        member = self.any_member()
        self.members[member]["weight"] = self.draw.choice([0, 1, 5])
        self.put(member)

    def set_health(self) -> None:
        member, status = self.any_member(), self.draw.choice(["healthy", "unhealthy"])
        self.request("PUT", f"{NAMESPACE}/services/{member[0]}/instances/{member[1]}/health", {"status": status})

    def again(self) -> None:
        self.put(self.any_member())

    def set_record(self) -> None:
        draw = self.draw
        owner = draw.choice(["@", "www", "*.wild", "a.deep.name", "Mixed", r"odd\.label"]), draw.choice(sorted(RECORDS))
        self.sets[owner] = {"ttl": draw.choice([0, 5, 300]), "records": RECORDS[owner[1]](draw)}
        self.request("PUT", f"/v1/zones/{ZONE}/records/{quoted(owner[0])}/{owner[1]}", self.sets[owner])

    def delete_record(self) -> None:
        owner = self.draw.choice(sorted(self.sets))
        del self.sets[owner]
        self.request("DELETE", f"/v1/zones/{ZONE}/records/{quoted(owner[0])}/{owner[1]}")

    def set_ttl(self) -> None:
        self.of_all_ttls += 1
        self.request("PUT", NAMESPACE, self.namespace | {"ttl": self.draw.choice([1, 2, 3]),
                                                         "negative_ttl": self.draw.choice([1, 2])})

    def set_apex(self) -> None:
        """SOA and NS become the zone's own; the serial that the SOA is given does not count."""
        numbers = f"{self.draw.choice([3600, 7200])} 600 1209600 2"
        self.request("POST", f"/v1/zones/{ZONE}/records", {"changes": [
            {"action": "upsert", "name": "@", "type": "SOA", "ttl": 2,
             "records": [f"ns.example.net. hostmaster.example.net. 1 {numbers}"]},
            {"action": "upsert", "name": "@", "type": "NS", "ttl": self.draw.choice([5, 60]),
             "records": ["ns.example.net.", "ns2.example.net."]}]})


class Reader:
    """dnspython as a secondary: IXFR from the serial that it has."""

    def __init__(self, at: tuple[str, int], key: Key):
        self.at, self.key = at, key
        self.zone = dns.versioned.Zone(ZONE, relativize=False)

    def refresh(self, udp=dns.query.UDPMode.NEVER) -> None:
        query, _ = dns.xfr.make_query(self.zone, keyring=self.key.signing["keyring"], keyname=self.key.signing["keyname"])
        dns.query.inbound_xfr(self.at[0], self.zone, query, port=self.at[1], timeout=PATIENCE, lifetime=PATIENCE,
                              udp_mode=udp)

    def records(self) -> list[str]:
        soas, others = [], []
        for name, ttl, rdata in self.zone.iterate_rdatas():
            into = soas if rdata.rdtype == dns.rdatatype.SOA else others
            into.append(f"{name.canonicalize()} {ttl} {dns.rdatatype.to_text(rdata.rdtype)} {rdata}")
        return [*soas, *sorted(others)]


def test_three_stock_secondaries_follow_a_thousand_changes(primary, make_name_server):
    signed, signed_longer = Key("xfr.example.net").register(primary), Key("long.example.net", "hmac-sha512").register(primary)
    bind = make_name_server(Bind, Zone(ZONE, primaries=primary.dns))
    knot = make_name_server(Knot, Zone(ZONE, primaries=primary.dns, key=signed))
    nsd = make_name_server(Nsd, Zone(ZONE, primaries=primary.dns, key=signed_longer))
    namespace = {"ttl": 2, "negative_ttl": 1,
                 "notify": [bind.peer, f"{knot.peer} key {signed.name}", f"{nsd.peer} key {signed_longer.name}"]}
    primary.api.put(NAMESPACE, namespace)
    shaker, reader = Shaker(primary.api, 2136, namespace), Reader(primary.dns[0], signed)
    for secondary in (bind, knot, nsd):
        secondary.start()
    in_step(primary, bind, knot, nsd)

    seen: dict[int, list[str]] = {}

    def snapshot() -> tuple[int, list[str]]:
        now = records(primary.dns[0], ZONE, signed)
        number = int(now[0].split()[5])
        assert seen.setdefault(number, content(now)) == content(now), f"two zones with the serial {number}"
        return number, now

    unmoved = 0
    for number in range(1000):
        if number % 10 != 0:
            shaker.change()
            continue
        before, was = snapshot()
        shaker.change()
        after, now = snapshot()
        assert (before == after) == (content(was) == content(now)), (before, after, set(was) ^ set(now))
        assert 0 <= after - before < 2**31
        unmoved += before == after
        reader.refresh()
        if snapshot()[0] == after:
            assert reader.records() == now, set(reader.records()) ^ set(now)
    in_step(primary, bind, knot, nsd, key=signed)

    assert 0 < unmoved < 50, "some changes change no answer, most do"
    for secondary in (bind, knot, nsd):
        differences, whole = sent(primary, secondary, "ixfr"), sent(primary, secondary, "axfr")
        print(f"{secondary}: {differences} IXFR, {whole} AXFR, serial {serial(primary)}")
        # NSD asks for the whole zone when two differences came in while it took over one before.
        assert whole <= 1 + secondary.log.count("update failed, restarting transfer") and differences >= 50
        # Where the TTL of all records changes, a difference would be longer than the zone.
        assert sent(primary, secondary, "axfr_for_ixfr") <= shaker.of_all_ttls
    assert "IXFR, incoming" in knot.log and signed.name in knot.log


# What a transfer holds of a service

def test_members_of_weight_0_and_draining_names_in_a_transfer(primary):
    make_service(primary.api, CUSTOM | {"routing_policy": "weighted"}, namespace={"ttl": 300})
    for number, weight in enumerate([5, 0, 1]):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80, "weight": weight})
    primary.api.delete(f"{WEB}/instances/i-2")
    held = records(primary.dns[0], ZONE)
    drawn = [record.split()[-1] for record in held if record.startswith(f"web.{ZONE}. 300 A ")]
    assert drawn == ["192.0.2.0"]
    assert f"i-2.web.{ZONE}. 300 A 192.0.2.2" in held, "caches may still name it"
    assert f"i-1.web.{ZONE}. 300 A 192.0.2.1" in held
    # Nothing else is left: now the member of weight 0 is what is answered, and transferred.
    primary.api.put(f"{WEB}/instances/i-0/health", {"status": "unhealthy"})
    held = records(primary.dns[0], ZONE)
    drawn = [record.split()[-1] for record in held if record.startswith(f"web.{ZONE}. 300 A ")]
    assert drawn == ["192.0.2.1"]


def test_the_serial_stays_where_a_transfer_would_hold_the_same(primary):
    make_service(primary.api, CUSTOM | {"routing_policy": "weighted", "record_types": ["A"]})
    for number in range(3):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80, "weight": 5 * (number > 0)})
    held = records(primary.dns[0], ZONE)
    primary.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80, "weight": 6})  # drawn more often
    primary.api.put(f"{WEB}/instances/i-0/health", {"status": "unhealthy"})  # was not answered before
    primary.api.put(WEB, primary.api.get(WEB) | {"max_answers": 1})
    assert records(primary.dns[0], ZONE) == held


@pytest.mark.parametrize("client", ["dig", "kdig", "drill"])
def test_what_a_transfer_holds_is_what_others_read(primary, client):
    make_service(primary.api)
    primary.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "port": 80})
    host, port = primary.dns[0]
    said = program(client, f"@{host}", "-p", str(port), ZONE, "AXFR")
    read = {" ".join(line.split()) for line in said.splitlines() if line.strip() and not line.startswith(";")}
    expected = {re.sub(r" (\d+) ", r" \1 IN ", record, count=1) for record in records(primary.dns[0], ZONE)}
    assert read == expected


# Who gets one

def test_who_may_transfer_is_said_by_address_key_or_both(make_dnsd):
    dnsd = make_dnsd().start()
    first, second = Key("first.example.net").register(dnsd), Key("second.example.net", "hmac-sha384").register(dnsd)
    elsewhere = Key("first.example.net", secret="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    make_service(dnsd.api, namespace={"transfer": ["192.0.2.0/24", f"key {first.name}",
                                                   f"198.51.100.0/24 key {second.name}"]})
    host, port = dnsd.dns[0]

    def dig(*options) -> str:
        return program("dig", "+noall", "+comments", "+answer", f"@{host}", "-p", str(port), ZONE, "AXFR", *options)

    assert "SOA" in dig("-y", first.option)
    assert "Transfer failed" in dig()
    assert "Transfer failed" in dig("-y", second.option), "the key alone does not do, from here"
    assert "Transfer failed" in dig("-y", elsewhere.option)
    assert "BADSIG" in dnsd.stderr or "BADSIG" in dig("-y", elsewhere.option, "+all")
    assert len(records(dnsd.dns[0], ZONE, first)) > 3
    refused = dnsd.query(ZONE, "AXFR", tcp=True, use_edns=0)
    assert refused.rcode() == dns.rcode.REFUSED and not refused.answer
    assert "may transfer" in refused.options[0].text


# Those that were away

def test_unbounds_auth_zone_follows_by_notify_and_ixfr(primary, make_name_server):
    make_service(primary.api, CUSTOM)
    secondary = make_name_server(Unbound, Zone(ZONE, primaries=primary.dns))
    primary.api.put(NAMESPACE, primary.api.get(NAMESPACE) | {"notify": [secondary.peer]})
    secondary.start()
    for number in range(1, 11):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
        until(lambda: serial_of(secondary.at, ZONE) == serial(primary), "they have the same serial")
        asked = dns.message.make_query(f"web.{ZONE}", "A")
        held = dns.query.tcp(asked, secondary.at[0], PATIENCE, secondary.at[1])
        assert sorted(texts(held, "A")) == sorted(f"192.0.2.{one}" for one in range(1, number + 1))
    assert sent(primary, secondary, "axfr") <= 1 and sent(primary, secondary, "ixfr") >= 9


@pytest.mark.parametrize("kind", KINDS)
def test_a_secondary_that_was_down_catches_up_by_differences(primary, make_name_server, kind):
    make_service(primary.api, CUSTOM)
    for number in range(20):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
    secondary = follower(make_name_server, primary, kind)
    if kind is Nsd:  # it keeps nothing else over a restart
        until(lambda: secondary.file_of(ZONE).exists(), "NSD has written the zone's file")
    secondary.stop()
    whole = sent(primary, secondary, "axfr") + sent(primary, secondary, "axfr_for_ixfr")
    for number in range(10):
        primary.api.put(f"{WEB}/instances/i-{number}/health", {"status": "unhealthy"})
    secondary.start()
    # NOTIFY was in vain meanwhile: it asks by itself when it starts, or is told of the next change.
    primary.api.put(f"{WEB}/instances/i-19/health", {"status": "unhealthy"})
    in_step(primary, secondary)
    assert sent(primary, secondary, "ixfr") >= 1
    assert sent(primary, secondary, "axfr") + sent(primary, secondary, "axfr_for_ixfr") == whole


def test_a_secondary_too_far_behind_gets_all_of_the_zone(make_dnsd, make_name_server):
    primary = make_dnsd("primary", settings={"log.level": "debug", "transfer.allow": [ANYONE_HERE],
                                             "transfer.history_max": 3}).start()
    make_service(primary.api, CUSTOM)
    for number in range(20):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
    secondary = follower(make_name_server, primary, Knot)
    secondary.stop()
    for number in range(70):  # the store forgets now and then, not with each change
        primary.api.put(f"{WEB}/instances/i-{number % 5}/health", {"status": ["unhealthy", "healthy"][number // 5 % 2]})
    secondary.start()
    in_step(primary, secondary)
    assert sent(primary, secondary, "axfr_for_ixfr") == 1
    # What it has from here on it gets by differences again.
    primary.api.put(f"{WEB}/instances/i-7/health", {"status": "unhealthy"})
    in_step(primary, secondary)
    assert sent(primary, secondary, "ixfr") >= 1


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_serial_and_differences_outlive_a_restart(primary, make_name_server, end):
    make_service(primary.api, CUSTOM)
    for number in range(20):
        primary.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
    secondary = follower(make_name_server, primary, Knot)
    secondary.stop()
    for number in range(5):
        primary.api.put(f"{WEB}/instances/i-{number}/health", {"status": "unhealthy"})
    before = records(primary.dns[0], ZONE)
    getattr(primary, end)()
    primary.start()
    assert records(primary.dns[0], ZONE) == before
    secondary.start()
    in_step(primary, secondary)
    assert sent(primary, secondary, "ixfr") == 1


def test_secondaries_are_told_by_a_primary_that_starts(primary, make_name_server):
    """They may have missed the last change before it ended."""
    make_service(primary.api, CUSTOM)
    secondary = follower(make_name_server, primary, Knot)
    secondary.stop()
    primary.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    primary.stop()
    secondary.start()
    primary.start()
    in_step(primary, secondary)


# Zones that come and go

def began_at() -> int:
    """The serial of a zone that begins now."""
    return int(time.time() * 16) % 2**32


def is_newer(serial: int, than: int) -> bool:
    """RFC 1982."""
    return 0 < (serial - than) % 2**32 < 2**31


@pytest.mark.parametrize("loss", ["lost with the database", "deleted"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_zone_that_begins_again_takes_the_place_of_the_one_before(primary, make_name_server, kind, loss):
    """No difference of its own goes on top of what a secondary still has of the other."""
    def begin():
        primary.api.put(NAMESPACE, {"ttl": 5, "notify": [secondary.peer]})

    def put_records(name: str, numbers) -> None:
        for number in numbers:
            primary.api.put(f"/v1/zones/{ZONE}/records/{name}-{number}/A", {"records": [f"192.0.2.{number}"]})

    secondary = make_name_server(kind, Zone(ZONE, primaries=primary.dns))
    begin()
    put_records("old", range(1, 4))
    secondary.start()
    in_step(primary, secondary)
    before = serial(primary)
    if loss == "deleted":
        primary.api.delete(f"/v1/zones/{ZONE}")
    else:
        primary.kill()
        for file in primary.folder.glob("dnsd.db*"):
            file.unlink()
        primary.start()
    until(lambda: is_newer(began_at(), before), "the clock is ahead of a zone that changed three times")
    begin()
    assert is_newer(serial(primary), before)
    in_step(primary, secondary)
    put_records("new", range(101, 109))
    in_step(primary, secondary)


def test_a_zone_file_reaches_the_secondaries_and_services_stay(primary, make_name_server):
    make_service(primary.api)
    primary.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    secondary = follower(make_name_server, primary, Bind)
    text = "@ 60 SOA ns hostmaster 4000000000 3600 600 86400 60\n@ 60 NS ns\nns 60 A 192.0.2.53\nwww 60 CNAME web\n"
    before = serial(primary)
    primary.api.put(f"/v1/zones/{ZONE}", text, headers={"Content-Type": "text/dns"})
    assert is_newer(serial(primary), before)
    in_step(primary, secondary)
    held = records(secondary.at, ZONE)
    assert f"www.{ZONE}. 60 CNAME web.{ZONE}." in held and f"web.{ZONE}. 5 A 192.0.2.1" in held


def test_a_small_difference_fits_a_datagram_and_a_large_one_sends_for_tcp(primary):
    key = Key("xfr.example.net").register(primary)
    make_service(primary.api, CUSTOM)
    reader = Reader(primary.dns[0], key)
    reader.refresh()
    for count in (1, 200):
        primary.api.put(f"{WEB}/instances", {"instances": [
            {"id": f"i-{number}", "ipv4": f"192.0.2.{number}", "port": 80} for number in range(count)]})
        with contextlib.nullcontext() if count == 1 else pytest.raises(dns.xfr.UseTCP):
            reader.refresh(udp=dns.query.UDPMode.ONLY)
    reader.refresh(udp=dns.query.UDPMode.TRY_FIRST)
    assert reader.records() == records(primary.dns[0], ZONE)
