"""Names outside our zones: asked from upstreams, kept, and given to those who may have them."""

import signal
import socket
import subprocess
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from harness import DNSCTL, PATIENCE, make_service, texts, until
from namespaces import in_namespaces
from upstream import Upstream, without_records

NAME = "www.example.org"
STALE_ANSWER, NOT_READY, PROHIBITED, NOT_AUTHORITATIVE, NO_REACHABLE = 3, 14, 18, 20, 22


@pytest.fixture
def make_upstream():
    made: list[Upstream] = []

    def make(**options) -> Upstream:
        made.append(Upstream(**options))
        return made[-1]

    yield make
    for upstream in made:
        upstream.close()


@pytest.fixture
def upstream(make_upstream) -> Upstream:
    return make_upstream().add(NAME, "A", "192.0.2.1")


@pytest.fixture
def forwarding(make_dnsd):
    """A dnsd that asks these upstreams."""

    def make(*upstreams, settings=None, **options):
        return make_dnsd(settings={"forward.upstreams": [str(one) for one in upstreams],
                                   "forward.timeout": 0.5} | (settings or {}), **options).start()

    return make


def ask(dnsd, name, rr_type="A", rd=True, tcp=False, cd=False, ad=False, flags=0, **options):
    question = dns.message.make_query(name, rr_type, **options)
    question.flags = flags | (dns.flags.RD if rd else 0) | (dns.flags.CD if cd else 0) | (dns.flags.AD if ad else 0)
    address, port = dnsd.dns[0]
    if tcp:
        return dns.query.tcp(question, address, PATIENCE, port)
    return dns.query.udp(question, address, PATIENCE, port)


def errors(reply) -> list[tuple[int, str]]:
    """Extended DNS errors: code and text."""
    return [(option.code, option.text or "") for option in reply.options
            if option.otype == dns.edns.EDE]


def ttl(reply) -> int:
    return reply.answer[-1].ttl


def metric(dnsd, line: str) -> float:
    page = dnsd.api.request("GET", "/metrics").body.decode()
    found = [text.rpartition(" ")[2] for text in page.splitlines() if text.startswith(line + " ")]
    assert found, (line, page)
    return float(found[0])


# Who is answered, and by whom


def test_a_name_outside_our_zones_is_answered_by_an_upstream(forwarding, upstream):
    dnsd = forwarding(upstream)
    reply = ask(dnsd, NAME)
    assert texts(reply, "A") == ["192.0.2.1"]
    assert reply.flags & dns.flags.RA and reply.flags & dns.flags.RD
    assert not reply.flags & dns.flags.AA and not reply.flags & dns.flags.AD
    assert texts(ask(dnsd, NAME, tcp=True), "A") == ["192.0.2.1"]
    assert upstream.count() == 1
    assert ask(dnsd, "nothing.example.org").rcode() == dns.rcode.NXDOMAIN
    nodata = ask(dnsd, NAME, "TXT")
    assert nodata.rcode() == dns.rcode.NOERROR and not nodata.answer
    assert nodata.authority[0].rdtype == dns.rdatatype.SOA


def test_the_clients_spelling_comes_back_and_upstreams_see_another(forwarding, upstream):
    dnsd = forwarding(upstream)
    for spelled in ("wWw.ExAmPlE.oRg", "WWW.example.ORG"):
        reply = ask(dnsd, spelled)
        assert str(reply.question[0].name) == spelled + "." and str(reply.answer[0].name) == spelled + "."
    for number in range(20):
        ask(dnsd, f"quite-a-long-name-{number}.example.org")
    spellings = {one.name for one in upstream.asked}
    assert any(name != name.lower() for name in spellings)


def test_clients_that_are_not_allowed_are_refused(forwarding, upstream):
    dnsd = forwarding(upstream, settings={"recursion_allow": ["192.0.2.0/24"]})
    reply = ask(dnsd, NAME, use_edns=0)
    assert reply.rcode() == dns.rcode.REFUSED and not reply.flags & dns.flags.RA
    assert [code for code, _ in errors(reply)] == [PROHIBITED]
    assert upstream.count() == 0


