"""A second dnsd that follows the first: it answers as that one does, also when that one is gone."""

import collections
import contextlib
import hashlib
import http.client
import http.server
import json
import random
import signal
import socket
import threading
import time

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from harness import NAMESPACE, PATIENCE, WEB, make_service, server_sent_events, texts, until, wall_time

STALE_ANSWER, NO_REACHABLE = 3, 22
CUSTOM = {"failure_policy": "fail_closed", "check": {"type": "custom", "initial_status": "healthy"}}


@pytest.fixture
def centre(make_dnsd):
    return make_dnsd("centre").start()


@pytest.fixture
def replica_of(make_dnsd):
    def make(*centres, name="replica", settings=None):
        urls = [one if isinstance(one, str) else one.url for one in centres]
        return make_dnsd(name, settings={"replica.follow": urls} | (settings or {})).start()

    return make


def follows(replica, centre) -> bool:
    return (replica.api.get("/v1/status")["revision"] == centre.api.get("/v1/status")["revision"]
            and replica.api.get("/v1/status")["replica"]["connected"])


def in_step(replica, centre) -> None:
    until(lambda: follows(replica, centre), "the replica has all that the centre has")


def errors(message) -> list[int]:
    return [option.code for option in message.options if option.otype == dns.edns.EDE]


def everything(dnsd) -> dict:
    """What the API shows of every instance, but for names of this very server."""
    return {(within["name"], service["name"]): dnsd.api.get(
        f"/v1/namespaces/{within['name']}/services/{service['name']}/instances")["instances"]
        for within in dnsd.api.get("/v1/namespaces")["namespaces"]
        for service in dnsd.api.get(f"/v1/namespaces/{within['name']}/services")["services"]}


# It has what the centre has


def test_a_replica_takes_over_what_is_there_and_what_comes(centre, replica_of):
    make_service(centre.api, CUSTOM)
    centre.api.put(f"{WEB}/instances", {"instances": [
        {"id": f"i-{n}", "ipv4": f"10.0.{n // 256}.{n % 256}", "port": 80, "attributes": {"az": "a"}}
        for n in range(1200)]})  # more than one piece of a snapshot
    replica = replica_of(centre)
    in_step(replica, centre)
    assert everything(replica) == everything(centre)
    centre.api.put(f"{WEB}/instances/i-7/health", {"status": "unhealthy"})
    centre.api.delete(f"{WEB}/instances/i-8")
    centre.api.put("/v1/namespaces/other.internal", {})
    in_step(replica, centre)
    assert everything(replica) == everything(centre)
    assert replica.query("i-8.web.demo.internal").rcode() == dns.rcode.NOERROR
    assert replica.query("other.internal", "SOA").answer
    centre.api.delete("/v1/namespaces/other.internal")
    in_step(replica, centre)
    assert replica.query("other.internal", "SOA").rcode() == dns.rcode.REFUSED


def transferred(dnsd, zone) -> list[str]:
    """All that the server hands to a secondary, the SOA with its serial included."""
    host, port = dnsd.dns[0]
    return sorted({line for message in dns.query.xfr(host, zone, port=port, relativize=False)
                   for rrset in message.answer for line in rrset.to_text().splitlines()})


