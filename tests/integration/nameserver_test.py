"""What the name server does besides answering: DNS cookies, signed queries, and limits for those who
ask too much; seen by dig, kdig and dnspython."""

import base64
import contextlib
import re
import signal
import socket
import struct
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import pytest

from harness import PATIENCE, WEB, make_service, texts, until
from namespaces import in_namespaces

NAME = "web.demo.internal"
COOKIE = 10
OLD_SECRET, NEW_SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
SECRET = bytes(range(32))
ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"]


def with_an_answer(daemon):
    make_service(daemon.api)
    daemon.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    return daemon


def dig(daemon, *arguments, program="dig") -> str:
    host, port = daemon.dns[0]
    command = [program, f"@{host}", "-p", str(port), *arguments, NAME, "A"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr


def cookie_in(output: str) -> str:
    return re.search(r"COOKIE: ([0-9a-fA-F]{48})\b", output)[1].lower()


def ask_with_cookie(daemon, cookie: bytes, tcp=False) -> dns.message.Message:
    options = [dns.edns.GenericOption(COOKIE, cookie)]
    return daemon.query(NAME, tcp=tcp, use_edns=0, options=options)


def cookie_of(message) -> bytes | None:
    return next((bytes(option.to_wire()) for option in message.options if option.otype == COOKIE), None)


# DNS cookies


def test_dig_learns_a_cookie_and_shows_it(dnsd):
    with_an_answer(dnsd)
    first = dig(dnsd, "+cookie=0123456789abcdef")
    assert "(good)" in first and "192.0.2.1" in first
    cookie = cookie_in(first)
    assert cookie.startswith("0123456789abcdef01000000")
    assert cookie_in(dig(dnsd, f"+cookie={cookie}")) == cookie
    assert cookie_in(dig(dnsd, f"+cookie={cookie}", "+tcp")) == cookie
    assert "COOKIE" not in dig(dnsd, "+nocookie")


def test_a_cookie_of_a_wrong_size_is_formerr_and_others_too_old_are_renewed(dnsd):
    with_an_answer(dnsd)
    for size in (0, 1, 7, 9, 15, 41):
        assert ask_with_cookie(dnsd, bytes(size)).rcode() == dns.rcode.FORMERR
    for size in (8, 16, 40):
        reply = ask_with_cookie(dnsd, bytes(size))
        assert reply.rcode() == dns.rcode.NOERROR
        assert len(cookie_of(reply)) == 24


def test_where_cookies_are_required_badcookie_brings_the_right_one(make_dnsd):
    dnsd = with_an_answer(make_dnsd(settings={"dns.require_cookies": True}).start())
    refused = ask_with_cookie(dnsd, bytes(8))
    assert refused.rcode() == dns.rcode.BADCOOKIE and not refused.answer
    assert texts(ask_with_cookie(dnsd, cookie_of(refused)), "A") == ["192.0.2.1"]
    assert texts(ask_with_cookie(dnsd, bytes(8), tcp=True), "A") == ["192.0.2.1"]
    # dig does that by itself, unless it is told not to.
    assert "status: BADCOOKIE" in dig(dnsd, "+cookie", "+nobadcookie")
    asked_again = dig(dnsd, "+cookie")
    assert "status: NOERROR" in asked_again and "192.0.2.1" in asked_again
    assert "192.0.2.1" in dig(dnsd, "+cookie", "+badcookie", program="kdig")
    # Who knows no cookies is sent to TCP.
    without = dnsd.query(NAME)
    assert without.flags & dns.flags.TC and not without.answer
    assert "192.0.2.1" in dig(dnsd, "+nocookie")


def test_servers_that_share_a_secret_believe_each_others_cookies(make_dnsd):
    one, other, stranger = (
        with_an_answer(make_dnsd(name, settings={"dns.require_cookies": True} | secret).start())
        for name, secret in (("one", {"dns.cookie_secret": [OLD_SECRET]}),
                             ("other", {"dns.cookie_secret": [OLD_SECRET]}), ("stranger", {})))
    cookie = cookie_of(ask_with_cookie(one, bytes(8)))
    assert ask_with_cookie(other, cookie).rcode() == dns.rcode.NOERROR
    assert ask_with_cookie(stranger, cookie).rcode() == dns.rcode.BADCOOKIE


def test_a_secret_is_rolled_over_without_a_cookie_lost(make_dnsd, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text(OLD_SECRET + "\n")
    settings = {"dns.require_cookies": True, "dns.cookie_secret": [str(secrets)]}
    dnsd = with_an_answer(make_dnsd(settings=settings).start())
    old = cookie_of(ask_with_cookie(dnsd, bytes(8)))
    secrets.write_text(f"{NEW_SECRET}\n{OLD_SECRET}\n")
    dnsd.signal(signal.SIGHUP)
    new = until(lambda: (now := cookie_of(ask_with_cookie(dnsd, old))) != old and now, "it is rolled over")
    assert ask_with_cookie(dnsd, old).rcode() == dns.rcode.NOERROR
    secrets.write_text(NEW_SECRET)
    dnsd.signal(signal.SIGHUP)
    until(lambda: ask_with_cookie(dnsd, old).rcode() == dns.rcode.BADCOOKIE, "the old one is forgotten")
    assert ask_with_cookie(dnsd, new).rcode() == dns.rcode.NOERROR
    secrets.write_text("not a secret")
    dnsd.signal(signal.SIGHUP)
    until(lambda: "not 32 hex digits" in dnsd.stderr, "the reload is refused")
    assert ask_with_cookie(dnsd, new).rcode() == dns.rcode.NOERROR


# Signed queries (RFC 8945)


def key_file(folder):
    keys = folder / "keys"
    keys.write_text("".join(f'key "{algorithm}-key" {{ algorithm {algorithm}; secret "{encoded()}"; }};\n'
                            for algorithm in ALGORITHMS))
    return str(keys)


def encoded(secret=SECRET) -> str:
    return base64.b64encode(secret).decode()


@pytest.fixture
def keyed(make_dnsd, tmp_path):
    return with_an_answer(make_dnsd(settings={"transfer.keys_file": key_file(tmp_path)}).start())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_signed_query_gets_a_signed_answer(keyed, program, algorithm):
    for transport in ("+notcp", "+tcp"):
        output = dig(keyed, "-y", f"{algorithm}:{algorithm}-key:{encoded()}", transport, "+norecurse",
                     program=program)
        assert "192.0.2.1" in output and re.search(r"\bTSIG\b", output), output
        assert "verify" not in output.lower() and "WARNING" not in output, output


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_wrong_key_or_secret_is_told(keyed, program):
    for key, error in ((f"hmac-sha256:nobody:{encoded()}", "BADKEY"),
                       (f"hmac-sha512:hmac-sha256-key:{encoded()}", "BADKEY"),
                       (f"hmac-sha256:hmac-sha256-key:{encoded(b'wrong')}", "BADSIG")):
        output = dig(keyed, "-y", key, program=program)
        # kdig shows the TSIG RR's error in place of the message's rcode.
        status = error if program == "kdig" else "NOTAUTH"
        assert f"status: {status}" in output and error in output and "192.0.2.1" not in output, output


@pytest.mark.parametrize("seconds, error", [(0, None), (290, None), (-290, None),
                                            (310, dns.tsig.PeerBadTime), (-310, dns.tsig.PeerBadTime)])
def test_a_wrong_clock_is_told(keyed, seconds, error, monkeypatch):
    key = dns.tsig.Key("hmac-sha256-key", SECRET, "hmac-sha256")
    query = dns.message.make_query(NAME, "A")
    query.use_tsig(key)
    now = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now() + seconds)
        wire = query.to_wire()
    host, port = keyed.dns[0]
    with contextlib.closing(socket.create_connection((host, port), PATIENCE)) as connection:
        connection.sendall(struct.pack("!H", len(wire)) + wire)
        reply = connection.recv(65535)
    # The answer to a wrong clock is signed with that clock's time.
    monkeypatch.setattr(time, "time", lambda: now() + (seconds if error else 0))
    with pytest.raises(error) if error else contextlib.nullcontext():
        message = dns.message.from_wire(reply[2:], keyring={key.name: key}, request_mac=query.mac)
        assert texts(message, "A") == ["192.0.2.1"]
    if error:
        assert reply[2 + 3] & 15 == dns.rcode.NOTAUTH


def test_a_signed_answer_fits_or_is_truncated(keyed):
    for i in range(40):
        keyed.api.put(f"{WEB}/instances/n-{i}", {"ipv4": f"192.0.2.{i + 10}", "port": 80})
    keyed.api.put(WEB, {"max_answers": 28})
    key = dns.tsig.Key("hmac-sha512-key", SECRET, "hmac-sha512")
    query = dns.message.make_query(NAME, "A")
    assert not dns.query.udp(query, keyed.dns[0][0], PATIENCE, keyed.dns[0][1]).flags & dns.flags.TC
    query.use_tsig(key)
    reply = dns.query.udp(query, keyed.dns[0][0], PATIENCE, keyed.dns[0][1])
    assert reply.flags & dns.flags.TC and reply.had_tsig and len(reply.to_wire()) <= 512
    reply = dns.query.tcp(query, keyed.dns[0][0], PATIENCE, keyed.dns[0][1])
    assert reply.had_tsig and len(texts(reply, "A")) == 41


# Response rate limiting


def metric(daemon, name: str) -> float:
    text = daemon.api.request("GET", "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith((f"{name}{{", f"{name} ")))


def replies(server, source: str, query: dns.message.Message, times: int) -> list[dns.message.Message]:
    """The same question, so often, from one socket; then one over the limit of nobody, to know that
    all have been looked at."""
    got = []
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.bind((source, 0))
        client.connect(server)
        client.settimeout(PATIENCE)
        for _ in range(times):
            client.send(query.to_wire())
        last = dns.message.make_query("last.demo.internal", "TXT", id=(query.id + 1) % 65536)
        client.send(last.to_wire())
        while (message := dns.message.from_wire(client.recv(65535))).id == query.id:
            got.append(message)
    return got


@in_namespaces
def test_rate_limits_hold_for_all_but_loopback_exempt_networks_and_cookies(make_dnsd, request):
    for address in ("192.0.2.1/24", "198.51.100.1/24", "203.0.113.1/24"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    dnsd = with_an_answer(make_dnsd(settings={
        "dns.listen": ["0.0.0.0:0"], "dns.workers": 1, "advertise": ["192.0.2.1"], "dns.rate_limit": 5,
        "dns.rate_limit_exempt": ["203.0.113.0/24"]}).start())
    port = dnsd.dns[0][1]
    query = dns.message.make_query(NAME, "A")

    got = replies(("192.0.2.1", port), "192.0.2.7", query, 100)
    full, cut = [m for m in got if m.answer], [m for m in got if m.flags & dns.flags.TC]
    assert 5 <= len(full) <= 10 and len(cut) + len(full) == len(got)
    assert 40 <= len(cut) <= 50 and not any(message.answer for message in cut)
    assert metric(dnsd, "dnsd_dns_rate_slipped_total") == len(cut)
    assert metric(dnsd, "dnsd_dns_rate_dropped_total") == 100 - len(got)
    # The whole block is over the limit, but not on other ways, and not with other questions.
    assert len(replies(("192.0.2.1", port), "192.0.2.8", query, 10)) <= 5
    other = dns.message.make_query("demo.internal", "SOA")
    assert [bool(m.answer) for m in replies(("192.0.2.1", port), "192.0.2.7", other, 3)] == [True] * 3
    assert texts(dns.query.tcp(query, "192.0.2.1", PATIENCE, port, source="192.0.2.7"), "A")
    assert len(replies(("198.51.100.1", port), "198.51.100.7", query, 3)) == 3

    for source in ("127.0.0.1", "203.0.113.7"):
        server = (source if source.startswith("127") else "203.0.113.1", port)
        assert len([m for m in replies(server, source, query, 50) if m.answer]) == 50

    # A client that knows cookies is not asked to use TCP, and has no limit once it has one.
    option = dns.edns.GenericOption(COOKIE, bytes(8))
    query = dns.message.make_query(NAME, "A", use_edns=0, options=[option])
    got = replies(("192.0.2.1", port), "192.0.2.7", query, 10)
    bad = [message for message in got if message.rcode() == dns.rcode.BADCOOKIE]
    assert bad and not any(message.flags & dns.flags.TC for message in got)
    query.use_edns(0, options=[dns.edns.GenericOption(COOKIE, cookie_of(bad[0]))])
    assert len([m for m in replies(("192.0.2.1", port), "192.0.2.7", query, 50) if m.answer]) == 50


@in_namespaces
def test_made_up_names_count_as_one(make_dnsd, request):
    subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "lo"], check=True)
    dnsd = with_an_answer(make_dnsd(settings={
        "dns.listen": ["192.0.2.1:0"], "dns.workers": 1, "dns.rate_limit": 5,
        "dns.rate_limit_slip": 0}).start())
    answered = 0
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.bind(("192.0.2.7", 0))
        client.connect(dnsd.dns[0])
        client.settimeout(PATIENCE)
        for i in range(50):
            client.send(dns.message.make_query(f"made-up-{i}.demo.internal", "A").to_wire())
        client.send(dns.message.make_query("demo.internal", "SOA").to_wire())
        while dns.message.from_wire(client.recv(65535)).rcode() == dns.rcode.NXDOMAIN:
            answered += 1
    assert 5 <= answered <= 10


# TCP

def test_queries_in_one_segment_take_one_read_and_one_write(make_dnsd, tmp_path):
    trace, batches, queries = tmp_path / "trace", 20, 50
    dnsd = make_dnsd(wrapper=["strace", "-D", "-f", "-y", "-e", "trace=recvfrom,sendto,epoll_ctl", "-o", str(trace)],
                     env={"ASAN_OPTIONS": "detect_leaks=0"})  # a process has one tracer
    with_an_answer(dnsd.start())
    query = dns.message.make_query(NAME, "A").to_wire()
    with socket.create_connection(dnsd.dns[0], PATIENCE) as connection, connection.makefile("rb") as replies:
        for _ in range(batches):
            connection.sendall((struct.pack("!H", len(query)) + query) * queries)
            for _ in range(queries):
                reply = dns.message.from_wire(replies.read(struct.unpack("!H", replies.read(2))[0]))
                assert texts(reply, "A") == ["192.0.2.1"]
    dnsd.stop()
    until(lambda: "+++ exited with 0 +++" in trace.read_text().splitlines()[-1], "the trace is whole")
    (client,) = set(re.findall(r"recvfrom\(\d+(<socket:\[\d+\]>), .*web", trace.read_text()))
    # A call that another thread's line interrupts begins once and is resumed once.
    calls = [line for line in trace.read_text().splitlines() if client in line and "resumed" not in line]
    count = {name: sum(f"{name}(" in line for line in calls) for name in ("recvfrom", "sendto", "epoll_ctl")}
    # A segment may have been cut in two; and one read sees the end of the connection.
    assert batches <= count["sendto"] <= 2 * batches and count["recvfrom"] <= 2 * batches + 1, count
    assert count["epoll_ctl"] < batches, "watched once, and not again for each batch"