def test_without_rd_nothing_is_asked_or_told(forwarding, upstream):
    dnsd = forwarding(upstream)
    assert ask(dnsd, NAME, rd=False).rcode() == dns.rcode.REFUSED
    ask(dnsd, NAME)
    assert ask(dnsd, NAME, rd=False).rcode() == dns.rcode.REFUSED  # nobody looks into the cache
    assert upstream.count() == 1


def test_our_zones_win_and_are_authoritative(forwarding, upstream):
    upstream.add("web.demo.internal", "A", "192.0.2.66")
    dnsd = forwarding(upstream)
    service = make_service(dnsd.api)
    dnsd.api.put(f"{service}/instances/i-1", {"ipv4": "192.0.2.7", "port": 80})
    reply = ask(dnsd, "web.demo.internal")
    assert texts(reply, "A") == ["192.0.2.7"]
    assert reply.flags & dns.flags.AA and reply.flags & dns.flags.RA
    assert ask(dnsd, "other.demo.internal").rcode() == dns.rcode.NXDOMAIN
    # A chain that comes back to us is completed by us.
    upstream.add("alias.example.org", "CNAME", "web.demo.internal.")
    assert texts(ask(dnsd, "alias.example.org"), "A") == ["192.0.2.7"]
    assert all(not one.name.lower().endswith("demo.internal") for one in upstream.asked)


def test_dnssec_bits_go_through_and_answers_are_kept_apart(forwarding, upstream):
    dnsd = forwarding(upstream)
    upstream.distort = lambda reply, asked: with_flags(reply, dns.flags.AD)
    reply = ask(dnsd, NAME, cd=True, want_dnssec=True)
    assert reply.flags & dns.flags.CD and reply.ednsflags & dns.flags.DO
    assert not reply.flags & dns.flags.AD  # it was not told that it may believe the upstream
    query = upstream.asked[0].query
    assert query.flags & dns.flags.CD and query.flags & dns.flags.RD and query.ednsflags & dns.flags.DO
    plain = ask(dnsd, NAME)
    assert not plain.flags & dns.flags.CD
    assert upstream.count() == 2


def test_a_trusted_upstreams_ad_is_passed_on_to_who_asks(forwarding, upstream):
    dnsd = forwarding(upstream, settings={"forward.trust_ad": True})
    upstream.distort = lambda reply, asked: with_flags(reply, dns.flags.AD)
    assert ask(dnsd, NAME, ad=True).flags & dns.flags.AD
    assert not ask(dnsd, NAME).flags & dns.flags.AD


def with_flags(reply, flags):
    reply.flags |= flags
    return reply


# Which upstream


def test_a_domain_has_upstreams_of_its_own_and_the_longest_counts(forwarding, make_upstream, upstream):
    corp, lab = make_upstream().add("a.corp.example", "A", "192.0.2.2"), make_upstream()
    lab.add("a.lab.corp.example", "A", "192.0.2.3")
    dnsd = forwarding(upstream, settings={
        "forward.domains": [f"corp.example={corp}", f"lab.corp.example={lab}"]})
    assert texts(ask(dnsd, "a.corp.example"), "A") == ["192.0.2.2"]
    assert texts(ask(dnsd, "a.lab.corp.example"), "A") == ["192.0.2.3"]
    assert (upstream.count(), corp.count(), lab.count()) == (0, 1, 1)


def test_without_an_upstream_for_it_a_name_is_refused(forwarding, upstream):
    dnsd = forwarding(settings={"forward.resolv_conf": "", "forward.domains": [f"example.org={upstream}"]})
    assert texts(ask(dnsd, NAME), "A") == ["192.0.2.1"]
    reply = ask(dnsd, "www.example.net", use_edns=0)
    assert reply.rcode() == dns.rcode.REFUSED
    assert [code for code, _ in errors(reply)] == [NOT_AUTHORITATIVE]