def test_a_replica_has_the_plain_records_and_the_serials_of_the_centre(make_dnsd, replica_of):
    transfer = {"transfer.allow": ["127.0.0.0/8"]}
    centre = make_dnsd("centre", settings=transfer).start()
    many = "".join(f"r{n} A 10.0.{n // 256}.{n % 256}\n" for n in range(1200))  # several pieces
    master_file = f"$TTL 60\n@ SOA ns h 7 1 1 1 1\n@ NS ns\nns A 192.0.2.53\n* TXT wild\n{many}"
    centre.api.request("PUT", "/v1/zones/hosted.example", master_file, {"Content-Type": "text/dns"})
    centre.api.put("/v1/zones/2.0.192.in-addr.arpa", {})
    replica = replica_of(centre, settings=transfer | {"replica.ttl_max": 86400})
    zones = "hosted.example", "2.0.192.in-addr.arpa", "demo.internal"

    def is_the_same() -> None:
        in_step(replica, centre)
        for zone in zones:
            assert transferred(replica, zone) == transferred(centre, zone), zone

    make_service(centre.api, namespace={"reverse": True})
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    is_the_same()
    assert texts(replica.query("1.2.0.192.in-addr.arpa", "PTR"), "PTR") == ["i-1.web.demo.internal."]
    centre.api.put("/v1/zones/hosted.example/records/new/TXT", {"ttl": 5, "records": ['"x"']})
    centre.api.delete("/v1/zones/hosted.example/records/r7/A")
    centre.api.delete(f"{WEB}/instances/i-1")
    is_the_same()
    replica.stop()  # and what it misses comes later
    centre.api.put("/v1/zones/hosted.example/records/newer/TXT", {"ttl": 5, "records": ['"y"']})
    replica.start()
    is_the_same()
    replica.stop()
    replica.settings["replica.ttl_max"] = 3
    replica.start()
    in_step(replica, centre)
    assert replica.query("newer.hosted.example", "TXT").answer[0].ttl == 3
    centre.kill()
    assert texts(replica.query("newer.hosted.example", "TXT"), "TXT") == ['"y"']


def test_a_change_is_in_the_replicas_answers_at_once(centre, replica_of):
    make_service(centre.api, CUSTOM | {"ttl": 300})
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    replica = replica_of(centre)
    in_step(replica, centre)
    delays = []
    for number in range(20):
        status, expected = [("unhealthy", []), ("healthy", ["192.0.2.1"])][number % 2]
        centre.api.put(f"{WEB}/instances/i-1/health", {"status": status})
        replied = time.monotonic()
        until(lambda: replica.addresses("web.demo.internal") == expected, "the replica knows")
        delays.append(time.monotonic() - replied)
    print(f"acknowledged there to answered here: median {sorted(delays)[10] * 1000:.1f} ms, most {max(delays) * 1000:.1f} ms")
    # The caches behind it keep nothing for longer than a second, negative answers neither.
    reply = replica.query("web.demo.internal")
    assert reply.answer[0].ttl == 1 and reply.flags & dns.flags.AA
    nothing = replica.query("nothing.demo.internal")
    assert nothing.authority[0].ttl == 1 and nothing.authority[0][0].minimum == 1
    assert centre.query("web.demo.internal").answer[0].ttl == 300


def test_serials_revisions_and_events_are_the_centres(centre, replica_of):
    make_service(centre.api)
    replica = replica_of(centre)
    in_step(replica, centre)
    for number in range(5):
        centre.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
    in_step(replica, centre)
    assert (str(replica.query("demo.internal", "SOA").answer[0][0].serial)
            == str(centre.query("demo.internal", "SOA").answer[0][0].serial))

    def told(dnsd):
        return [(event["revision"], event["cause"], event["instances"], event["dns_names"])
                for event in dnsd.api.get("/v1/events?limit=5")["events"]]

    assert told(replica) == told(centre)


@pytest.mark.parametrize("service", [
    {"routing_policy": "multivalue", "max_answers": 3}, {"routing_policy": "weighted"},
    {"routing_policy": "failover"}, {"routing_policy": "simple"}], ids=lambda s: s["routing_policy"])
