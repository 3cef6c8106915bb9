"""The real dnsd, seen through its sockets alone: start, talk, stop, kill, and look for reports of
the sanitizers in what it wrote."""

import contextlib
import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import queue
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

ROOT = pathlib.Path(__file__).resolve().parents[2]
DNSD = os.environ.get("DNSD", str(ROOT / "build/dev/dnsd"))
DNSCTL = os.environ.get("DNSCTL", str(ROOT / "build/dev/dnsctl"))
DNSD_AGENT = os.environ.get("DNSD_AGENT", str(ROOT / "build/dev/dnsd-agent"))

# The longest that anything may take before a test gives up: generous, since sanitizers are slow and
# two cores are shared. No test waits for it to pass.
PATIENCE = 30.0

REPORT_OF_SANITIZER = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer"
)


class Refused(Exception):
    """dnsd did not become ready."""

    def __init__(self, status: int, stderr: str):
        super().__init__(f"dnsd ended with {status}: {stderr}")
        self.status, self.stderr = status, stderr


class Daemon:
    """One dnsd on ports of its own choice. Restarted, it keeps ports and data."""

    def __init__(self, folder: pathlib.Path, settings=None, arguments=(), wrapper=(), env=None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "dns.listen": ["127.0.0.1:0"],
            "api.listen": ["127.0.0.1:0"],
            "dns.workers": 2,
            "forward.resolv_conf": "",  # nothing leaves the machine
            "store.path": str(folder / "dnsd.db"),
        } | (settings or {})
        self.arguments, self.wrapper = list(arguments), list(wrapper)
        self.env = os.environ | (env or {})
        self.stderr_path = folder / "stderr"
        self.process: subprocess.Popen | None = None
        self.dns: list[tuple[str, int]] = []
        self.apis: list[tuple[str, int]] = []
        self.token: str | None = None
        self.tls: ssl.SSLContext | None = None  # how the API is spoken to, if it is over TLS

    # Life

    def command(self) -> list[str]:
        command = [*self.wrapper, DNSD, *self.arguments]
        for name, value in self.settings.items():
            # A list in JSON is one in TOML too.
            command += ["--set", f"{name}={json.dumps(value)}"]
        return command

    def start(self) -> "Daemon":
        with self.stderr_path.open("ab") as stderr:
            self.process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=stderr, env=self.env
            )
        lines: queue.Queue = queue.Queue()
        reader = threading.Thread(target=_read_lines, args=(self.process.stdout, lines), daemon=True)
        reader.start()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.process.kill()
                raise AssertionError(f"dnsd is not ready after {PATIENCE} s: {self.stderr}") from None
            if line is None:
                raise Refused(self.process.wait(PATIENCE), self.stderr)
            if match := re.fullmatch(r"ready dns=(\S+) api=(\S+)\n", line):
                self.dns = [_address(text) for text in match[1].split(",")]
                self.apis = [_address(text) for text in match[2].split(",")]
                # The next start finds the same ports.
                self.settings["dns.listen"] = match[1].split(",")
                self.settings["api.listen"] = match[2].split(",")
                return self

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM: it must end by itself, with success."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"dnsd did not stop within {PATIENCE} s of SIGTERM") from None
        self.process = None
        self.check_reports()
        assert status == 0, f"dnsd ended with {status}: {self.stderr}"

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process = None

    def restart(self) -> "Daemon":
        self.stop()
        return self.start()

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def check_reports(self) -> None:
        assert not REPORT_OF_SANITIZER.search(self.stderr), self.stderr

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # Talk

    @property
    def api(self) -> "Api":
        return Api(*self.apis[0], token=self.token, tls=self.tls)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.apis[0][0]}:{self.apis[0][1]}"

    def query(self, name: str, rr_type="A", tcp=False, server=None, **options) -> dns.message.Message:
        """One question from a fresh socket. Options are those of dns.message.make_query."""
        address, port = server or self.dns[0]
        question = dns.message.make_query(name, rr_type, **options)
        question.flags &= ~dns.flags.RD
        if tcp:
            return dns.query.tcp(question, address, PATIENCE, port)
        # A lost datagram is no answer of dnsd's: under load the kernel may drop one.
        for _ in range(5):
            with contextlib.suppress(dns.exception.Timeout):
                return dns.query.udp(question, address, PATIENCE / 5, port)
        raise AssertionError(f"no answer to {name} {rr_type}: {self.stderr}")

    def addresses(self, name: str, rr_type="A", **options) -> list[str]:
        return sorted(texts(self.query(name, rr_type, **options), rr_type))