def test_a_dead_upstream_is_left_for_one_that_lives_and_found_again(forwarding, make_upstream, upstream):
    dead = make_upstream().add(NAME, "A", "192.0.2.9")
    dead.distort = lambda reply, asked: None
    dnsd = forwarding(dead, upstream, settings={"forward.timeout": 0.2})
    # The first of a few may go to the silent one, and is answered by the other.
    for number in range(8):
        name = f"n{number}.example.org"
        upstream.add(name, "A", "192.0.2.1")
        assert texts(ask(dnsd, name), "A") == ["192.0.2.1"]

    def states():
        return {one["address"]: one["well"] for one in dnsd.api.get("/v1/upstreams")["upstreams"]}

    until(lambda: ask(dnsd, f"x{time.monotonic_ns()}.example.org") and not states()[str(dead)],
          "the silent one is known to be down")
    assert states()[str(upstream)]
    dead.distort = lambda reply, asked: reply
    until(lambda: states()[str(dead)], "it is known to be back")


def test_refusing_and_failing_upstreams_are_passed_over(forwarding, make_upstream, upstream):
    refusing, closed = make_upstream(), make_upstream()
    refusing.distort = lambda reply, asked: with_rcode(reply, dns.rcode.REFUSED)
    closed.close()
    dnsd = forwarding(refusing, closed, upstream)
    for number in range(6):
        upstream.add(f"n{number}.example.org", "A", "192.0.2.1")
        assert texts(ask(dnsd, f"n{number}.example.org"), "A") == ["192.0.2.1"]


def with_rcode(reply, rcode):
    bare = without_records(reply)
    bare.set_rcode(rcode)
    return bare


def test_the_faster_upstream_gets_most_of_the_queries(forwarding, make_upstream, upstream):
    slow = make_upstream()

    def late(reply, asked):
        time.sleep(0.05)
        return reply

    slow.distort = late
    dnsd = forwarding(slow, upstream)
    for number in range(40):
        ask(dnsd, f"n{number}.example.org")
    assert upstream.count() > 3 * slow.count(), (upstream.count(), slow.count())


@in_namespaces
def test_upstreams_are_read_from_resolv_conf_and_again_on_sighup(make_dnsd, make_upstream, tmp_path, request):
    first = make_upstream(address="127.0.0.53", port=53).add(NAME, "A", "192.0.2.1")
    resolv_conf = tmp_path / "resolv.conf"
    # Itself is no upstream, and a name of a server is no address.
    resolv_conf.write_text("# nothing\nsearch example.org\nnameserver 127.0.0.1\nnameserver example\n")
    dnsd = make_dnsd(settings={"forward.resolv_conf": str(resolv_conf), "dns.listen": ["127.0.0.1:53"]}).start()
    assert "it is this server" in dnsd.stderr
    assert ask(dnsd, NAME).rcode() == dns.rcode.REFUSED
    resolv_conf.write_text("nameserver 127.0.0.1\nnameserver 127.0.0.53\n")
    dnsd.signal(signal.SIGHUP)
    until(lambda: texts(ask(dnsd, NAME), "A") == ["192.0.2.1"], "the upstream is known")
    assert first.count() == 1


# What upstreams do wrong


@pytest.mark.parametrize("lie", ["id", "question", "no question", "garbage", "query", "empty"])
def test_an_answer_to_another_question_is_not_believed(forwarding, upstream, lie):
    def distort(reply, asked):
        if lie == "garbage":
            return reply.to_wire()[:17] + b"\xff" * 40
        if lie == "empty":
            return b""
        if lie == "id":
            reply.id ^= 1
        if lie == "question":
            reply = dns.message.from_wire(reply.to_wire().replace(b"example".swapcase(), b"exbmple"))
            reply.question[0].name = dns.name.from_text("www.exbmple.org")
        if lie == "no question":
            reply.question = []
        if lie == "query":
            reply.flags &= ~dns.flags.QR
        return reply

    upstream.distort = distort
    dnsd = forwarding(upstream, settings={"forward.timeout": 0.1, "forward.tries": 2})
    reply = ask(dnsd, NAME, use_edns=0)
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert [code for code, _ in errors(reply)] == [NO_REACHABLE]
    assert str(upstream) in errors(reply)[0][1]


def test_a_forged_answer_does_not_stop_the_true_one(forwarding, upstream):
    def both(reply, asked):
        forged = dns.message.from_wire(reply.to_wire())
        forged.id ^= 1
        forged.answer[0] = dns.rrset.from_text(reply.question[0].name, 60, "IN", "A", "192.0.2.66")
        return [forged, reply]

    upstream.distort = both
    assert texts(ask(forwarding(upstream), NAME), "A") == ["192.0.2.1"]


