"""The world can send anything. It gets a clear error, and nothing has changed."""

import random
import socket

import dns.flags
import dns.message
import dns.rcode
import pytest

from harness import NAMESPACE, WEB, make_service, raw_tcp

I1 = f"{WEB}/instances/i-1"
GOOD = {"ipv4": "192.0.2.1", "port": 80}
LABEL_64 = "a" * 64
NAME_256 = ".".join(["a" * 63] * 4)


@pytest.mark.parametrize("path, body, statuses, pointer", [
    # Malformed, or not what the resource is made of.
    (I1, b"{", {400}, None),
    (I1, b"", {400}, None),
    (I1, b"[]", {400, 422}, None),
    (I1, b'{"ipv4": "192.0.2.1", "port": 80} {}', {400}, None),
    (I1, b'{"ipv4": "\xff"}', {400}, None),
    (I1, b"[" * 100_000, {400}, None),
    (I1, GOOD | {"colour": "blue"}, {400, 422}, "/colour"),
    (WEB, {"check": {"type": "http", "colour": "blue"}}, {400, 422}, "/check/colour"),
    (NAMESPACE, {"tttl": 5}, {400, 422}, "/tttl"),
    # Names
    (f"/v1/namespaces/{LABEL_64}.internal", {}, {422}, None),
    (f"/v1/namespaces/{NAME_256}", {}, {422}, None),
    (f"{NAMESPACE}/services/{LABEL_64}", {}, {422}, None),
    (f"{NAMESPACE}/services/a..b", {}, {422}, None),
    (f"{WEB}/instances/{'x' * 65}", GOOD, {422}, None),
    # Addresses, ports, numbers
    (I1, GOOD | {"ipv4": "192.0.2.256"}, {400, 422}, "/ipv4"),
    (I1, GOOD | {"ipv4": "2001:db8::1"}, {400, 422}, "/ipv4"),
    (I1, GOOD | {"ipv6": "192.0.2.1"}, {400, 422}, "/ipv6"),
    (I1, GOOD | {"port": 0}, {400, 422}, "/port"),
    (I1, GOOD | {"port": 65536}, {400, 422}, "/port"),
    (I1, GOOD | {"port": -1}, {400, 422}, "/port"),
    (I1, GOOD | {"port": 80.5}, {400, 422}, "/port"),
    (I1, GOOD | {"port": "80"}, {400, 422}, "/port"),
    (I1, GOOD | {"weight": 65536}, {400, 422}, "/weight"),
    (I1, GOOD | {"attributes": {"k": "v" * 1025}}, {422}, None),
    (I1, {"port": 80}, {422}, None),  # no address that A, AAAA or SRV could carry
    (NAMESPACE, {"ttl": -1}, {400, 422}, "/ttl"),
    (NAMESPACE, {"ttl": 2147483648}, {400, 422}, "/ttl"),
    (NAMESPACE, {"negative_ttl": "soon"}, {400, 422}, "/negative_ttl"),
    (WEB, {"ttl": {"MX": 5}}, {400, 422}, None),
    (WEB, {"routing_policy": "best"}, {400, 422}, "/routing_policy"),
    (WEB, {"check": {"type": "tcp", "interval": 0.01}}, {400, 422}, "/check/interval"),
    (WEB, {"check": {"type": "tcp", "interval": 1, "timeout": 2}}, {422}, "/check/timeout"),
    (WEB, {"check": {"type": "tcp", "fall": 0}}, {400, 422}, "/check/fall"),
    (WEB, {"check": {"type": "smtp"}}, {400, 422}, "/check/type"),
])
def test_a_refused_request_says_which_field_and_changes_nothing(dnsd, path, body, statuses, pointer):
    make_service(dnsd.api)
    before = dnsd.api.get("/v1/status")["revision"]
    refused = dnsd.api.request("PUT", path, body)
    assert refused.status in statuses, refused
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json
    assert problem["status"] == refused.status and problem["title"] and problem["detail"]
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert dnsd.api.get("/v1/status")["revision"] == before


def test_a_second_owner_of_a_name_is_told_the_first(dnsd):
    make_service(dnsd.api, name="web")
    dnsd.api.put(f"{WEB}/instances/i-1", GOOD)
    refused = dnsd.api.request("PUT", f"{NAMESPACE}/services/i-1.web", {})
    assert refused.status == 409 and "web" in refused.json["detail"]


def test_duplicates_in_a_whole_set_are_refused(dnsd):
    make_service(dnsd.api)
    twice = [{"id": "i-1"} | GOOD, {"id": "i-1"} | GOOD]
    refused = dnsd.api.request("PUT", f"{WEB}/instances", {"instances": twice})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"].startswith("/instances/1")