class Api:
    """The REST API, a connection for each request."""

    def __init__(self, host: str, port: int, token: str | None = None, tls: ssl.SSLContext | None = None):
        self.host, self.port, self.token, self.tls = host, port, token, tls

    def connect(self, timeout=PATIENCE) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method: str, path: str, body=None, headers=None, timeout=PATIENCE) -> "Response":
        connection = self.connect(timeout)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body, self._headers(headers))
            reply = connection.getresponse()
            return Response(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def get(self, path: str, **options):
        return self._expect_success("GET", path, None, **options).json

    def put(self, path: str, body=None, **options):
        return self._expect_success("PUT", path, {} if body is None else body, **options).json

    def post(self, path: str, body=None, **options):
        return self._expect_success("POST", path, body, **options).json

    def delete(self, path: str, **options):
        return self._expect_success("DELETE", path, None, **options).json

    @contextlib.contextmanager
    def watch(self, query="", headers=None, timeout=PATIENCE):
        """Server-sent events of /v1/watch, as an iterator of ServerSentEvent."""
        connection = self.connect(timeout)
        try:
            connection.request("GET", f"/v1/watch{query}", headers=self._headers(headers))
            reply = connection.getresponse()
            assert reply.status == 200, reply.read()
            assert reply.headers["Content-Type"].startswith("text/event-stream")
            yield server_sent_events(reply)
        finally:
            connection.close()

    def _headers(self, headers) -> dict:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return bearer | (headers or {})

    def _expect_success(self, method, path, body, **options) -> "Response":
        response = self.request(method, path, body, **options)
        assert 200 <= response.status < 300, f"{method} {path}: {response.status} {response.body!r}"
        return response


@dataclasses.dataclass
class Response:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body) if self.body else None


@dataclasses.dataclass
class ServerSentEvent:
    event: str
    id: str | None
    data: dict | None
    comment: bool = False


def server_sent_events(stream, comments=False):
    """The WHATWG grammar, as far as dnsd uses it. With `comments` they are events too."""
    event, identity, data = "message", None, []
    for raw in stream:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield ServerSentEvent(event, identity, json.loads("\n".join(data)))
            elif event != "message":
                yield ServerSentEvent(event, identity, None)
            event, data = "message", []
            continue
        if line.startswith(":"):
            if comments:
                yield ServerSentEvent("", None, None, comment=True)
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event = value
        elif field == "id":
            identity = value
        elif field == "data":
            data.append(value)


class Backend:
    """An HTTP server in a process of its own: it answers its name on every path, and `status` on
    /health. Closed and killed like a real one."""

    def __init__(self, name: str, address="127.0.0.1", port=0):
        self.name, self.address, self.port = name, address, port
        self.process: subprocess.Popen | None = None

    def start(self) -> "Backend":
        script = pathlib.Path(__file__).with_name("backend.py")
        command = [sys.executable, str(script), self.name, self.address, str(self.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())  # printed once it listens
        return self

    def answer(self, status: int) -> None:
        """From now on /health has this status."""
        self.process.stdin.write(f"{status}\n".encode())
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


# Words of the tests

NAMESPACE = "/v1/namespaces/demo.internal"
WEB = f"{NAMESPACE}/services/web"


def make_service(api: Api, service=None, name="web", namespace=None) -> str:
    """A namespace and a service in it; returns the service's path."""
    api.put(NAMESPACE, {"ttl": 5, "negative_ttl": 2} | (namespace or {}))
    path = f"{NAMESPACE}/services/{name}"
    api.put(path, service or {})
    return path


def texts(message: dns.message.Message, rr_type: str) -> list[str]:
    """The data of the answer section's records of that type."""
    wanted = dns.rdatatype.from_text(rr_type)
    return [str(rdata) for rrset in message.answer if rrset.rdtype == wanted for rdata in rrset]


def until(condition, what: str, patience=PATIENCE):
    """Asks again and again, until the condition holds; returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        if outcome := condition():
            return outcome
        assert time.monotonic() < deadline, f"waited {patience} s in vain until {what}"
        time.sleep(0.01)


def instances(api: Api, path: str = WEB) -> dict[str, dict]:
    return {instance["id"]: instance for instance in api.get(f"{path}/instances")["instances"]}


def status_of(api: Api, instance: str, path: str = WEB) -> str:
    return api.get(f"{path}/instances/{instance}")["status"]


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def raw_tcp(address: tuple[str, int], octets: bytes, timeout=PATIENCE) -> bytes:
    """Sends octets, closes our side, and returns all that comes back."""
    with socket.create_connection(address, timeout=timeout) as connection:
        received = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        return received


def wall_time(text: str) -> float:
    """RFC 3339 with milliseconds, as dnsd writes it, in seconds since the epoch."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.datetime.fromisoformat(text).timestamp()


def _read_lines(stream, lines: queue.Queue) -> None:
    for line in stream:
        lines.put(line.decode())
    lines.put(None)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