def test_records_that_were_not_asked_for_are_not_believed(forwarding, upstream):
    def stuffed(reply, asked):
        reply.answer.append(dns.rrset.from_text("bank.example.net.", 60, "IN", "A", "192.0.2.66"))
        reply.authority.append(dns.rrset.from_text("example.net.", 60, "IN", "NS", "ns.evil.example."))
        reply.additional.append(dns.rrset.from_text("ns.evil.example.", 60, "IN", "A", "192.0.2.66"))
        return reply

    upstream.distort = stuffed
    dnsd = forwarding(upstream)
    reply = ask(dnsd, NAME)
    assert [str(rrset.name) for rrset in reply.answer] == [NAME + "."]
    assert not reply.authority and not reply.additional
    assert ask(dnsd, "bank.example.net").rcode() == dns.rcode.NXDOMAIN


def test_an_upstream_that_loses_the_spelling_is_asked_over_tcp_and_remembered(forwarding, upstream):
    def lower(reply, asked):
        reply.question[0].name = dns.name.from_text(asked.name.lower())
        return reply

    upstream.distort = lower
    dnsd = forwarding(upstream)
    for number in range(6):
        upstream.add(f"some-name-{number}.example.org", "A", "192.0.2.1")
        assert texts(ask(dnsd, f"some-name-{number}.example.org"), "A") == ["192.0.2.1"]
    assert [one.transport for one in upstream.asked].count("tcp") == 1
    assert upstream.asked[-1].name == upstream.asked[-1].name.lower()
    until(lambda: not dnsd.api.get("/v1/upstreams")["upstreams"][0]["keeps_case"], "it is remembered")


def test_a_forgery_in_the_wrong_spelling_is_cleared_up_over_tcp(forwarding, upstream):
    def forged(reply, asked):
        if asked.transport == "tcp":
            return reply
        reply.question[0].name = dns.name.from_text(asked.name.swapcase())
        reply.answer = [dns.rrset.from_text(asked.name.swapcase() + ".", 60, "IN", "A", "192.0.2.66")]
        return reply

    upstream.distort = forged
    dnsd = forwarding(upstream)
    assert texts(ask(dnsd, NAME), "A") == ["192.0.2.1"]
    assert dnsd.api.get("/v1/upstreams")["upstreams"][0]["keeps_case"] is True


def test_a_large_answer_comes_over_tcp_and_is_cut_whole_records_at_a_time(forwarding, upstream):
    many = sorted(f"192.0.2.{n}" for n in range(1, 201))
    upstream.add("big.example.org", "A", *many)
    dnsd = forwarding(upstream)
    cut = ask(dnsd, "big.example.org")
    assert cut.flags & dns.flags.TC and 20 < len(texts(cut, "A")) < 40
    assert sorted(texts(ask(dnsd, "big.example.org", tcp=True), "A")) == many
    assert [one.transport for one in upstream.asked] == ["udp", "tcp"]


def test_an_upstream_that_resets_connections_is_a_failure_and_no_more(forwarding, upstream):
    upstream.distort = lambda reply, asked: (
        with_flags(with_rcode(reply, 0), dns.flags.TC) if asked.transport == "udp" else b"")
    dnsd = forwarding(upstream, settings={"forward.timeout": 0.1, "forward.tries": 2})
    assert ask(dnsd, NAME).rcode() == dns.rcode.SERVFAIL
    assert dnsd.is_running()


def test_an_upstream_that_knows_no_edns_is_asked_without(forwarding, upstream):
    upstream.distort = lambda reply, asked: (
        with_rcode_and_no_opt(reply) if asked.query.edns >= 0 else reply)
    assert texts(ask(forwarding(upstream), NAME), "A") == ["192.0.2.1"]


def with_rcode_and_no_opt(reply):
    bare = with_rcode(reply, dns.rcode.FORMERR)
    bare.use_edns(False)
    return bare