@pytest.mark.parametrize("method, path, statuses", [
    ("GET", "/v1/nothing", {404}),
    ("GET", "/", {404}),
    ("GET", "/v1/namespaces/nope.internal", {404}),
    ("PATCH", "/v1/namespaces/demo.internal", {405}),
    ("DELETE", "/v1/status", {405}),
    ("GET", "/v1/namespaces/%zz", {400, 404}),
    ("GET", f"{WEB}/instances?wait=x&after=1", {400, 422}),
    ("GET", f"{WEB}/instances?limit=0", {400, 422}),
    ("GET", f"{WEB}/instances?colour=blue", {400, 422}),
])
def test_a_path_or_query_that_makes_no_sense_has_its_status(dnsd, method, path, statuses):
    make_service(dnsd.api)
    reply = dnsd.api.request(method, path)
    assert reply.status in statuses, reply
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_a_body_of_10_megabytes_is_413(dnsd):
    make_service(dnsd.api)
    body = b'{"description": "' + b"x" * 10_000_000 + b'"}'
    head = (f"PUT {WEB} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    assert raw_tcp(dnsd.apis[0], head + body).startswith(b"HTTP/1.1 413 ")
    # Without a length said in advance, too.
    chunked = (f"PUT {WEB} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
               + b"".join(b"100000\r\n" + b"x" * 0x100000 + b"\r\n" for _ in range(10)) + b"0\r\n\r\n")
    assert raw_tcp(dnsd.apis[0], chunked).startswith(b"HTTP/1.1 413 ")
    assert dnsd.api.get(WEB)["description"] == ""


def test_half_requests_do_nothing_and_cost_nothing(dnsd):
    make_service(dnsd.api)
    before = dnsd.api.get("/v1/status")["revision"]
    request = f"PUT {I1} HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n".encode() + b'{"ipv4": "192.0.2.1", "port": 80}'
    for length in range(1, len(request), 7):
        with socket.create_connection(dnsd.apis[0], timeout=10) as connection:
            connection.sendall(request[:length])
    assert dnsd.api.get("/v1/status")["revision"] == before
    # A client that takes its time holds nobody up.
    with socket.create_connection(dnsd.apis[0], timeout=10) as slow:
        slow.sendall(request[:20])
        dnsd.api.put(I1, GOOD)


def test_random_octets_on_every_socket_are_survived(dnsd):
    make_service(dnsd.api)
    dnsd.api.put(I1, GOOD)
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    question = dns.message.make_query("web.demo.internal", "SRV", payload=1232).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for round_number in range(20_000):
            if round_number % 2:
                octets = bytearray(question)
                for _ in range(generator.randrange(1, 5)):
                    octets[generator.randrange(len(octets))] = generator.randrange(256)
                octets = bytes(octets[:generator.randrange(len(octets) + 1)] if round_number % 4 == 1 else octets)
            else:
                octets = generator.randbytes(generator.randrange(0, 600))
            udp.sendto(octets, dnsd.dns[0])
    for _ in range(200):
        octets = generator.randbytes(generator.randrange(0, 3000))
        raw_tcp(dnsd.dns[0], octets)
        # Half a request may wait for the rest: what is asked is that nobody else does.
        for request in (octets, b"PUT " + octets):
            with socket.create_connection(dnsd.apis[0], timeout=10) as connection:
                connection.sendall(request)
    assert dnsd.is_running() and dnsd.addresses("web.demo.internal") == ["192.0.2.1"]
    dnsd.check_reports()


def udp_reply(dnsd, octets: bytes) -> bytes | None:
    """The reply, or None: silence, known by the reply to a good question sent afterwards."""
    probe = dns.message.make_query("demo.internal", "SOA", id=4711).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.connect(dnsd.dns[0])
        udp.send(octets)
        udp.send(probe)
        # One socket is one worker's: it answers in order.
        reply = udp.recv(4096)
        return None if reply[:2] == probe[:2] and octets[:2] != probe[:2] else reply


def test_malformed_messages_are_formerr_where_the_header_can_be_read(dnsd):
    make_service(dnsd.api)
    good = dns.message.make_query("web.demo.internal", "A", id=1).to_wire()
    two_questions = bytearray(good + good[12:])
    two_questions[5] = 2
    for octets in (good[:-1], good[:12], bytes(two_questions), good[:12] + b"\xc0\x0c\0\1\0\1",
                   good[:12] + b"\x40" + good[13:]):
        reply = udp_reply(dnsd, octets)
        assert reply is not None, octets
        assert reply[:2] == octets[:2] and reply[3] & 15 == dns.rcode.FORMERR, octets


def test_answers_and_fragments_of_headers_get_silence(dnsd):
    make_service(dnsd.api)
    question = dns.message.make_query("web.demo.internal", "A", id=1)
    question.flags |= dns.flags.QR
    assert udp_reply(dnsd, question.to_wire()) is None
    for length in range(0, 12):
        assert udp_reply(dnsd, question.to_wire()[:length]) is None