def test_a_replica_draws_as_the_centre_does(centre, replica_of, service):
    make_service(centre.api, CUSTOM | service)
    weights = [5, 3, 2, 0, 1]
    for number, weight in enumerate(weights):
        centre.api.put(f"{WEB}/instances/i-{number}", {
            "ipv4": f"192.0.2.{number}", "port": 80, "weight": weight, "priority": number // 3})
    replica = replica_of(centre)
    in_step(replica, centre)
    drawn = {}
    question = dns.message.make_query("web.demo.internal", "A")
    question.flags = 0
    for dnsd in (centre, replica):
        seen = collections.Counter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(dnsd.dns[0])
            sock.settimeout(PATIENCE)
            wire = question.to_wire()
            for _ in range(10_000):
                sock.send(wire)
                for address in texts(dns.message.from_wire(sock.recv(4096)), "A"):
                    seen[address] += 1
        drawn[dnsd] = seen
    assert set(drawn[centre]) == set(drawn[replica])
    for address, count in drawn[centre].items():
        # Five standard deviations of a difference of two binomials, and some.
        assert abs(count - drawn[replica][address]) < 5 * (2 * count) ** 0.5 + 20, (address, drawn)


def test_a_thousand_changes_at_random_leave_both_alike(centre, replica_of):
    make_service(centre.api, CUSTOM)
    replica = replica_of(centre)
    dice = random.Random(7)
    api = centre.api
    for _ in range(1000):
        instance = f"{WEB}/instances/i-{dice.randrange(20)}"
        chance = dice.random()
        if chance < 0.5:
            api.put(instance, {"ipv4": f"192.0.2.{dice.randrange(1, 250)}", "port": 80, "weight": dice.randrange(5)})
        elif chance < 0.7:
            api.request("DELETE", instance)
        elif chance < 0.9:
            api.request("PUT", f"{instance}/health", {"status": dice.choice(["healthy", "unhealthy"])})
        else:
            api.put(WEB, CUSTOM | {"ttl": dice.randrange(1, 100), "max_answers": dice.randrange(1, 9)})
    in_step(replica, centre)
    assert everything(replica) == everything(centre)
    assert sorted(texts(replica.query("web.demo.internal", tcp=True), "A")) == sorted(
        texts(centre.query("web.demo.internal", tcp=True), "A"))


# It is no centre


def test_changes_sent_to_a_replica_are_sent_on_by_name(centre, replica_of):
    make_service(centre.api)
    replica = replica_of(centre)
    in_step(replica, centre)
    for method, path, body in (("PUT", WEB, {}), ("DELETE", WEB, None), ("PUT", NAMESPACE, {}),
                               ("PUT", f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1"}),
                               ("POST", f"{WEB}/instances/i-1/heartbeat", None)):
        refused = replica.api.request(method, path, body)
        assert refused.status == 421 and centre.url in refused.json["detail"], refused
    assert replica.api.get(WEB)["name"] == "web"


# When the centre is silent


def test_a_replica_goes_on_alone_and_says_so(centre, replica_of):
    make_service(centre.api)
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    replica = replica_of(centre)
    in_step(replica, centre)
    assert not errors(replica.query("web.demo.internal", use_edns=0))
    centre.kill()
    marked = until(lambda: (reply := replica.query("web.demo.internal", use_edns=0)) and errors(reply) and reply,
                   "it is stale")
    assert errors(marked) == [STALE_ANSWER] and texts(marked, "A") == ["192.0.2.1"]
    assert errors(replica.query("nothing.demo.internal", use_edns=0)) == [STALE_ANSWER]
    assert replica.api.get("/v1/status")["replica"]["connected"] is False
    # A restart goes on from its own store.
    replica.restart()
    assert replica.addresses("web.demo.internal") == ["192.0.2.1"]
    centre.start()
    centre.api.put(f"{WEB}/instances/i-2", {"ipv4": "192.0.2.2", "port": 80})
    in_step(replica, centre)
    assert replica.addresses("web.demo.internal") == ["192.0.2.1", "192.0.2.2"]
    until(lambda: not errors(replica.query("web.demo.internal", use_edns=0)), "it is fresh again")
    page = replica.api.request("GET", "/metrics").body.decode()
    assert "dnsd_replica_snapshots_total 0" in page  # it only took what it had missed


def test_stale_answers_may_be_bounded(centre, replica_of):
    make_service(centre.api)
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    replica = replica_of(centre, settings={"replica.stale_max": 2})
    in_step(replica, centre)
    centre.kill()
    dead = until(lambda: (reply := replica.query("web.demo.internal", use_edns=0)).rcode() == dns.rcode.SERVFAIL
                 and reply, "too stale")
    assert errors(dead) == [NO_REACHABLE]


def test_the_next_centre_is_followed_when_the_first_is_gone(centre, replica_of):
    make_service(centre.api)
    middle = replica_of(centre, name="middle")
    in_step(middle, centre)
    last = replica_of(centre, middle, name="last")
    in_step(last, centre)
    centre.kill()
    until(lambda: last.api.get("/v1/status")["replica"]["centre"] == middle.url
          and last.api.get("/v1/status")["replica"]["connected"], "it follows the other")
    assert "dnsd_replica_snapshots_total 1" in last.api.request("GET", "/metrics").body.decode()


def test_a_centre_with_another_store_is_taken_over_whole(centre, make_dnsd, replica_of):
    make_service(centre.api)
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    replica = replica_of(centre)
    in_step(replica, centre)
    centre.kill()
    centre.settings["store.path"] += ".other"
    centre.start()
    make_service(centre.api, name="api")
    in_step(replica, centre)
    assert replica.query("web.demo.internal").rcode() == dns.rcode.NXDOMAIN
    assert everything(replica) == everything(centre)


def test_a_replica_that_never_heard_its_centre_is_not_ready(make_dnsd, replica_of):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        replica = replica_of(f"http://127.0.0.1:{taken.getsockname()[1]}")
        refused = replica.api.request("GET", "/readyz")
        assert refused.status == 503 and "centre" in refused.json["reasons"][0]


# safe_after


def test_while_replicas_follow_an_instance_counts_as_handed_out_at_its_withdrawal(centre, replica_of):
    make_service(centre.api, {"ttl": 5})
    for name in ("i-1", "i-2"):
        centre.api.put(f"{WEB}/instances/{name}", {"ipv4": "192.0.2.1", "port": 80})
    until(lambda: time.time() > wall_time(centre.api.get(WEB + "/instances/i-1")["registered"]) + 1, "a second")
    replica = replica_of(centre)
    in_step(replica, centre)
    # Nobody asked the centre: by its own marks nothing would be in caches.
    seconds = wall_time(centre.api.delete(f"{WEB}/instances/i-1")["safe_after"]) - time.time()
    assert 5 < seconds <= 11.5


# The stream itself


def changes(dnsd, query="?heartbeat=1", headers=None):
    connection = http.client.HTTPConnection(*dnsd.apis[0], timeout=PATIENCE)
    connection.request("GET", f"/v1/changes{query}", headers=headers or {})
    return server_sent_events(connection.getresponse())


def test_the_stream_has_a_snapshot_changes_and_heartbeats(centre):
    make_service(centre.api)
    stream = changes(centre)
    kinds = []
    while not kinds or kinds[-1].event != "heartbeat":
        kinds.append(next(stream))
    assert [kind.event for kind in kinds] == ["begin", "namespace", "service", "end", "heartbeat"]
    revision = kinds[0].data["revision"]
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80, "weight": 7})
    change = next(event for event in stream if event.event == "change")
    assert change.data["from"] == revision and change.data["revision"] == int(change.id) > revision
    [service] = change.data["services"]
    assert service["instances"][0]["spec"]["weight"] == 7 and not service["whole"]
    resumed = changes(centre, f"?identity={kinds[0].data['identity']}", {"Last-Event-ID": str(revision)})
    missed = next(resumed)
    assert missed.event == "change" and missed.data["from"] == revision
    foreign = changes(centre, "?identity=other", {"Last-Event-ID": str(revision)})
    assert next(foreign).event == "begin"


class LyingCentre(http.server.BaseHTTPRequestHandler):
    """Serves what `script` holds, connection by connection, and then passes on the true stream."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.server.script:
            self.wfile.write(self.server.script.pop(0))
            return
        connection = http.client.HTTPConnection(*self.server.centre.apis[0], timeout=PATIENCE)
        connection.request("GET", self.path, headers={
            name: value for name, value in self.headers.items() if name in ("Last-Event-ID", "Accept")})
        reply = connection.getresponse()
        with contextlib.suppress(OSError):
            while chunk := reply.read1(65536):
                self.wfile.write(chunk)

    def log_message(self, *_):
        pass


LIES = {
    "garbage": b"\x00\xff\xfe not a stream\n\n\n",
    "an unknown event": b"event: surprise\ndata: {}\n\n",
    "broken JSON": b"event: begin\ndata: {\"revision\":1,\"identity\":\"x\"}\n\nevent: service\ndata: {\n\n",
    "a change that skips": b'event: change\ndata: {"from":1000000,"revision":1000001,"now":"2026-01-01T00:00:00.000Z",'
                           b'"namespaces":[],"gone_namespaces":[],"services":[],"gone_services":[],"events":[]}\n\n',
    "a service in no namespace": None,  # made of a true one
    "a snapshot that is cut off": b"event: begin\ndata: {\"revision\":9,\"identity\":\"x\"}\n\n",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_stream_that_lies_changes_nothing_and_is_asked_for_everything(centre, replica_of, lie):
    make_service(centre.api)
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    script = LIES[lie]
    if script is None:
        stream, parts = changes(centre, ""), []
        while not parts or parts[-1].event != "end":
            parts.append(next(stream))
        script = b"".join(
            f"event: {part.event}\ndata: {json.dumps(part.data)}\n\n".encode()
            for part in parts if part.event != "namespace")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LyingCentre)
    server.script, server.centre, server.paths, server.daemon_threads = [script], centre, [], True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        replica = replica_of("http://127.0.0.1:%d" % server.server_address[1])
        in_step(replica, centre)
        assert replica.addresses("web.demo.internal") == ["192.0.2.1"]
        assert len(server.paths) >= 2
    finally:
        replica.stop()
        server.shutdown()
        server.server_close()


def test_a_wrong_token_is_told_and_a_right_one_follows(make_dnsd, replica_of, tmp_path):
    tokens, secret = tmp_path / "tokens", tmp_path / "secret"
    tokens.write_text(f"{hashlib.sha256(b'let me').hexdigest()} read\n")
    centre = make_dnsd("centre", settings={"api.tokens": str(tokens)}).start()
    secret.write_text("wrong\n")
    replica = replica_of(centre, settings={"replica.token": str(secret)})
    until(lambda: "401" in replica.api.get("/v1/status")["replica"]["trouble"], "it is told")
    replica.stop()
    secret.write_text("let me\n")
    replica.start()
    until(lambda: replica.api.get("/v1/status")["replica"]["connected"], "it follows")


def test_a_token_that_is_revoked_midway_ends_the_stream(make_dnsd, replica_of, tmp_path):
    tokens, secret = tmp_path / "tokens", tmp_path / "secret"
    good = f"{hashlib.sha256(b'let me').hexdigest()} read\n"
    admin = f"{hashlib.sha256(b'admin').hexdigest()} write\n"
    tokens.write_text(good + admin)
    secret.write_text("let me\n")
    centre = make_dnsd("centre", settings={"api.tokens": str(tokens)}).start()
    centre.token = "admin"
    replica = replica_of(centre, settings={"replica.token": str(secret)})
    until(lambda: replica.api.get("/v1/status")["replica"]["connected"], "it follows")
    tokens.write_text(admin)
    centre.signal(signal.SIGHUP)
    until(lambda: "401" in replica.api.get("/v1/status")["replica"]["trouble"], "it is told")
    tokens.write_text(good + admin)
    centre.signal(signal.SIGHUP)
    make_service(centre.api)
    in_step(replica, centre)


def test_an_envoy_may_ask_a_replica(centre, replica_of):
    make_service(centre.api, CUSTOM)
    centre.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    replica = replica_of(centre)
    in_step(replica, centre)
    question = {"node": {"id": "n", "cluster": "c"}, "resource_names": ["web.demo.internal"]}
    told = [dnsd.api.request("POST", "/v3/discovery:endpoints", question).json for dnsd in (centre, replica)]
    assert told[0] == told[1] and "192.0.2.1" in json.dumps(told[1])