def test_two_servers_that_forward_to_each_other_end_it(make_dnsd, tmp_path):
    config = tmp_path / "dnsd.toml"
    config.write_text("")
    settings = {"forward.timeout": 0.2, "forward.tries": 3}
    first = make_dnsd("first", settings=settings, arguments=["--config", str(config)]).start()
    second = make_dnsd("second", settings=settings | {"forward.upstreams": [address_of(first)]}).start()
    config.write_text(f"[forward]\nupstreams = ['{address_of(second)}']\n")
    first.signal(signal.SIGHUP)
    until(lambda: first.api.get("/v1/upstreams")["upstreams"], "the first knows the second")
    assert ask(first, NAME).rcode() == dns.rcode.SERVFAIL
    queries = [metric(one, "dnsd_forward_queries_total") for one in (first, second)]
    assert sum(queries) <= 12, queries


def address_of(dnsd) -> str:
    return "{}:{}".format(*dnsd.dns[0])


@in_namespaces
def test_a_server_on_all_addresses_is_no_upstream_of_itself(make_dnsd, request):
    dnsd = make_dnsd(settings={"dns.listen": ["0.0.0.0:53"], "advertise": ["127.0.0.1"],
                               "forward.upstreams": ["127.0.0.2", "127.0.0.3"]}).start()
    assert dnsd.stderr.count("it is this server") == 2
    reply = dns.query.udp(dns.message.make_query(NAME, "A"), "127.0.0.1", PATIENCE)
    assert reply.rcode() == dns.rcode.REFUSED


# How much at once


def test_equal_questions_are_asked_once(forwarding, upstream):
    upstream.hold = threading.Event()
    dnsd = forwarding(upstream, settings={"forward.timeout": 10})
    replies = []
    askers = [threading.Thread(target=lambda: replies.append(ask(dnsd, NAME))) for _ in range(20)]
    for asker in askers:
        asker.start()
    until(lambda: metric(dnsd, "dnsd_forward_coalesced_total") == 19, "all wait")
    upstream.hold.set()
    for asker in askers:
        asker.join()
    assert all(texts(reply, "A") == ["192.0.2.1"] for reply in replies)
    assert upstream.count() == 1


def test_ids_and_ports_differ_from_query_to_query(forwarding, upstream):
    dnsd = forwarding(upstream)
    for number in range(50):
        ask(dnsd, f"n{number}.example.org")
    assert len({one.id for one in upstream.asked}) > 40
    assert len({one.port for one in upstream.asked}) > 40
    # Many at once: several ports are in use.
    upstream.asked.clear()
    upstream.hold = threading.Event()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(100)]
    for number, sock in enumerate(sockets):
        sock.sendto(dns.message.make_query(f"m{number}.example.org", "A").to_wire(), dnsd.dns[0])
    until(lambda: upstream.count() >= 100, "all are asked")
    upstream.hold.set()
    assert len({one.port for one in upstream.asked}) > 20
    assert len({one.id for one in upstream.asked[:100]}) > 95
    for sock in sockets:
        sock.close()


def test_a_flood_of_names_from_one_client_is_bounded_and_others_are_served(forwarding, make_upstream, upstream):
    silent = make_upstream()
    silent.hold = threading.Event()
    dnsd = forwarding(upstream, settings={
        "forward.domains": [f"flood.example={silent}"], "forward.timeout": 2, "forward.tries": 1,
        "forward.in_flight_per_client_max": 200})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.bind(("127.0.0.9", 0))
        for number in range(10_000):
            flood.sendto(dns.message.make_query(f"n{number}.flood.example", "A").to_wire(), dnsd.dns[0])
        until(lambda: metric(dnsd, 'dnsd_forward_refused_total{limit="per_client"}') > 0, "the limit is hit")
        assert texts(ask(dnsd, NAME), "A") == ["192.0.2.1"]
        flood.settimeout(PATIENCE)
        reply = dns.message.from_wire(flood.recv(4096))
        assert reply.rcode() == dns.rcode.SERVFAIL
    assert silent.count() <= 200


# What is kept


def test_ttls_count_down_and_end(forwarding, upstream):
    upstream.ttl = 3
    dnsd = forwarding(upstream, settings={"cache.prefetch_percent": 0})
    assert ttl(ask(dnsd, NAME)) == 3
    seen = [3]
    until(lambda: seen.append(ttl(ask(dnsd, NAME))) or upstream.count() == 2, "it is asked again")
    assert seen == sorted(seen[:-1], reverse=True) + [3] and {3, 2, 1} <= set(seen)
    assert min(seen) >= 1


