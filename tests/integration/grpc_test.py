"""Checks of type grpc: against the gRPC of others, and against servers that are none."""

import contextlib
import json
import pathlib
import socket
import struct
import subprocess
import sys
import threading

import pytest

from harness import PATIENCE, WEB, make_service, status_of, until

FAST = {"type": "grpc", "interval": 0.2, "timeout": 0.19, "rise": 1, "fall": 2}
NAME = "web.demo.internal"


class GrpcBackend:
    def __init__(self):
        script = pathlib.Path(__file__).with_name("grpc_backend.py")
        self.process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, statuses: dict | None) -> None:
        assert self.tell(json.dumps(statuses)) == "done"

    def asked(self) -> set[str]:
        return set(json.loads(self.tell("asked")))

    def tell(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def backend():
    made = GrpcBackend()
    yield made
    made.kill()


def register(dnsd, port: int) -> None:
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": port})


def reaches(dnsd, status: str) -> None:
    until(lambda: status_of(dnsd.api, "i-1") == status, f"it is {status}")


def last_outcome(dnsd) -> str:
    """Of the probe that made the last verdict."""
    return next(event["probes"][-1]["outcome"] for event in dnsd.api.get("/v1/events")["events"]
                if event.get("probes"))


def test_a_server_leaves_and_returns_with_its_serving_status(dnsd, backend):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": FAST})
    register(dnsd, backend.port)
    until(lambda: dnsd.addresses(NAME) == ["127.0.0.1"], "it is answered")
    assert last_outcome(dnsd) == "SERVING"
    for statuses, outcome in [({"": 2}, "NOT_SERVING"), ({"": 0}, "UNKNOWN"), ({"": 3}, "SERVICE_UNKNOWN"),
                              ({}, "grpc-status 5 NOT_FOUND: unknown service"),
                              (None, "grpc-status 12 UNIMPLEMENTED: Method not found!")]:
        backend.say(statuses)
        reaches(dnsd, "unhealthy")
        assert dnsd.addresses(NAME) == [] and last_outcome(dnsd) == outcome
        backend.say({"": 1})
        reaches(dnsd, "healthy")
    backend.kill()
    reaches(dnsd, "unhealthy")
    assert "connect" in last_outcome(dnsd)


def test_the_service_that_is_named_is_asked_for(dnsd, backend):
    backend.say({"": 2, "web.v1.Front": 1})
    make_service(dnsd.api, {"check": FAST | {"grpc_service": "web.v1.Front"}})
    register(dnsd, backend.port)
    reaches(dnsd, "healthy")
    assert backend.asked() == {"web.v1.Front"}
    assert dnsd.api.get(WEB)["check"]["grpc_service"] == "web.v1.Front"
    dnsd.restart()
    assert dnsd.api.get(WEB)["check"]["grpc_service"] == "web.v1.Front"
    shown = dnsd.api.request("PUT", WEB, {"check": FAST | {"grpc_service": "a b"}})
    assert shown.status == 422 and shown.json["errors"][0]["pointer"] == "/check/grpc_service"


def http2(kind: int, payload=b"", flags=0, stream=1) -> bytes:
    """A frame (RFC 9113 §4.1)."""
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def headers(end=False, status=b"\x88", **fields: str) -> bytes:
    """HPACK without its tables; 0x88 is ":status: 200"."""
    block = status
    for name, value in fields.items():
        name = name.replace("_", "-")
        block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return http2(1, block, 5 if end else 4)


def data(octets: bytes, end=False) -> bytes:
    return http2(0, octets, 1 if end else 0)


SETTINGS = http2(4, stream=0) + http2(4, flags=1, stream=0)
GRPC = {"content_type": "application/grpc"}
REQUEST = data(bytes(5), end=True)  # a HealthCheckRequest without a field, in its frame
SERVING = b"\0\0\0\0\2\x08\1"


@contextlib.contextmanager
def server_that_sends(octets: bytes, closes: bool):
    """To each connection, once the whole request came. Then it closes, or waits for the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(PATIENCE)
                    with contextlib.suppress(OSError):
                        request = b""
                        while REQUEST not in request and (more := connection.recv(65536)):
                            request += more
                        connection.sendall(octets)
                        while not closes and connection.recv(65536):
                            pass
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("octets, outcome", [
    (SETTINGS + headers(**GRPC) + data(SERVING) + headers(end=True, status=b"", grpc_status="0"), "SERVING"),
    (SETTINGS + headers(**GRPC) + data(SERVING, end=True), "no grpc-status: the answer has no trailers"),
    (SETTINGS + headers(**GRPC, grpc_status="0") + data(SERVING, end=True), "no grpc-status: the answer has no trailers"),
    (SETTINGS + headers(end=True, **GRPC, grpc_status="14", grpc_message="on%20the%20way"),
     "grpc-status 14 UNAVAILABLE: on the way"),
    (SETTINGS + headers(end=True, **GRPC, grpc_status="0"), "no message"),
    (SETTINGS + headers(**GRPC) + data(b"\0\0\0\1\0\x08\1") + headers(end=True, status=b"", grpc_status="0"),
     "a message of 2 octets in a frame of 256"),
    (SETTINGS + headers(**GRPC) + data(b"x" * 2000) + headers(end=True, status=b"", grpc_status="0"),
     "the answer is longer than 1024 octets"),
    (SETTINGS + headers(content_type="text/html") + data(b"<html>", end=True), "no gRPC: content type text/html"),
    (SETTINGS + headers(end=True, status=b"\x8d"), "status 404"),
    (SETTINGS + http2(3, struct.pack("!I", 2)), "not closed cleanly: internal_error"),  # RST_STREAM
    (SETTINGS + http2(7, struct.pack("!II", 0, 11), stream=0), "http2 framing"),  # GOAWAY
    (SETTINGS + headers(**GRPC) + data(SERVING), "not closed cleanly"),  # and the connection ends
    (SETTINGS + b"\xff" * 100, "no answer in http/2"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "no answer in http/2"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "no answer in http/2"),
    (b"", "timeout"),
], ids=range(16))
def test_what_a_server_sends_is_judged_with_words_that_say_why(dnsd, octets, outcome):
    make_service(dnsd.api, {"check": FAST | {"fall": 1}})
    with server_that_sends(octets, closes=outcome == "not closed cleanly") as port:
        register(dnsd, port)
        reaches(dnsd, "healthy" if outcome == "SERVING" else "unhealthy")
        assert outcome in last_outcome(dnsd)


def test_a_server_of_http_1_is_not_serving(dnsd, make_backend):
    make_service(dnsd.api, {"check": FAST})
    register(dnsd, make_backend("i-1").port)
    reaches(dnsd, "unhealthy")
    assert last_outcome(dnsd) == "no answer in http/2"