def test_negative_answers_are_kept_for_the_soas_minimum(forwarding, upstream):
    upstream.ttl, upstream.negative_ttl = 60, 1
    dnsd = forwarding(upstream)
    started = time.monotonic()
    reply = ask(dnsd, "none.example.org")
    assert reply.rcode() == dns.rcode.NXDOMAIN and reply.authority[0].ttl == 1
    upstream.add("none.example.org", "A", "192.0.2.5")
    until(lambda: ask(dnsd, "none.example.org").answer, "the negative answer has ended")
    assert 0.9 < time.monotonic() - started < 3
    # Without an SOA nothing is kept (RFC 2308 §5).
    upstream.distort = lambda reply, asked: without_authority(reply)
    for _ in range(2):
        assert ask(dnsd, "soa-less.example.org").rcode() == dns.rcode.NXDOMAIN
    assert upstream.count("soa-less.example.org") == 2


def without_authority(reply):
    reply.authority = []
    return reply


def test_a_popular_answer_is_asked_again_before_its_end(forwarding, upstream):
    upstream.ttl = 2
    dnsd = forwarding(upstream, settings={"cache.prefetch_percent": 50})
    ask(dnsd, NAME)
    misses = 'dnsd_cache_lookups_total{result="miss"}'
    before = metric(dnsd, misses)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert texts(ask(dnsd, NAME), "A") == ["192.0.2.1"]
    assert metric(dnsd, misses) == before and upstream.count() >= 3
    assert metric(dnsd, "dnsd_cache_prefetches_total") >= 2


def test_when_all_upstreams_are_dead_answers_are_stale_then_servfail(forwarding, upstream):
    upstream.ttl, upstream.negative_ttl = 1, 1
    dnsd = forwarding(upstream, settings={"forward.timeout": 0.1, "forward.tries": 2, "cache.stale_max": 4,
                                          "cache.prefetch_percent": 0})
    ask(dnsd, NAME)
    ask(dnsd, "none.example.org")
    upstream.close()
    stale = until(lambda: (reply := ask(dnsd, NAME, use_edns=0)) and errors(reply) and reply, "it is stale")
    assert texts(stale, "A") == ["192.0.2.1"] and ttl(stale) == 30
    [(code, text)] = errors(stale)
    assert code == STALE_ANSWER and text.startswith("age=")
    # Negative answers are never stale.
    dead = until(lambda: (reply := ask(dnsd, "none.example.org", use_edns=0)).rcode() == dns.rcode.SERVFAIL
                 and reply, "the negative answer has ended")
    assert [code for code, _ in errors(dead)] == [NO_REACHABLE]
    until(lambda: ask(dnsd, NAME).rcode() == dns.rcode.SERVFAIL, "too stale")


def test_a_slow_upstream_has_stale_answers_given_meanwhile(forwarding, upstream):
    upstream.ttl = 1
    dnsd = forwarding(upstream, settings={"cache.stale_after": 0.2, "forward.timeout": 20,
                                          "cache.prefetch_percent": 0})
    ask(dnsd, NAME)
    upstream.hold = threading.Event()
    stale = until(lambda: (reply := ask(dnsd, NAME, use_edns=0)) and errors(reply) and reply, "it is stale")
    assert texts(stale, "A") == ["192.0.2.1"]
    upstream.add(NAME, "A", "192.0.2.2")
    upstream.hold.set()
    until(lambda: texts(ask(dnsd, NAME), "A") == ["192.0.2.2"], "the answer came at last")


@pytest.mark.parametrize("policy,given,expected", [
    ("honour", 30, 30), ("clamp", 30, 20), ("clamp", 2, 10), ("clamp", 0, 0), ("pin", 30, 30), ("off", 30, 30)])
def test_policies_for_studies(forwarding, upstream, policy, given, expected):
    upstream.ttl = given
    dnsd = forwarding(upstream, settings={"cache.policy": policy} | (
        {"cache.ttl_min": 10, "cache.ttl_max": 20} if policy == "clamp" else {}))
    assert ttl(ask(dnsd, NAME)) == expected
    ask(dnsd, NAME)
    assert upstream.count() == (2 if policy == "off" or given == 0 else 1)


def test_pinned_answers_stay_until_they_are_flushed(forwarding, upstream):
    upstream.ttl = 1
    dnsd = forwarding(upstream, settings={"cache.policy": "pin"})
    ask(dnsd, NAME)
    upstream.add(NAME, "A", "192.0.2.2")
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        assert texts(ask(dnsd, NAME), "A") == ["192.0.2.1"]
    dnsd.api.delete(f"/v1/cache?name={NAME}")
    assert texts(ask(dnsd, NAME), "A") == ["192.0.2.2"]


def test_names_types_and_subtrees_are_flushed(forwarding, upstream):
    dnsd = forwarding(upstream)
    for name in ("a.example.org", "b.example.org", "deep.b.example.org", "c.example.net"):
        upstream.add(name, "A", "192.0.2.1").add(name, "TXT", '"x"')
        ask(dnsd, name)
        ask(dnsd, name, "TXT")
    assert dnsd.api.get("/v1/cache")["entries"] == 8

    def flush(query) -> int:
        return dnsd.api.delete(f"/v1/cache?{query}")["flushed"]

    assert flush("name=A.EXAMPLE.org&type=TXT") == 1
    assert flush("name=a.example.org") == 1
    assert flush("name=b.example.org") == 2
    assert flush("name=example.org&subtree=true") == 2
    assert flush("name=@&subtree=true") == 2
    ask(dnsd, "c.example.net")
    assert upstream.count("c.example.net", "A") == 2


def test_what_was_asked_before_a_flush_does_not_come_back_after_it(forwarding, upstream):
    upstream.hold = threading.Event()
    dnsd = forwarding(upstream, settings={"forward.timeout": 20})
    replies = []
    asker = threading.Thread(target=lambda: replies.append(ask(dnsd, NAME)))
    asker.start()
    until(lambda: upstream.count() == 1, "it is asked")
    dnsd.api.delete(f"/v1/cache?name={NAME}")
    upstream.hold.set()
    asker.join()
    assert texts(replies[0], "A") == ["192.0.2.1"]
    assert dnsd.api.get("/v1/cache")["entries"] == 0


def test_the_cache_stays_within_its_memory(forwarding, upstream):
    dnsd = forwarding(upstream, settings={"cache.octets_max": 262144})
    for number in range(2000):
        name = f"name-number-{number}.example.org"
        upstream.add(name, "A", "192.0.2.1")
        ask(dnsd, name)
    totals = dnsd.api.get("/v1/cache")
    assert totals["octets"] <= 262144 and totals["evictions"] > 500


def test_the_age_of_answers_is_told_to_who_wants_it(forwarding, upstream):
    dnsd = forwarding(upstream, settings={"cache.show_age": True})
    ask(dnsd, NAME)
    until(lambda: errors(ask(dnsd, NAME, use_edns=0)) == [(0, "age=1s")], "it is a second old")
    [answer] = dnsd.api.get(f"/v1/cache?name={NAME}")["answers"]
    assert answer["type"] == "A" and answer["rcode"] == "NOERROR" and 0 < answer["left"] < 60
    assert answer["records"][0]["data"] == "192.0.2.1"


def test_dnsctl_shows_and_flushes(forwarding, upstream):
    dnsd = forwarding(upstream)
    ask(dnsd, NAME)

    def dnsctl(*arguments) -> str:
        done = subprocess.run([DNSCTL, "--server", dnsd.url, *arguments], capture_output=True, text=True,
                              check=True, timeout=PATIENCE)
        return done.stdout

    assert "192.0.2.1" in dnsctl("cache", "show", NAME)
    assert str(upstream) in dnsctl("upstreams")
    assert "1" in dnsctl("cache", "flush", NAME)
    assert "192.0.2.1" not in dnsctl("cache", "show", NAME)
    assert "0" in dnsctl("cache", "flush", "--all")


# Search lists, walked by the server

SEARCH = ["ns1.svc.cluster.example", "svc.cluster.example", "cluster.example"]


@pytest.fixture
def completing(forwarding, upstream):
    return forwarding(upstream, settings={"search_lists": ["127.0.0.0/8=" + ",".join(SEARCH)]})


def test_a_search_list_is_walked_here(completing, upstream):
    upstream.negative_ttl = 7
    reply = ask(completing, f"{NAME}.{SEARCH[0]}")
    assert [str(rrset.name) for rrset in reply.answer] == [f"{NAME}.{SEARCH[0]}.", f"{NAME}."]
    assert str(reply.answer[0][0].target) == f"{NAME}." and texts(reply, "A") == ["192.0.2.1"]
    assert reply.answer[0].ttl == 7  # what is known of the names skipped
    assert not reply.flags & dns.flags.AA
    # The choice is by name: NODATA of the same name.
    aaaa = ask(completing, f"{NAME}.{SEARCH[0]}", "AAAA")
    assert aaaa.rcode() == dns.rcode.NOERROR and str(aaaa.answer[0][0].target) == f"{NAME}."
    assert upstream.count(f"{NAME}.{SEARCH[1]}", "A") == 1


def test_the_first_name_that_exists_is_taken(completing, upstream):
    upstream.add(f"db.{SEARCH[1]}", "A", "192.0.2.4").add("db", "A", "192.0.2.5")
    assert texts(ask(completing, f"db.{SEARCH[0]}"), "A") == ["192.0.2.4"]
    assert upstream.count(f"db.{SEARCH[2]}") == 0
    upstream.add(f"both.{SEARCH[0]}", "A", "192.0.2.6").add(f"both.{SEARCH[1]}", "A", "192.0.2.7")
    own = ask(completing, f"both.{SEARCH[0]}")
    assert texts(own, "A") == ["192.0.2.6"] and len(own.answer) == 1


def test_services_of_ours_are_found_by_a_search_list(completing, upstream):
    service = make_service(completing.api)
    completing.api.put(f"{service}/instances/i-1", {"ipv4": "192.0.2.7", "port": 80})
    reply = ask(completing, f"web.demo.internal.{SEARCH[0]}")
    assert texts(reply, "A") == ["192.0.2.7"]
    assert upstream.count("web.demo.internal") == 0


def test_a_failure_ends_the_walk_and_nothing_anywhere_is_nxdomain(completing, upstream):
    upstream.rcodes[f"sick.{SEARCH[1]}"] = dns.rcode.SERVFAIL
    upstream.add("sick", "A", "192.0.2.8")
    assert ask(completing, f"sick.{SEARCH[0]}").rcode() == dns.rcode.SERVFAIL
    assert upstream.count("sick") == 0
    nowhere = ask(completing, f"nowhere.example.org.{SEARCH[0]}")
    assert nowhere.rcode() == dns.rcode.NXDOMAIN and not nowhere.answer
    assert ask(completing, f"nowhere.example.org.{SEARCH[1]}").rcode() == dns.rcode.NXDOMAIN


def test_clients_of_other_networks_walk_their_lists_themselves(forwarding, upstream):
    dnsd = forwarding(upstream, settings={"search_lists": ["10.0.0.0/8=" + ",".join(SEARCH)]})
    assert ask(dnsd, f"{NAME}.{SEARCH[0]}").rcode() == dns.rcode.NXDOMAIN
    assert upstream.count() == 1


@in_namespaces
def test_glibc_needs_two_queries_instead_of_eight(make_dnsd, make_upstream, tmp_path, request):
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver 127.0.0.1\nsearch {' '.join(SEARCH)}\noptions ndots:5\n")
    subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
    upstream = make_upstream().add(NAME, "A", "192.0.2.1").add(NAME, "AAAA", "2001:db8::1")
    queries = {}
    for name, lists in {"walked by glibc": [], "walked here": ["127.0.0.0/8=" + ",".join(SEARCH)]}.items():
        dnsd = make_dnsd(name.replace(" ", "-"), settings={
            "dns.listen": ["127.0.0.1:53"], "forward.upstreams": [str(upstream)], "search_lists": lists}).start()
        done = subprocess.run(["getent", "ahosts", NAME], capture_output=True, text=True, check=True)
        assert "192.0.2.1" in done.stdout and "2001:db8::1" in done.stdout
        queries[name] = metric(dnsd, 'dnsd_dns_queries_total{transport="udp"}')
        dnsd.stop()
    print(f"queries for one getent ahosts {NAME}: {queries}")
    assert queries == {"walked by glibc": 8, "walked here": 2}
